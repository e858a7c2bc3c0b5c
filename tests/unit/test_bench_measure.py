"""Voice-to-voice latency off synthetic recordings whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.bench.measure import measure_file, voice_to_voice
from voicebot_local.errors import InputError

RATE = 24_000


def burst(seconds: float, level_db: float = -20, seed: int = 0) -> np.ndarray:
    """Speech-like: a tone whose loudness swings four times a second, loud at both ends."""
    t = np.arange(round(RATE * seconds)) / RATE
    swing = 0.6 + 0.4 * np.cos(2 * np.pi * 4 * t * round(seconds * 4) / (seconds * 4))
    return 10 ** (level_db / 20) * 1.4 * swing * np.sin(2 * np.pi * 220 * t)


def session(
    users: list[tuple[float, float]], replies: list[tuple[float, float]], noise_db: float = -200
) -> tuple[np.ndarray, np.ndarray]:
    """Channels with sound at each (start_s, length_s)."""
    total = round((max(start + length for start, length in users + replies) + 1) * RATE)
    left = np.random.default_rng(7).standard_normal(total) * 10 ** (noise_db / 20)
    right = np.zeros(total)
    for channel, sounds in ((left, users), (right, replies)):
        for start, length in sounds:
            sound = burst(length)
            at = round(start * RATE)
            channel[at : at + len(sound)] += sound
    return left.astype(np.float32), right.astype(np.float32)


@given(
    gaps=st.lists(
        st.tuples(st.floats(0.3, 2.5), st.floats(0.2, 1.5), st.floats(0.3, 2)),
        min_size=1,
        max_size=4,
    ),
    noise_db=st.sampled_from([-200.0, -60.0, -42.0]),
)
@settings(max_examples=40, deadline=None)
def test_known_latencies(gaps: list[tuple[float, float, float]], noise_db: float) -> None:
    users, replies, at = [], [], 0.7
    for user_s, latency_s, reply_s in gaps:
        users.append((at, user_s))
        replies.append((at + user_s + latency_s, reply_s))
        at += user_s + latency_s + reply_s + 0.4
    left, right = session(users, replies, noise_db)
    turns = voice_to_voice(left, right, RATE)
    assert [turn.latency_s for turn in turns] == pytest.approx(
        [latency_s for _, latency_s, _ in gaps], abs=0.005
    )


def test_leading_silence_of_the_reply_counts_as_waiting() -> None:
    left, right = session([(0.5, 1.0)], [(2.0, 1.0)])
    faint = round(1.6 * RATE)
    right[faint : round(2.0 * RATE)] += (burst(0.4, -55)[: round(2.0 * RATE) - faint]).astype("f4")
    (turn,) = voice_to_voice(left, right, RATE)
    assert turn.latency_s == pytest.approx(0.5, abs=0.005)


def test_a_pause_inside_a_reply_is_no_turn() -> None:
    left, right = session([(0.5, 1.0)], [(2.0, 1.0), (3.6, 1.0), (4.75, 1.0)])
    assert len(voice_to_voice(left, right, RATE)) == 1


def test_a_pause_inside_the_users_turn_is_no_turn() -> None:
    left, right = session([(0.5, 1.0), (2.1, 0.5)], [(3.0, 1.0)])
    (turn,) = voice_to_voice(left, right, RATE)
    assert turn.latency_s == pytest.approx(0.4, abs=0.005)


def test_an_interruption_is_a_turn_of_its_own() -> None:
    left, right = session([(0.5, 1.0), (2.5, 0.6)], [(2.0, 0.8), (3.6, 1.0)])
    assert [turn.latency_s for turn in voice_to_voice(left, right, RATE)] == pytest.approx(
        [0.5, 0.5], abs=0.005
    )


def test_a_greeting_and_a_click_are_no_turns() -> None:
    left, right = session([(3.0, 1.0)], [(0.5, 1.0), (5.0, 0.5)])
    left[round(0.2 * RATE)] = 0.9
    (turn,) = voice_to_voice(left, right, RATE)
    assert turn.latency_s == pytest.approx(1.0, abs=0.005)


def test_nothing_said_is_no_turn() -> None:
    silence = np.zeros(RATE, np.float32)
    assert voice_to_voice(silence, silence, RATE) == []
    assert voice_to_voice(burst(1).astype(np.float32), silence, RATE) == []


def test_a_file_says_the_same(tmp_path: Path) -> None:
    left, right = session([(0.5, 1.0)], [(2.0, 1.0)])
    path = tmp_path / "session.wav"
    soundfile.write(path, np.stack((left, right), axis=1), RATE, subtype="PCM_16")
    assert measure_file(path) == voice_to_voice(left, right, RATE)


def test_a_file_of_one_channel_is_no_session(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    soundfile.write(path, burst(1), RATE)
    with pytest.raises(InputError, match="1 channel"):
        measure_file(path)
