"""What the card really played, brought to the recognizer's clock, for the echo canceller."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from voicebot_local.audio.echo import AUDIBLE
from voicebot_local.audio.resample import Resampler
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples


class Canceller(Protocol):
    """Takes an echo away; `audio.echo.EchoCanceller` is the real one."""

    @property
    def awake(self) -> bool:
        """True while an echo may be heard."""
        ...

    @property
    def delay(self) -> int:
        """Samples by which what it gives is late."""
        ...

    def push(self, heard: Samples, played: Samples) -> Samples:
        """Take as much of either, at 16 kHz; give what is complete of `heard` without the echo."""
        ...


class FarEnd:
    """Collects what the card plays, at its rate, and takes it out of what the microphone hears.

    Long silence is counted, not computed.
    """

    def __init__(self, card_rate: int, canceller: Canceller) -> None:
        self._canceller = canceller
        self._resampler = Resampler(card_rate, RECOGNIZER_RATE)
        self._waiting: list[Samples] = []
        self._silent = True

    @property
    def delay(self) -> int:
        """16 kHz samples by which what `cancel` gives is late."""
        return self._canceller.delay

    def play(self, samples: Samples) -> None:
        """The card has played this block."""
        self._waiting.append(samples)
        self._silent = self._silent and not np.abs(samples).max(initial=0) > AUDIBLE

    def cancel(self, heard: Samples) -> Samples:
        """`heard`, mono float32 at 16 kHz, of the time of the blocks played since the last call,
        without their echo; a little late, see the canceller's `push`."""
        count = sum(map(len, self._waiting))
        if self._silent and not self._canceller.awake:
            played = np.zeros(self._resampler.skip(count), np.float32)
        else:
            played = self._resampler.push(np.concatenate(self._waiting))
        self._waiting.clear()
        self._silent = True
        return self._canceller.push(heard, played)
