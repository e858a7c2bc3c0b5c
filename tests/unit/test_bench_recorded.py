"""What a two-channel recording says, off synthetic ones whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_bench_measure import RATE, burst, session
from voicebot_local.bench.locate import locate
from voicebot_local.bench.measure_only import measure_only
from voicebot_local.bench.recorded import HeardTurn, Meters, turns_of
from voicebot_local.bench.results import results_json
from voicebot_local.bench.spans import Span, read_labels
from voicebot_local.bench.summary import summarize
from voicebot_local.errors import InputError

NEAR = 0.005


def heard(
    users: list[tuple[float, float]],
    replies: list[tuple[float, float]],
    *,
    labels: list[Span] | None = None,
    noise_db: float = -200,
    right_noise_db: float = -200,
) -> list[HeardTurn]:
    left, right = session(users, replies, noise_db)
    hiss = np.random.default_rng(3).standard_normal(len(right)) * 10 ** (right_noise_db / 20)
    return turns_of(Meters.of(left, right + hiss.astype(np.float32), RATE), labels)


def spans(users: list[tuple[float, float]], off_s: float = 0.0) -> list[Span]:
    return [Span(start - off_s, start + length + off_s, "") for start, length in users]


@given(
    gaps=st.lists(
        st.tuples(st.floats(0.3, 2), st.floats(0.2, 1.5), st.floats(0.3, 2)), min_size=1, max_size=3
    ),
    noise_db=st.sampled_from([-200.0, -60.0, -42.0]),
    labelled=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_known_latencies(
    gaps: list[tuple[float, float, float]], noise_db: float, labelled: bool
) -> None:
    users, replies, at = [], [], 0.7
    for user_s, latency_s, reply_s in gaps:
        users.append((at, user_s))
        replies.append((at + user_s + latency_s, reply_s))
        at += user_s + latency_s + reply_s + 0.4
    turns = heard(
        users, replies, labels=spans(users, 0.05) if labelled else None, noise_db=noise_db
    )
    assert [turn.latency_s for turn in turns] == pytest.approx(
        [latency_s for _, latency_s, _ in gaps], abs=NEAR
    )
    assert not any(turn.cut_off for turn in turns)
    assert all(turn.reaction_s is None for turn in turns)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("noise_db", [-200.0, -60.0])
def test_speaking_over_a_reply(labelled: bool, noise_db: float) -> None:
    users = [(0.5, 1.0), (3.0, 1.2)]
    replies = [(2.0, 1.28), (4.9, 1.0)]  # silent 280 ms after the user's first sample
    turns = heard(users, replies, labels=spans(users) if labelled else None, noise_db=noise_db)
    assert [turn.latency_s for turn in turns] == pytest.approx([0.5, 0.7], abs=NEAR)
    assert turns[0].reaction_s is None
    assert turns[1].reaction_s == pytest.approx(0.28, abs=NEAR)


def test_a_reply_that_pauses_and_goes_on_was_not_stopped() -> None:
    users = [(0.5, 1.0), (3.0, 2.0)]
    replies = [(2.0, 1.1), (3.5, 1.0), (5.8, 0.5)]
    second = heard(users, replies, labels=spans(users))[1]
    assert second.reaction_s == pytest.approx(1.5, abs=NEAR)
    assert not second.cut_off
    assert second.latency_s == pytest.approx(0.8, abs=NEAR)


def test_a_reply_inside_a_labelled_turn_is_a_cut_off() -> None:
    users = [(0.5, 0.8), (2.4, 0.8)]  # one turn with a pause, in which the assistant begins
    (turn,) = heard(users, [(2.0, 0.3), (4.0, 1.0)], labels=[Span(0.5, 3.2)])
    assert (turn.cut_off, turn.latency_s) == (True, None)
    assert turn.reply_start == pytest.approx(2.0 * RATE, abs=NEAR * RATE)


def test_without_labels_a_reply_inside_the_sound_is_a_cut_off() -> None:
    first, *_ = heard([(0.5, 3.0)], [(2.0, 0.4), (4.2, 1.0)])
    assert (first.cut_off, first.latency_s) == (True, None)


def test_no_reply_is_no_latency() -> None:
    users = [(0.5, 1.0), (2.5, 1.0)]
    turns = heard(users, [(4.0, 1.0)], labels=spans(users))
    assert (turns[0].reply_start, turns[0].latency_s, turns[0].cut_off) == (None, None, False)
    assert turns[1].latency_s == pytest.approx(0.5, abs=NEAR)


def test_a_loudspeaker_recorded_through_wires_has_a_floor() -> None:
    users = [(0.5, 1.0)]
    (turn,) = heard(users, [(2.1, 1.0)], labels=spans(users), right_noise_db=-50)
    assert turn.latency_s == pytest.approx(0.6, abs=NEAR)


def test_leading_silence_of_the_reply_is_waiting() -> None:
    left, right = session([(0.5, 1.0)], [(2.0, 1.0)])
    faint = burst(0.4, -55).astype(np.float32)
    right[round(1.6 * RATE) : round(1.6 * RATE) + len(faint)] += faint
    (turn,) = turns_of(Meters.of(left, right, RATE), [Span(0.5, 1.5)])
    assert turn.latency_s == pytest.approx(0.5, abs=NEAR)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "0.5\t1.5\thello there\n\\\t100\t8000\n2.5\t3.0\n"),
        (
            "labels.toml",
            '[[turn]]\nstart = 0.5\nend = 1.5\ntext = "hello there"\n'
            "[[turn]]\nstart = 2.5\nend = 3\n",
        ),
    ],
)
def test_labels(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read_labels(path) == [Span(0.5, 1.5, "hello there", "1"), Span(2.5, 3.0, "", "2")]


@pytest.mark.parametrize("content", ["what", "1.0 0.5 backwards", "0 2 a\n1 3 b", "x y z"])
def test_what_is_no_labels(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(content)
    with pytest.raises(InputError):
        read_labels(path)


def test_a_recording_alone_gives_the_same_figures(tmp_path: Path) -> None:
    users = [(0.5, 1.0), (3.0, 1.2)]
    left, right = session(users, [(2.0, 1.28), (4.9, 1.0)])
    path, labels = tmp_path / "theirs.wav", tmp_path / "labels.txt"
    soundfile.write(path, np.stack((left, right), axis=1), RATE, subtype="PCM_16")
    labels.write_text("0.45 1.52 one\n2.98 4.25 two\n")
    for given_labels in (None, labels):
        results = measure_only(path, given_labels)
        (summary,) = summarize(results)
        assert summary.voice_to_voice is not None
        assert summary.voice_to_voice.max == pytest.approx(700, abs=5)
        assert summary.barge_in is not None
        assert summary.barge_in.p50 == pytest.approx(280, abs=5)
        assert json.loads(json.dumps(results_json(results)))["stacks"][0]["name"] == "theirs"


def test_recordings_are_found_where_they_were_played() -> None:
    random = np.random.default_rng(5)
    first, second = (random.standard_normal(RATE).astype(np.float32) * 0.1 for _ in range(2))
    left = np.zeros(10 * RATE, np.float32)
    places = [round(0.37 * RATE), 3 * RATE + 11, round(6.5 * RATE)]
    for place, sound in zip(places, (first, second, first), strict=True):
        left[place : place + RATE] += sound
    assert locate(left, [first, second, first], RATE) == places
    with pytest.raises(InputError, match="not found"):
        locate(left, [second, first, second], RATE)
