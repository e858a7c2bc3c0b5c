"""One call's use of a service's WebSocket, and what a service has to say of itself for that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import anyio

from voicebot_local.errors import ProtocolViolation, ProviderError, ProviderTimeout
from voicebot_local.providers.hosted import again

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from voicebot_local.providers.line import Line

JsonObject: TypeAlias = dict[str, Any]

INBOX = 256
"""Messages that may wait for a call; the service waits when there are more."""


class Dialect(Protocol):
    """What one service says and expects on its line."""

    keepalive_s: float
    """Without a call, `keepalive` is sent this often."""
    idle_close_s: float
    """Without a call for so long, the line is closed until the next call; 0 is never."""

    def address(self) -> tuple[str, Mapping[str, str]]:
        """URL and headers of a new connection."""

    async def greet(self, call: Call) -> None:
        """Do what makes a new connection ready for its first call."""

    def keepalive(self) -> JsonObject | None:
        """What to send now and then while there is no call."""

    def farewell(self) -> JsonObject | None:
        """What to send last."""

    def failure(self, message: JsonObject) -> ProviderError | None:
        """The error that a message of the service reports, if it does."""

    def closed(self, code: int, reason: str) -> ProviderError | None:
        """What a close code of its own means; None for the general ones."""

    def over(self, connected_s: float) -> None:
        """A connection has ended."""


class Call:
    """The use of a connection by one call, or by the greeting. Ends with the connection."""

    def __init__(self, line: Line, socket: ClientConnection) -> None:
        self._line = line
        self._socket = socket
        self._give, self._take = anyio.create_memory_object_stream[JsonObject](INBOX)
        self._error: ProviderError | None = None

    async def send(self, *messages: JsonObject | bytes) -> None:
        """Send messages. Raises ProviderUnavailable where the connection is lost, ProviderTimeout
        where it takes nothing."""
        from websockets.exceptions import ConnectionClosed

        service = self._line.service
        try:
            with anyio.fail_after(service.config.timeout_s):
                for message in messages:
                    raw = message if isinstance(message, bytes) else json.dumps(message)
                    await self._socket.send(raw)
        except ConnectionClosed as closed:
            raise again(self._error or self._line.lost(closed)) from None
        except TimeoutError:
            self.drop()
            raise ProviderTimeout(
                service.provider, f"{service.name} took nothing for {service.config.timeout_s:g} s."
            ) from None

    @property
    def timeout_s(self) -> float:
        """How long the service may be silent when it should answer."""
        return self._line.service.config.timeout_s

    async def receive(self) -> JsonObject:
        """The next message. Raises ProviderTimeout where none comes in time, which drops the
        connection; else what the service reports, or why the connection ended."""
        message = await self.poll(self.timeout_s)
        if message is None:
            raise self.too_slow()
        return message

    async def poll(self, within_s: float) -> JsonObject | None:
        """The next message; None where none comes in that time. Raises like `receive`."""
        with anyio.move_on_after(within_s):
            try:
                return await self._take.receive()
            except anyio.EndOfStream:
                assert self._error is not None
                raise again(self._error) from None
        return None

    def too_slow(self) -> ProviderTimeout:
        """The service should have answered by now; the connection is dropped."""
        self.drop()
        service = self._line.service
        return ProviderTimeout(
            service.provider, f"{service.name} gave no answer for {self.timeout_s:g} s."
        )

    async def deliver(self, message: JsonObject) -> None:
        """Hand on what the service said; waits where the call is behind."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._give.send(message)

    def drop(self) -> None:
        """The state of the connection is unknown or of no more use: the next call gets another."""
        self._line.drop(self._socket)

    def nonsense(self, what: str) -> ProtocolViolation:
        """The service said something that makes no sense; the connection is dropped."""
        self.drop()
        service = self._line.service
        return ProtocolViolation(service.provider, f"{service.name} sent {what}.")

    def break_off(self, error: ProviderError) -> None:
        """No more will come, because of `error`."""
        self._error = self._error or error
        self._give.close()

    def close(self) -> None:
        """Nobody waits for more."""
        self._give.close()
        self._take.close()
