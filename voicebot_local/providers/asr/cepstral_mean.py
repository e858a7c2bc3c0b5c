"""The cepstral mean: what microphone, level and voice add to every frame, for pocketsphinx.

The decoder subtracts it. It learns it too, but slowly, and with a wrong one every third word is
misheard; so it is measured here over each utterance, carried on to the next, and compared early: an
utterance that began with a bad guess is decoded again from its beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_WINDOW = 500
"""Frames that the decoder counts a mean for that is set from outside (its CMN_WIN)."""
_MOST_FRAMES = 280
"""After 300 frames the decoder forgets part of what it counted, and cannot be read any more."""
_CARRIED = 300
"""Frames that the mean of earlier utterances counts for, at most."""
_LEVEL_SHIFT = 8.0
"""A change of the level (the first coefficient) that means another microphone or distance."""


class CepstralMean:
    """The mean in use, and what this utterance says of it."""

    ENOUGH_FRAMES = 150
    """Frames (of 10 ms) after which the mean of an utterance is a better guess than none."""

    def __init__(self) -> None:
        self._known: Vector = np.array(
            [46, -7, -3, 9, -7, -1, -9, -6, -2.5, -1.4, -1.7, -0.8, -0.5]
        )
        """Of speech at a normal level, for the very first words."""
        self._weight = 0
        """The frames of accepted speech behind `_known`."""
        self._used = self._known
        self._heard: Vector | None = None
        self._frames = 0

    def text(self) -> str:
        """The mean to use now, as the decoder takes it."""
        return ",".join(f"{x:.3f}" for x in self._used)

    def measure(self, decoder: Any) -> bool:
        """Read the mean of the present utterance off the decoder, which must be in it.

        True where the mean in use was a bad guess: `text()` is then a better one, and the
        utterance should be decoded again.
        """
        frames = decoder.n_frames()
        if not 10 <= frames <= _MOST_FRAMES:
            return False
        set_and_heard = np.array([float(x) for x in decoder.get_cmn(True).split(",")])
        self._heard = (set_and_heard * (_WINDOW + frames) - self._used * _WINDOW) / frames
        self._frames = frames
        guessed = self._weight < self.ENOUGH_FRAMES
        if not guessed and abs(self._heard[0] - self._used[0]) < _LEVEL_SHIFT:
            return False
        self._used = self._heard
        return True

    def keep(self) -> None:
        """The utterance was speech: what it says of the mean holds for the next one."""
        if self._heard is not None:
            weight = min(self._weight, _CARRIED)
            if abs(self._heard[0] - self._known[0]) >= _LEVEL_SHIFT:
                weight //= 3
            total = weight + self._frames
            self._known = (self._known * weight + self._heard * self._frames) / total
            self._weight += self._frames
        self.forget()

    def forget(self) -> None:
        """The utterance was noise or was left: it says nothing of the mean."""
        self._used, self._heard = self._known, None
