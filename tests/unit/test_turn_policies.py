"""The arithmetic of endpointing-eval, on cases worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.bench.turns.evidence import detected, ended, hear, weighed, without_scores
from voicebot_local.bench.turns.labels import LabelledTurn, read_turns
from voicebot_local.bench.turns.policies import (
    Point,
    Silence,
    budgets,
    frontier,
    outcome,
    silence_only,
    sweep,
)
from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples, Word
from voicebot_local.turns.settings import TurnSettings

SETTINGS = TurnSettings()
PAUSES = [Silence(length) for length in (0.25, 0.5, 0.75, 1.5)]
END = Silence(None)


def always(length_s: float | None, probability: float) -> Silence:
    return Silence(length_s, tuple((step / 10, probability) for step in range(1, 21)))


def test_silence_alone_cuts_off_every_pause_longer_than_its_timeout() -> None:
    points = silence_only([*PAUSES, END])
    at = {round(point.latency_s, 1): point.cut_offs for point in points}
    assert (at[0.2], at[0.3], at[0.5], at[0.7], at[0.8], at[1.5]) == (1, 0.75, 0.5, 0.5, 0.25, 0)


def test_a_pause_as_long_as_the_timeout_is_not_cut_off() -> None:
    assert outcome([Silence(0.7), Silence(0.70001)], [0.7, 0.7]) == Point(0.5, 0.0)


def test_silence_alone_under_the_budgets() -> None:
    best = budgets(silence_only([*PAUSES, END]))
    assert (best.cut_offs_at_300_ms, best.cut_offs_at_600_ms) == (0.75, 0.5)
    assert best.latency_at_5_percent_s == best.latency_at_10_percent_s == 1.5


def test_a_perfect_detector_never_waits_and_never_cuts_off() -> None:
    silences = [always(pause.length_s, 0.0) for pause in PAUSES] + [always(None, 1.0)]
    best = budgets(sweep(silences))
    assert (best.cut_offs_at_300_ms, best.cut_offs_at_600_ms) == (0, 0)
    assert best.latency_at_5_percent_s == pytest.approx(0.1)


def test_a_detector_that_always_says_the_same_is_silence_alone() -> None:
    silences = [always(pause.length_s, 0.5) for pause in PAUSES] + [always(None, 0.5)]
    assert budgets(sweep(silences)) == budgets(silence_only(silences))


def test_half_of_the_ends_found_is_half_of_the_wait_saved() -> None:
    silences = [always(1.55, 0.1)] * 10 + [always(None, 0.9), always(None, 0.1)]
    assert budgets(sweep(silences)).latency_at_5_percent_s == pytest.approx((0.1 + 1.6) / 2)


def test_a_score_before_the_least_silence_does_not_count() -> None:
    early = Silence(0.45, ((0.1, 0.9), (0.2, 0.0), (0.3, 0.0), (0.4, 0.0)))
    best = budgets(sweep([early, always(None, 0.9)]))
    assert best.cut_offs_at_300_ms == 0
    assert best.latency_at_5_percent_s == pytest.approx(0.2)


def test_without_a_policy_in_the_budget_there_is_no_figure() -> None:
    assert budgets([Point(0.5, 2.0)]).cut_offs_at_600_ms is None
    assert budgets([Point(0.5, 2.0)]).latency_at_10_percent_s is None


def test_odd_pauses_are_not_judged() -> None:
    lengths = (0.1, 0.2, 5.0, 5.1, None)
    assert [Silence(length).judged for length in lengths] == [False, True, True, False, True]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 4)), min_size=1, max_size=30))
def test_no_point_beats_the_frontier(values: list[tuple[float, float]]) -> None:
    points = [Point(*value) for value in values]
    best = frontier(points)
    assert set(best) <= set(points)
    for point in points:
        assert any(b.cut_offs <= point.cut_offs and b.latency_s <= point.latency_s for b in best)
    assert budgets(best) == budgets(points)


@given(
    st.lists(
        st.builds(always, st.one_of(st.none(), st.floats(0.2, 5)), st.floats(0, 1)),
        min_size=1,
        max_size=12,
    )
)
def test_a_detector_is_never_worse_than_silence(silences: list[Silence]) -> None:
    plain, swept = budgets(silence_only(silences)), budgets(sweep(silences))
    for name in ("latency_at_5_percent_s", "cut_offs_at_300_ms"):
        before, after = getattr(plain, name), getattr(swept, name)
        assert before is None or after <= before + 1e-9


# --- what is known when ---


class LengthJudge:
    """Says how many seconds it heard, as thousandths."""

    def probability(self, samples: Samples) -> float:
        return round(len(samples) / 16_000_000, 6)


TURN = LabelledTurn(
    Path("x.wav"),
    ((1.0, 1.75),),
    3.0,
    (Word("wait", 0.2, 0.5), Word("and", 0.6, 0.9), Word("stop", 2.5, 3.0)),
)


def test_nothing_is_known_before_its_time() -> None:
    pause, end = hear(TURN, np.zeros(3 * 16_000, np.float32), 0.3, LengthJudge())
    assert pause.length_s == pytest.approx(0.75)
    assert [text for _, text, _ in pause.moments] == ["wait"] * 1 + ["wait and"] * 6
    assert [score for _, _, score in pause.moments][:2] == [0.0011, 0.0012]
    assert end.length_s is None
    assert [text for _, text, _ in end.moments][:3] == ["wait and", "wait and", "wait and stop"]
    assert end.moments[-1][::2] == (2.0, 0.005)


def test_the_rule_of_the_program_is_that_of_a_conversation() -> None:
    heard = list(hear(TURN, np.zeros(1, np.float32), 0.3, None))
    pause_s, end_s = ended(heard, SETTINGS)
    assert pause_s > 0.75, "it waits after `and`"
    assert end_s > 0.7, "the speaker pauses for long"
    command = LabelledTurn(Path("x.wav"), (), 0.5, (Word("stop", 0.1, 0.5),))
    (after_s,) = ended(list(hear(command, np.zeros(1, np.float32), 0.3, None)), SETTINGS)
    assert after_s == pytest.approx(0.3)


def test_unknown_words_and_no_scores_are_silence_alone() -> None:
    quiet = LabelledTurn(Path("x.wav"), ((1.0, 1.75),), 3.0)
    heard = list(hear(quiet, np.zeros(1, np.float32), 0.3, None))
    assert ended(heard, SETTINGS)[0] == SETTINGS.end_silence_s
    assert {p for silence in weighed(heard, SETTINGS) for _, p in silence.scores} == {0.5}
    assert all(not silence.scores for silence in detected(heard))


def test_scores_and_words_are_told_apart() -> None:
    heard = list(hear(TURN, np.zeros(1, np.float32), 0.3, LengthJudge()))
    assert all(score is None for one in without_scores(heard) for _, _, score in one.moments)
    words, both = weighed(without_scores(heard), SETTINGS), weighed(heard, SETTINGS)
    assert both[0].scores[3][1] < words[0].scores[3][1] < 0.5


# --- the labels ---


def write(directory: Path, label: object, name: str = "a") -> Path:
    soundfile.write(directory / f"{name}.wav", np.full(16_000, 0.1, np.float32), 16_000)
    (directory / f"{name}.json").write_text(json.dumps(label))
    return directory


def test_labels_in_both_forms(tmp_path: Path) -> None:
    words = [{"text": "hi", "start": 0, "end": 0.4}]
    write(tmp_path, {"pauses": [[0.5, 0.7]], "end": 0.9, "words": words}, "a")
    spans = [{"start": 0.5, "end": 0.7}, {"start": 0.9, "end": 2.0}]
    write(tmp_path, {"silence_spans": spans, "words": words}, "b")
    one, other = read_turns(tmp_path)
    assert (one.pauses, one.end_s, one.words) == (other.pauses, other.end_s, other.words)
    assert one.said_by(0.39) == ""
    assert one.said_by(0.4) == "hi"


@pytest.mark.parametrize(
    "label",
    [
        {},
        [],
        {"pauses": [], "end": "late"},
        {"pauses": [[0.5]], "end": 1},
        {"pauses": [[0.5, 0.4]], "end": 1},
        {"pauses": [[0.5, 0.7], [0.6, 0.8]], "end": 1},
        {"pauses": [[0.5, 1.5]], "end": 1},
        {"pauses": [], "end": -1},
        {"silence_spans": []},
        {"pauses": [], "end": 1, "words": [{"text": "x"}]},
    ],
)
def test_labels_that_make_no_sense_are_told(tmp_path: Path, label: object) -> None:
    with pytest.raises(InputError, match=r"a\.json"):
        read_turns(write(tmp_path, label))


def test_a_label_without_a_recording_and_a_directory_without_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled recordings"):
        read_turns(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match="no recording of that name"):
        read_turns(tmp_path)
