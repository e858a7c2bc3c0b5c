"""Speech for examples and measurements: espeak-ng as a microphone would hear it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import soxr

from voicebot_local.providers.base import Samples
from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

RESERVED_VOICES = ("en-us+m1", "en-us+f1", "en-gb+m2")
"""Voices of the examples and of the measurements: fit settings with other voices."""

LEAD_S, TAIL_S = 0.3, 0.5
NOISE_DBFS = -65.0
PEAK = 0.4


def spoken(text: str, voice: str, rate: int, seed: int = 0) -> Samples:
    """`text` in that voice: mono at `rate` Hz, quiet before and after, over a faint hiss."""
    engine = EspeakEngine(EspeakConfig(voice=voice))
    speech = np.concatenate([audio.samples for audio in engine.speak(iter([text]), _no_steps)])
    speech = soxr.resample(speech, engine.info.sample_rate, rate)
    speech *= PEAK / max(float(np.abs(speech).max()), 1e-6)
    quiet = [np.zeros(round(s * rate), np.float32) for s in (LEAD_S, TAIL_S)]
    whole = np.concatenate([quiet[0], speech, quiet[1]])
    hiss = np.random.default_rng(seed).normal(0, 10 ** (NOISE_DBFS / 20), len(whole))
    return (whole + hiss).astype(np.float32)


def _no_steps(_kind: str) -> AbstractContextManager[None]:
    return nullcontext()
