"""The cepstral mean: what microphone, level and voice add to every frame, for pocketsphinx.

The decoder subtracts it. It learns it too, but slowly, and with a wrong one every third word is
misheard. So it is measured here after the first second and a half of an utterance, which is then
decoded again from its beginning; a shorter one is given the mean of those before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WINDOW = 500
"""Frames that the decoder counts a mean for that is set from outside (its CMN_WIN)."""
_CARRIED = 300
"""Frames that the mean of earlier utterances counts for, at most."""


class CepstralMean:
    """The mean in use, and what this utterance says of it."""

    ENOUGH_FRAMES = 150
    """Frames (of 10 ms) after which the mean of an utterance is better than that of the ones
    before; that of a shorter one says more of its few sounds and of the silence around them."""

    def __init__(self) -> None:
        self._known: NDArray[np.float64] = np.array(
            [46, -7, -3, 9, -7, -1, -9, -6, -2.5, -1.4, -1.7, -0.8, -0.5]
        )
        """Of speech at a normal level, for the very first words."""
        self._weight = 0
        """The frames of accepted speech behind `_known`."""
        self._used = self._known
        self._frames = 0

    def text(self) -> str:
        """The mean to use now, as the decoder takes it."""
        return ",".join(f"{x:.3f}" for x in self._used)

    def measure(self, decoder: Any) -> None:
        """Read the mean of the present utterance off the decoder, and use it from now on.

        The utterance must have begun with `text()`, and have lasted for about ENOUGH_FRAMES:
        after 300 frames the decoder forgets part of what it counted.
        """
        self._frames = decoder.n_frames()
        both = np.array([float(x) for x in decoder.get_cmn(True).split(",")])
        self._used = (both * (_WINDOW + self._frames) - self._used * _WINDOW) / self._frames

    def keep(self) -> None:
        """The utterance was speech: what it says of the mean holds for short ones after it."""
        if self._frames:
            total = self._weight + self._frames
            self._known = (self._known * self._weight + self._used * self._frames) / total
            self._weight = min(total, _CARRIED)
        self.forget()

    def forget(self) -> None:
        """The utterance was noise or was left: it says nothing of the mean."""
        self._used, self._frames = self._known, 0
