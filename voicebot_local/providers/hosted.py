"""What all hosted providers share: their configuration, their key, and what they report.

A hosted provider lives in the main process and is a class that takes its configuration and a
`Report`. It has `run`, which keeps its connection, and the one method of its Protocol.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, TypeAlias
from urllib.parse import urlsplit

import anyio
from pydantic import Field, SecretStr

from voicebot_local.errors import ConfigError, ProviderError, ProviderUnavailable
from voicebot_local.events import EngineDied, EngineLoaded, Stage, UsageReported
from voicebot_local.providers.base import ProviderConfig
from voicebot_local.secrets import read_key, without

HostedNotice: TypeAlias = EngineLoaded | EngineDied | UsageReported
Report: TypeAlias = Callable[[HostedNotice], None]

BACKOFF_S = (0.1, 0.25, 0.5, 1.0)
"""Waits before a lost connection is tried again."""
SLOW_RETRY_S = 5.0
"""The wait between further tries; a turn that wants the connection tries at once."""
NO_KEY = "none"
"""Sent to a server on this machine, which needs no key."""
_MOST_OF_A_REASON = 200


class HostedConfig(ProviderConfig):
    """What every hosted provider can be told. The key itself is never part of a configuration."""

    service: ClassVar[str]
    """What the service calls itself."""
    key_page: ClassVar[str]
    """Where its users get their keys."""

    provider: str
    base_url: str = Field(description="The address of the service, or of a server like it.")
    key_variable: str = Field(
        description="The variable, of the environment or of .env, that holds the key."
    )
    connect_timeout_s: float = Field(
        10.0, gt=0, le=120, description="How long a connection may take, in seconds."
    )
    timeout_s: float = Field(
        8.0, gt=0, le=120, description="How long the service may be silent when it should answer."
    )

    @property
    def host(self) -> str:
        """The host of `base_url`, with its port where one is given."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def is_here(self) -> bool:
        """Whether `base_url` is a server on this machine."""
        name = urlsplit(self.base_url).hostname or ""
        if name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def key(self) -> SecretStr:
        """The key. Raises ConfigError where there is none; a server on this machine needs none."""
        found = read_key(self.key_variable)
        if found is None and self.is_here:
            return SecretStr(NO_KEY)
        if found is None:
            raise ConfigError(
                f"There is no key for {self.service}: {self.key_variable} is not set.",
                f"Get one at {self.key_page}, then `export {self.key_variable}=…` "
                "or write it to .env.",
            )
        return found

    def require(self, *, offline: bool) -> None:
        """Raise ConfigError where this cannot work: offline, or without a key."""
        scheme, name = urlsplit(self.base_url).scheme, urlsplit(self.base_url).hostname
        if scheme not in ("http", "https", "ws", "wss") or not name:
            raise ConfigError(
                f"base_url is {self.base_url!r}, which is no address of a service.",
                'It begins with "https://" or "wss://", and on this machine "http://" or "ws://".',
            )
        if offline and not self.is_here:
            raise ConfigError(
                f"{self.service} ({self.host}) is hosted, but the session is offline.",
                "Set `offline = false` in [session] or say --no-offline: what you say then leaves "
                "this machine.",
            )
        if scheme in ("http", "ws") and not self.is_here:
            raise ConfigError(
                f"base_url is {self.base_url!r}: the key and all you say would go unencrypted.",
                'Use "https://" or "wss://"; only a server on this machine may do without.',
            )
        self.key()


@dataclass(frozen=True, slots=True)
class Service:
    """A hosted provider as errors and events name it."""

    stage: Stage
    provider: str
    config: HostedConfig
    key: SecretStr

    @property
    def name(self) -> str:
        """What the service calls itself."""
        return self.config.service

    @property
    def device(self) -> str:
        """Where it computes, as `EngineLoaded` says it."""
        here = ", a server on this machine" if self.config.is_here else ""
        return f"hosted: {self.config.host}{here}"

    def refused_key(self) -> ProviderUnavailable:
        """The service does not take the key."""
        return ProviderUnavailable(
            self.provider,
            f"{self.name} refused the key in {self.config.key_variable}.",
            f"Look it up, or make another, at {self.config.key_page}",
            retryable=False,
        )

    def unavailable(
        self, what: str, mend: str = "", *, retryable: bool = True
    ) -> ProviderUnavailable:
        """It cannot be reached, or broke off; `what` continues the sentence "ElevenLabs …"."""
        return ProviderUnavailable(self.provider, f"{self.name} {what}.", mend, retryable=retryable)

    def clean(self, said: object) -> str:
        """What a server said, fit to be shown: short, one line, without the key."""
        return without(" ".join(str(said).split()), self.key)[:_MOST_OF_A_REASON]


class Busy(ProviderUnavailable):
    """The service asks to come back later."""

    retry_after_s = 0.0

    @staticmethod
    def of(service: Service, retry_after: str | None) -> Busy:
        """`retry_after` as the header says it, in seconds where that is a number."""
        found = Busy(
            service.provider,
            f"{service.name} has too many requests of this account at the moment"
            + (f"; it asks to wait {retry_after} s." if retry_after else "."),
            "Wait a little, or raise the account's limit.",
        )
        with suppress(ValueError):
            found.retry_after_s = min(60.0, float(retry_after or 0))
        return found


def again(error: ProviderError) -> ProviderError:
    """The same error anew, so that no trace grows on one that is raised many times."""
    return type(error)(error.provider, error.message, error.mend, retryable=error.retryable)


class Wakeup:
    """Waits for a time, or until somebody is in a hurry."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def wake(self) -> None:
        """End the wait at once."""
        self._event.set()

    def clear(self) -> None:
        """Forget an earlier hurry."""
        self._event = anyio.Event()

    async def wait(self, longest_s: float) -> bool:
        """Whether it was woken before `longest_s` were over."""
        with anyio.move_on_after(longest_s):
            await self._event.wait()
        woken = self._event.is_set()
        if woken:
            self.clear()
        return woken
