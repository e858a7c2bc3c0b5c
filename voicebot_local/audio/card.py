"""What a sound card is to the rest of the program: a clock that takes and gives blocks of samples.

Capture and playout share one sample clock, and it never waits for a model. Whatever happens between
microphone and loudspeaker is a matter of positions on that clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from voicebot_local.audio.playout import Played, Playout
from voicebot_local.providers.base import Samples

RESTING_S = 0.1
"""How much sound comes at once from a card that rests. Waking up costs more than a block's work."""


@dataclass(frozen=True, slots=True)
class Block:
    """One tick of the clock: what came in and what went out, at the card's rate.

    `heard` and `played.samples` have the same length and begin at sample `position` of the clock.
    `played` is what `Playout.pull` gave for this block and was really handed to the loudspeaker.
    `lost` counts samples dropped just before this block because the program was too slow; the
    positions account for them.
    `recording_ended` is the number, from 0, of the recording whose last sample this block holds,
    and `end_of_input` is True when that was the last recording; a real card sets neither.
    """

    position: int
    heard: Samples
    played: Played
    lost: int = 0
    recording_ended: int | None = None
    end_of_input: bool = False


@dataclass(frozen=True, slots=True)
class CardNotice:
    """The card vanished (`lost` True) or is back (`lost` False); the blocks go on afterwards."""

    name: str
    lost: bool
    message: str = ""


class SoundCard(Protocol):
    """A microphone and a loudspeaker on one clock.

    Used as `async with card.open() as ticks: async for tick in ticks: ...`; leaving the block
    closes the devices. Reading too slowly never delays the sound: the oldest blocks are dropped and
    counted in `Block.lost`. Raises DeviceError when it cannot be opened.
    """

    @property
    def rate(self) -> int:
        """Samples a second, of both directions."""
        ...

    @property
    def name(self) -> str:
        """For people: the devices, or the recording."""
        ...

    @property
    def playout(self) -> Playout:
        """Where replies are written to."""
        ...

    def rest(self, resting: bool) -> None:
        """While nobody speaks or is about to (`resting`), blocks may come `RESTING_S` at a time,
        so that the program sleeps in between; otherwise each comes at once, as from the start.

        Called in the event loop, and before anything is written to `playout`.
        """
        ...

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[Block | CardNotice]]: ...
