"""A sound card in a simulated room: what it plays comes back into its microphone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from voicebot_local.audio.card import Block, CardNotice, SoundCard
from voicebot_local.audio.playout import Playout
from voicebot_local.bench.echo.room import Echo

SPEAKS = 0.01
"""Amplitude from which the user, or the assistant, counts as speaking."""


class RoomCard:
    """Any sound card, put into a room. What that one hears is the user; the room adds the echo of
    what is played, and its noise. Keeps who spoke when."""

    def __init__(self, card: SoundCard, echo: Echo) -> None:
        """`echo` is of the card's rate."""
        self._card = card
        self._echo = echo
        self.position = 0
        """Samples that the clock has given."""
        self.user: list[int] = []
        """Positions of the blocks in which the user speaks."""
        self.assistant: list[int] = []

    @property
    def rate(self) -> int:
        return self._card.rate

    @property
    def name(self) -> str:
        return f"{self._card.name} in a simulated room"

    @property
    def playout(self) -> Playout:
        return self._card.playout

    def rest(self, resting: bool) -> None:
        self._card.rest(resting)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Block | CardNotice], None]:
        async with self._card.open() as ticks:
            blocks = self._blocks(ticks)
            try:
                yield blocks
            finally:
                await blocks.aclose()

    async def _blocks(
        self, ticks: AsyncIterator[Block | CardNotice]
    ) -> AsyncGenerator[Block | CardNotice, None]:
        async for tick in ticks:
            if isinstance(tick, CardNotice):
                yield tick
                continue
            played = tick.played.samples
            for who, sound in ((self.user, tick.heard), (self.assistant, played)):
                if np.abs(sound).max() > SPEAKS:
                    who.append(tick.position)
            self.position = tick.position + len(played)
            yield replace(tick, heard=tick.heard + self._echo.push(played))
