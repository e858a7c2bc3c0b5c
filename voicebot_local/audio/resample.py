"""Changing the sample rate of live sound, with a delay of two milliseconds and exact positions.

The streams of `soxr` compute in lumps and hold sound back for 6 to 38 ms (21 on average, measured
from 24 to 16 kHz), once on the way in and once on the way out; a conversation notices. So live
sound goes through this windowed-sinc filter, and `soxr` reads files, where the delay is free.
"""

from __future__ import annotations

import math

import numpy as np

from voicebot_local.providers.base import Samples

ZERO_CROSSINGS = 32
"""Half the filter's length, in samples of the lower rate: 2 ms at 16 kHz."""
PASSBAND = 0.92
"""Cut-off, as a share of the lower rate's half; the filter is 80 dB down above the half itself."""
KAISER_BETA = 8.0
FEW_PHASES = 8
"""Ratios with no more phases than this (24 to 16 kHz has 2) are filtered phase by phase."""
LONGEST_STEP = 4096
"""Most input samples filtered at once, so that a long block does not need much memory."""


def at_rate(position: int, from_rate: int, to_rate: int) -> int:
    """The position of the same moment on a clock of another rate, rounded down."""
    return position * to_rate // from_rate


class Resampler:
    """Mono float32 sound at `in_rate` in, the same sound at `out_rate` out, block by block.

    Output sample m is the sound at input position m * in_rate / out_rate exactly: the filter's
    delay only decides when it is given, not where it is. So `at_rate` maps positions both ways.
    Equal rates pass through untouched.
    """

    def __init__(self, in_rate: int, out_rate: int) -> None:
        self.in_rate = in_rate
        self.out_rate = out_rate
        common = math.gcd(in_rate, out_rate)
        self._up, self._down = out_rate // common, in_rate // common
        self._pushed = self._given = 0
        if in_rate == out_rate:
            self._half = 0
            return
        share = min(1.0, out_rate / in_rate)
        self._half = math.ceil(ZERO_CROSSINGS / share)
        self._kernels = _kernels(self._up, self._half, share * PASSBAND)
        self._first = 1 - self._half
        """Input position of the first sample of `_recent`."""
        self._recent = np.zeros(self._half - 1, np.float32)

    @property
    def pushed(self) -> int:
        """Input samples taken so far."""
        return self._pushed

    @property
    def given(self) -> int:
        """Output samples given so far."""
        return self._given

    @property
    def delay_s(self) -> float:
        """How much sound it holds back, in seconds."""
        return self._half / self.in_rate

    def needed(self, given: int) -> int:
        """How many input samples must have been pushed for so many output samples (1 or more)."""
        return self._half + (given - 1) * self._down // self._up + 1

    def push(self, block: Samples) -> Samples:
        """Take the next input samples; give the output samples that they complete."""
        if not self._half:
            self._pushed += len(block)
            self._given += len(block)
            return block
        starts = range(0, len(block), LONGEST_STEP)
        steps = [self._step(block[start : start + LONGEST_STEP]) for start in starts]
        if len(steps) == 1:
            return steps[0]
        return np.concatenate(steps) if steps else np.zeros(0, np.float32)

    def skip(self, count: int) -> int:
        """Take `count` samples of silence where silence is all that is held back, and compute
        nothing; returns how many samples of silence they complete."""
        self._pushed += count
        if not self._half:
            end = self._pushed
        else:
            end = max(self._given, -((self._half - self._pushed) * self._up // self._down))
            self._first = end * self._down // self._up - (self._half - 1)
            self._recent = np.zeros(self._pushed - self._first, np.float32)
        completed, self._given = end - self._given, end
        return completed

    def finish(self) -> Samples:
        """The end of the sound: give what was held back.

        In all there are then ceil(pushed * out_rate / in_rate) output samples. Push no more.
        """
        pushed = self._pushed
        rest = self.push(np.zeros(self._half, np.float32))
        self._pushed = pushed
        return rest

    def _step(self, block: Samples) -> Samples:
        self._pushed += len(block)
        self._recent = np.concatenate((self._recent, block.astype(np.float32, copy=False)))
        # Output m needs the inputs up to m * down // up + half.
        end = max(self._given, -((self._half - self._pushed) * self._up // self._down))
        out = self._phase_by_phase(end) if self._up <= FEW_PHASES else self._all_at_once(end)
        self._given = end
        first = end * self._down // self._up - (self._half - 1)
        keep_from = min(first - self._first, len(self._recent))
        self._recent = self._recent[keep_from:]
        self._first += keep_from
        return out

    def _phase_by_phase(self, end: int) -> Samples:
        """The outputs up to `end`; copies no input, as `_all_at_once` does a hundred times over."""
        count = end - self._given
        out = np.empty(count, np.float32)
        for phase in range(min(self._up, count)):
            moment = (self._given + phase) * self._down
            first = moment // self._up - (self._half - 1) - self._first
            windows = self._windows()[first :: self._down][: -((phase - count) // self._up)]
            kernel = self._kernels[moment % self._up]
            np.einsum("ij,j->i", windows, kernel, out=out[phase :: self._up])
        return out

    def _all_at_once(self, end: int) -> Samples:
        moments = np.arange(self._given, end, dtype=np.int64) * self._down
        if not len(moments):
            return np.zeros(0, np.float32)
        windows = self._windows()[moments // self._up - (self._half - 1) - self._first]
        out: Samples = np.einsum("ij,ij->i", windows, self._kernels[moments % self._up])
        return out

    def _windows(self) -> Samples:
        """Row n is the `2 * half` recent samples from n on; a view, not to be written to.

        What numpy's sliding_window_view gives, which takes longer than all the rest of a block.
        """
        width, recent = 2 * self._half, self._recent
        shape, strides = (len(recent) - width + 1, width), 2 * recent.strides
        return np.ndarray(shape, recent.dtype, recent, 0, strides)


def _kernels(phases: int, half: int, cutoff: float) -> Samples:
    """One row a phase, `2 * half` coefficients each; every row sums to 1."""
    offsets = np.arange(1 - half, half + 1)[None, :] - np.arange(phases)[:, None] / phases
    inside = np.clip(1 - (offsets / half) ** 2, 0, None)
    rows = np.sinc(offsets * cutoff) * np.i0(KAISER_BETA * np.sqrt(inside))
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), np.float32)
