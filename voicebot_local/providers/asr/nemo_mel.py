"""Mel frames of audio that is still coming, each equal to the one of the whole recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from voicebot_local.providers.base import Samples

Tensor: TypeAlias = Any
"""A `torch.Tensor`; this module does not import torch."""

_LOOK_BACK = 2
"""Frames of audio kept before the next frame: half a window (n_fft / 2) and the sample that
pre-emphasis looks back to."""


class MelStream:
    """The mel frames of one utterance.

    `mel_of` turns samples (1-D, float32) into mel frames (1, features, frames), the window of
    frame i centred on sample i * `hop` and `window` samples wide; half a window is at least one
    hop and less than two. Audio is kept until `take` has passed it.
    """

    def __init__(self, mel_of: Callable[[Samples], Tensor], hop: int, window: int) -> None:
        self._mel_of = mel_of
        self._hop = hop
        self._half = window // 2
        self._samples: Samples = np.zeros(0, np.float32)
        self._first = 0
        """The frame on whose centre `_samples` begins."""
        self._next = 0
        self._ended = False

    def add(self, samples: Samples) -> None:
        self._samples = np.concatenate((self._samples, samples))

    def end(self) -> None:
        """No audio follows: the last frame's window reaches into silence.

        At most one frame more becomes ready by it, as half a window is less than two hops.
        """
        self._ended = True

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended

    @property
    def samples(self) -> int:
        """How much audio was added."""
        return self._first * self._hop + len(self._samples)

    @property
    def ready(self) -> int:
        """How many frames can be taken."""
        if self._ended:
            return self.samples // self._hop - self._next
        return max(0, (self.samples - self._half) // self._hop + 1 - self._next)

    def take(self, count: int) -> Tensor:
        """The next `count` frames, at most `ready`: (1, features, count)."""
        stop = self._next + count
        needed = (stop - 1 - self._first) * self._hop + self._half
        mel = self._mel_of(self._samples[:needed])
        mel = mel[:, :, self._next - self._first : stop - self._first]
        self._next = stop
        behind = max(0, stop - _LOOK_BACK) - self._first
        self._samples = self._samples[behind * self._hop :]
        self._first += behind
        return mel
