"""Mel frames of coming audio are those of the whole, however the audio is cut. No NeMo needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.providers.asr.nemo_mel import MelStream

HOP, WINDOW = 160, 512


def mel_of(samples):
    """Like NeMo's: pre-emphasis, centred windows over silence at both ends, len // hop frames."""
    sharp = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1])
    padded = np.pad(sharp, WINDOW // 2)
    weights = np.hanning(WINDOW)
    frames = [
        (padded[i * HOP : i * HOP + WINDOW] * weights).sum() for i in range(len(samples) // HOP)
    ]
    return np.array(frames).reshape(1, 1, -1)


def noise(length):
    return np.random.default_rng(length).standard_normal(length).astype(np.float32)


def streamed(samples, cuts, chunk):
    mel, frames = MelStream(mel_of, HOP, WINDOW), []
    for block in np.split(samples, sorted(cuts)):
        mel.add(block)
        while mel.ready >= chunk:
            frames.append(mel.take(chunk))
    before = mel.ready
    mel.end()
    assert mel.ended
    assert mel.ready <= before + 1 <= chunk, "what is left is one chunk at most"
    if mel.ready > 0:
        frames.append(mel.take(mel.ready))
    return np.concatenate(frames, axis=2) if frames else np.zeros((1, 1, 0))


@given(
    length=st.integers(0, 4000),
    cuts=st.lists(st.integers(0, 4000), max_size=6),
    chunk=st.integers(1, 12),
)
def test_frames_are_those_of_the_whole(length, cuts, chunk):
    samples = noise(length)
    frames = streamed(samples, [min(cut, length) for cut in cuts], chunk)
    assert frames.shape[2] == length // HOP
    np.testing.assert_allclose(frames, mel_of(samples), atol=1e-4)


@pytest.mark.parametrize("length", [0, 1, HOP - 1])
def test_less_than_a_hop_has_no_frame(length):
    assert streamed(noise(length), [], 1).shape[2] == 0


def test_a_frame_is_ready_once_its_window_is_complete():
    mel = MelStream(mel_of, HOP, WINDOW)
    mel.add(noise(WINDOW // 2 - 1))
    assert mel.ready == 0
    mel.add(noise(1))
    assert mel.ready == 1


def test_audio_that_was_taken_is_let_go():
    seen = []
    mel = MelStream(lambda samples: seen.append(len(samples)) or mel_of(samples), HOP, WINDOW)
    for _ in range(500):
        mel.add(noise(HOP * 8))
        while mel.ready >= 8:
            mel.take(8)
    assert max(seen) <= HOP * 12
    assert mel.samples == 500 * 8 * HOP
