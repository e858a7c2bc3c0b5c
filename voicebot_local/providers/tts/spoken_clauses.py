"""What hosted synthesizers share: the clauses on their way out, the audio on its way in."""

from __future__ import annotations

import base64
import binascii
import inspect
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
import numpy as np
from anyio import CancelScope

from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.events import UsageReported
from voicebot_local.providers.base import Samples, SpokenAudio

AHEAD = 3
"""Clauses that may be with the service at once; what is sent is billed, be it heard or not."""


class Clauses:
    """The clauses of one reply, as far as they have been sent. Empty ones make no sound."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []
        """Number and text of those that are to be heard."""
        self.complete = False
        """Whether no more will come."""
        self._heard = 0
        self._changed = anyio.Event()

    @property
    def characters(self) -> int:
        """How many characters have been sent, which is what is billed."""
        return sum(len(text) for _, text in self.sent)

    async def audible(self, clauses: AsyncIterable[str]) -> AsyncIterator[str]:
        """The clauses that make a sound, noted as sent when they are given."""
        number = -1
        try:
            async for clause in clauses:
                number += 1
                if any(sign.isalnum() for sign in clause):
                    while len(self.sent) - self._heard >= AHEAD:
                        await self._changed.wait()
                    text = " ".join(clause.split())
                    self.sent.append((number, text))
                    self._announce()
                    yield text
        finally:
            if inspect.isasyncgen(clauses):
                with CancelScope(shield=True):
                    await clauses.aclose()
        self.complete = True
        self._announce()

    async def first(self) -> bool:
        """Wait until there is something to say; False where there will be nothing."""
        while not self.sent and not self.complete:
            await self._changed.wait()
        return bool(self.sent)

    def heard(self, count: int) -> None:
        """The audio of the first `count` has come."""
        if count > self._heard:
            self._heard = count
            self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class HostedReply(Protocol):
    """One reply on its way: a hosted synthesizer's own way of writing and reading it."""

    clauses: Clauses

    async def write(self, clauses: AsyncIterable[str]) -> None:
        """Send the clauses as they come, then the end."""

    def audio(self) -> AsyncIterator[SpokenAudio]:
        """What comes back."""
        ...

    async def close(self) -> None:
        """The caller wants nothing more; the socket stays."""


@asynccontextmanager
async def speaking(
    reply: HostedReply, clauses: AsyncIterable[str]
) -> AsyncIterator[AsyncIterator[SpokenAudio]]:
    """Write `clauses` while the block reads the audio; leaving it closes the reply, in any case."""
    try:
        async with owned_tasks() as tasks:
            tasks.start_soon(reply.write, clauses)
            yield reply.audio()
            tasks.cancel_scope.cancel()
    finally:
        with CancelScope(shield=True):
            await reply.close()


def characters_used(provider: str, characters: int, price_per_1000: float) -> UsageReported:
    """What a reply of so many characters came to."""
    cost = characters / 1000 * price_per_1000
    return UsageReported("synthesizer", provider, characters=characters, cost_usd=cost)


def samples_of(encoded: Any) -> Samples:
    """16-bit audio in base64, as float32. Raises ValueError for anything else."""
    if not isinstance(encoded, str):
        raise ValueError("audio must be text in base64")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("audio must be text in base64") from error
    if len(raw) % 2:
        raise ValueError("audio must be whole samples")
    pcm = np.frombuffer(raw, "<i2")
    return pcm.astype(np.float32) * np.float32(1 / 32768)
