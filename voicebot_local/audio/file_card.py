"""A sound card made of recordings: a clock that hears files and plays into nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
import anyio.lowlevel
import numpy as np

from voicebot_local.audio.card import RESTING_S, Block
from voicebot_local.audio.playout import FADE_S, Playout
from voicebot_local.audio.recording import Recording, check_recording
from voicebot_local.providers.base import Samples

PLAYOUT_S = 30.0
"""How much of a reply may wait to be played."""


class FileCard:
    """Recordings instead of a microphone, on a clock that is real (`realtime`) or not (`fast`).

    The first recording begins with the clock, each further one when `next_recording` is called;
    between them, and after the last, there is silence until the card is closed. Nothing is ever
    lost: a reader that is slow makes the clock late, and the clock then catches up.

    `realtime`: blocks come when their last sample would have been spoken. `fast`: blocks come as
    fast as they are read, and asking for a block says that the one before was dealt with; while
    `hold` is in force the clock stands still.

    The recordings are all checked here: raises InputError. A recording that is damaged inside
    raises InputError when the clock reaches that place.
    """

    def __init__(
        self,
        recordings: Sequence[Path],
        *,
        rate: int = 24_000,
        block_s: float = 0.02,
        pace: Literal["realtime", "fast"] = "realtime",
        playout_s: float = PLAYOUT_S,
    ) -> None:
        self.recordings = [check_recording(path) for path in recordings]
        self._rate = rate
        self._count = max(1, round(block_s * rate))
        self.fast = pace == "fast"
        self._playout = Playout(round(playout_s * rate), round(FADE_S * rate))
        self._released = anyio.Event()
        self._held = False
        self._allowed = 1
        """How many recordings may have begun."""
        self._ended = 0
        """How many recordings have ended."""
        self._resting = False
        self._stirred = anyio.Event()
        self._arrived = 0.0
        """Until when the sound has come, because the clock rested meanwhile."""
        self.late_s = 0.0
        """The most a `realtime` clock was behind, because the program was busy elsewhere."""

    @property
    def rate(self) -> int:
        return self._rate

    @property
    def name(self) -> str:
        return ", ".join(info.path.name for info in self.recordings) or "silence"

    @property
    def playout(self) -> Playout:
        return self._playout

    @property
    def recordings_left(self) -> int:
        """Recordings that have not begun."""
        return max(0, len(self.recordings) - self._allowed)

    def next_recording(self) -> None:
        """Let the next recording begin with the next block; without effect while one is still
        being heard or when none is left."""
        if self._ended == self._allowed and self.recordings_left:
            self._allowed += 1

    def hold(self) -> None:
        """Stop a `fast` clock before its next block; a `realtime` clock waits for nobody."""
        if not self._held:
            self._held, self._released = True, anyio.Event()

    def release(self) -> None:
        """Let a held clock go on."""
        self._held = False
        self._released.set()

    def rest(self, resting: bool) -> None:
        """See `SoundCard`; a `fast` clock has no time to rest."""
        if resting != self._resting:
            self._resting = resting
            if resting:
                self._stirred = anyio.Event()
            else:
                self._stirred.set()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Block], None]:
        """Start the clock at position 0 and the first recording with it. To be opened once."""
        ticks = self._ticks()
        try:
            yield ticks
        finally:
            await ticks.aclose()

    async def _ticks(self) -> AsyncGenerator[Block, None]:
        position = 0
        start = anyio.current_time()
        heard = self._heard()
        try:
            while True:
                end = position + self._count
                if self.fast:
                    await anyio.lowlevel.checkpoint()
                    while self._held:
                        await self._released.wait()
                # A block's sound leaves for the loudspeaker when the block begins, and its heard
                # samples arrive when it ends: nothing is played before it was written.
                played = self._playout.pull(self._count)
                if not self.fast:
                    # Against the start, not the block before: lateness is caught up with.
                    await self._wait_until(start + end / self._rate)
                samples, ended = next(heard)
                yield Block(
                    position=position,
                    heard=samples,
                    played=played,
                    recording_ended=ended,
                    end_of_input=ended is not None and ended == len(self.recordings) - 1,
                )
                position = end
        finally:
            heard.close()

    async def _wait_until(self, due: float) -> None:
        if due <= self._arrived:
            return
        now = anyio.current_time()
        self.late_s = max(self.late_s, now - due)
        if self._resting and now < due:
            with anyio.move_on_after(due + RESTING_S - now):
                await self._stirred.wait()
            self._arrived = anyio.current_time()
        if due > self._arrived:
            await anyio.sleep_until(due)

    def _heard(self) -> Generator[tuple[Samples, int | None], None, None]:
        """Blocks of sound without end, each with the number of the recording that ends in it."""
        silence = np.zeros(self._count, np.float32)
        for number, info in enumerate(self.recordings):
            while number >= self._allowed:
                yield silence.copy(), None
            with Recording(info.path, self._rate) as recording:
                while not recording.ended:
                    block = silence.copy()
                    samples = recording.read(self._count)
                    block[: len(samples)] = samples
                    if recording.ended:
                        self._ended = number + 1
                        yield block, number
                    else:
                        yield block, None
        while True:
            yield silence.copy(), None
