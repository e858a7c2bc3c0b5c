"""Learns how the loudspeaker sounds at the microphone, and takes that away.

A Kalman filter in the frequency domain, in partitions (Kuech, Mabande and Enzner, 2014). It knows
how sure it is of each coefficient and how loud everything else is, so that it learns quickly from
the first words of a reply and hardly at all while the user speaks over it. Coefficients that turn
out to be nothing soon get no more attention: a filter of half a second costs little accuracy, and
spares finding the delay of the sound card first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot_local.providers.base import Samples

BLOCK = 256
"""Samples in a block: 16 ms at 16 kHz."""
PARTITIONS = 32
"""Blocks that the filter reaches back: 512 ms, the sound card's buffers and the room's echo."""
FORGET = 0.9995
"""How alike the room is from one block to the next; less follows changes, and learns less well."""
SMOOTHING = 0.6
"""How much of the estimate of all other sound a block inherits from the one before."""
UNSURE = 1.0
"""Variance of a coefficient of which nothing is known; a loud loudspeaker has an echo of gain 1."""
WRONG = 1.3
"""A result that is louder than what was heard by this factor, in power, shows a wrong filter."""
JUDGED_BLOCKS = 10
"""Over how many blocks that is judged, about."""
AUDIBLE = 1e-7
"""Mean square below which nothing is judged: -70 dBFS."""

Spectra = NDArray[np.complex64]
Powers = NDArray[np.float32]


class AdaptiveFilter:
    """Subtracts from what was heard the echo of what was played, block by block."""

    def __init__(self) -> None:
        self._far: Spectra = np.zeros((PARTITIONS, BLOCK + 1), np.complex64)
        self._far_before: Samples = np.zeros(BLOCK, np.float32)
        self._other: Powers = np.full(BLOCK + 1, 2 * BLOCK * 1e-6, np.float32)
        self._heard_power = self._left_power = 0.0
        self._forget_all()

    def _forget_all(self) -> None:
        self._echo_path: Spectra = np.zeros((PARTITIONS, BLOCK + 1), np.complex64)
        self._unsure: Powers = np.full((PARTITIONS, BLOCK + 1), UNSURE, np.float32)

    def push(self, heard: Samples, played: Samples) -> Samples:
        """Take `BLOCK` samples of each, float32 of the same time; give `heard` without the echo.

        While the filter is found wrong, because the microphone or the loudspeaker was moved, it
        gives `heard` as it is and learns anew.
        """
        self._far[1:] = self._far[:-1]
        self._far[0] = np.fft.rfft(np.concatenate((self._far_before, played)))
        self._far_before = played
        echo = np.fft.irfft((self._far * self._echo_path).sum(axis=0))[BLOCK:]
        left: Samples = heard - echo.astype(np.float32)
        self._learn(left)
        return heard if self._is_wrong(heard, left) else left

    def _learn(self, left: Samples) -> None:
        """One step of the Kalman filter; `left` is what it could not explain."""
        path, unsure, far = self._echo_path, self._unsure, self._far
        error: Any = np.fft.rfft(np.concatenate((np.zeros(BLOCK, np.float32), left)))
        self._other *= SMOOTHING
        self._other += (1 - SMOOTHING) * _power(error)
        unsure *= FORGET**2
        unsure += (1 - FORGET**2) * _power(path)
        far_power = _power(far)
        gain = unsure / ((far_power * unsure).sum(axis=0) + 2 * self._other + 1e-9)
        # Only the first half of each partition's response may be other than zero.
        step = np.fft.irfft(gain * far.conj() * error)
        step[:, BLOCK:] = 0
        path *= FORGET
        path += np.fft.rfft(step)
        unsure *= 1 - 0.5 * gain * far_power

    def _is_wrong(self, heard: Samples, left: Samples) -> bool:
        self._heard_power += (float(heard @ heard) / BLOCK - self._heard_power) / JUDGED_BLOCKS
        self._left_power += (float(left @ left) / BLOCK - self._left_power) / JUDGED_BLOCKS
        wrong = self._left_power > WRONG * self._heard_power > WRONG * AUDIBLE
        if wrong:
            self._forget_all()
            self._left_power = self._heard_power
        return wrong


def _power(spectra: Spectra) -> Powers:
    return spectra.real**2 + spectra.imag**2
