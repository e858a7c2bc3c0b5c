"""Voice activity: windows, positions and reset. Its judgement is checked in tests/engines."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.audio.vad import WINDOW, VoiceActivity

NOISE = (np.random.default_rng(1).standard_normal(6 * WINDOW) * 0.05).astype(np.float32)


@given(cuts=st.lists(st.integers(0, len(NOISE)), max_size=6).map(sorted))
@settings(max_examples=15, deadline=None)
def test_blocks_of_any_length_give_the_same(cuts: list[int]) -> None:
    expected = VoiceActivity().push(NOISE)
    detector, judged = VoiceActivity(), []
    for begin, end in zip([0, *cuts], [*cuts, len(NOISE)], strict=True):
        judged += detector.push(NOISE[begin:end])
    assert judged == expected
    assert [end for end, _ in judged] == [WINDOW * (i + 1) for i in range(6)]
    assert all(0 <= probability <= 1 for _, probability in judged)


def test_an_unfinished_window_waits() -> None:
    detector = VoiceActivity()
    assert detector.push(NOISE[: WINDOW - 1]) == []
    assert detector.position == 0
    assert [end for end, _ in detector.push(NOISE[WINDOW - 1 : WINDOW])] == [WINDOW]
    assert detector.position == WINDOW


def test_reset_forgets_the_sound_and_keeps_the_clock() -> None:
    detector = VoiceActivity()
    first = detector.push(NOISE[:WINDOW])
    detector.push(NOISE[WINDOW:])
    detector.reset()
    again = detector.push(NOISE[:WINDOW])
    assert again[0][1] == first[0][1]
    assert again[0][0] == len(NOISE) + WINDOW


def test_silence_and_noise_are_not_speech() -> None:
    for sound in (np.zeros(16_000, np.float32), NOISE):
        assert max(probability for _, probability in VoiceActivity().push(sound)) < 0.3
