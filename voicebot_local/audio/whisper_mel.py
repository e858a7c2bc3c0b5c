"""The log-mel features of Whisper models, for the last seconds of speech."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

SECONDS = 8
BANDS = 80
FRAMES = 800
_WINDOW, _HOP = 400, 160
_FLOOR = 1e-10
_LINEAR_TO_HZ, _LINEAR_TO_MEL = 1000.0, 15.0
"""Slaney's mel scale is linear below this frequency, and logarithmic above."""
_MELS_PER_E = 27.0 / np.log(6.4)


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Features of the last 8 s of 16 kHz `samples`; shorter audio has silence before it.

    Returns float32 of shape (80, 800), frame by frame in 10 ms steps, about -1..1. They are those
    of `transformers.WhisperFeatureExtractor(chunk_length=8)` with `do_normalize=True`.
    """
    length = SECONDS * RECOGNIZER_RATE
    whole = np.zeros(length, np.float32)
    last = samples[-length:]
    whole[length - len(last) :] = last
    level = (whole - whole.mean()) / np.sqrt(whole.var() + 1e-7)
    padded = np.pad(level.astype(np.float64), _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:FRAMES]
    spectrum = np.fft.rfft(frames * _hann(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.log10(np.maximum(_FLOOR, _filters() @ power.T))
    features: NDArray[np.float64] = (np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0
    return features.astype(np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    return np.hanning(_WINDOW + 1)[:-1]


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles of equal area, even on the mel scale: (bands, frequencies)."""
    nyquist = RECOGNIZER_RATE / 2
    top = _LINEAR_TO_MEL + np.log(nyquist / _LINEAR_TO_HZ) * _MELS_PER_E
    corners = _hertz(np.linspace(0.0, top, BANDS + 2))
    frequencies = np.linspace(0.0, nyquist, _WINDOW // 2 + 1)
    distance = corners[:, None] - frequencies[None, :]
    widths = np.diff(corners)[:, None]
    rising, falling = -distance[:-2] / widths[:-1], distance[2:] / widths[1:]
    area = 2.0 / (corners[2:] - corners[:-2])
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * area[:, None]
    return filters


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * _LINEAR_TO_HZ / _LINEAR_TO_MEL
    logarithmic = _LINEAR_TO_HZ * np.exp((mel - _LINEAR_TO_MEL) / _MELS_PER_E)
    return np.where(mel < _LINEAR_TO_MEL, linear, logarithmic)
