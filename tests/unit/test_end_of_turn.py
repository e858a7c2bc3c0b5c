"""The end of a turn by evidence: words, scores, silence and the speaker's own pauses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.turns.end_of_turn import SMART_TURN, EndOfTurn
from voicebot_local.turns.settings import TurnSettings

SETTINGS = TurnSettings()


def after(text: str, *, final: bool = False, score: float | None = None) -> EndOfTurn:
    end = EndOfTurn(SETTINGS)
    end.begin()
    end.heard(text, final)
    if score is not None:
        end.scored(SMART_TURN, score, 0)
    return end


def test_nothing_known_waits_as_configured() -> None:
    end = EndOfTurn(SETTINGS)
    assert (end.eager_s, end.wait_s) == pytest.approx((0.2, 0.7))
    assert end.probability == 0.5


@pytest.mark.parametrize("text", ["i went there and", "tell me um", "we talked about the", "go to"])
@pytest.mark.parametrize("score", [None, 0.001, 0.5, 1.0])
def test_a_pause_after_a_dangling_word_does_not_end_the_turn(text: str, score: float) -> None:
    end = after(text, final=True, score=score)
    assert end.wait_s > 1.2
    assert end.eager_s > 0.7


def test_a_detector_alone_keeps_a_turn_open() -> None:
    assert after("the weather there", score=0.005).wait_s > 1.0


@pytest.mark.parametrize("text", ["stop", "Yes.", "no thank you"])
def test_commands_and_answers_do_not_wait(text: str) -> None:
    assert after(text, final=True).wait_s == SETTINGS.least_silence_s


def test_a_complete_question_waits_less_and_with_the_detector_least() -> None:
    asked = after("what is the capital of france", final=True)
    assert SETTINGS.least_silence_s < asked.wait_s <= 0.45
    assert after("what is the capital of france", final=True, score=0.9).wait_s == 0.3


def test_partial_words_end_no_turn_before_the_recognizer_may_have_caught_up() -> None:
    settings = TurnSettings(transcript_lag_s=0.6)
    end = EndOfTurn(settings)
    end.heard("yes", final=False)
    assert end.wait_s == 0.6
    end.heard("yes", final=True)
    assert end.wait_s == 0.3
    end.resumed(0.1)
    assert end.wait_s == 0.6
    end.heard("yes but", final=False)
    assert end.wait_s > 1


def test_words_of_which_the_recognizer_is_unsure_only_lengthen_the_wait() -> None:
    end = EndOfTurn(SETTINGS)
    waits = []
    for confidence in (None, 0.9, 0.1):
        end.heard("stop", final=True, confidence=confidence)
        waits.append(end.wait_s)
    assert waits == pytest.approx([0.3, 0.3, 0.7])
    end.heard("to the", final=True, confidence=0.1)
    assert end.wait_s > 1.5


def test_scores_move_the_wait_both_ways_around_their_threshold() -> None:
    waits = [after("", score=score).wait_s for score in (0.001, 0.01, 0.1, 0.3, 0.9)]
    assert waits == sorted(waits, reverse=True)
    assert waits[2] == pytest.approx(0.7)
    hosted = EndOfTurn(SETTINGS)
    hosted.scored("assemblyai", SETTINGS.hosted_threshold, 0)
    assert hosted.wait_s == pytest.approx(0.7)


def test_two_detectors_are_averaged() -> None:
    end = EndOfTurn(SETTINGS)
    end.scored(SMART_TURN, 0.9999, 0)
    end.scored("assemblyai", 0.0001, 0)
    assert end.evidence == pytest.approx((SETTINGS.most_for - SETTINGS.most_against) / 2)


def test_scores_end_with_any_gap_and_words_with_a_pause() -> None:
    end = after("and", score=0.001)
    end.resumed(0.1)
    assert end.evidence == -SETTINGS.unfinished_words
    end.resumed(0.4)
    assert end.evidence == 0
    end.heard("and", final=False)
    assert end.evidence == -SETTINGS.unfinished_words
    end.begin()
    assert end.evidence == 0


def test_the_wait_follows_the_speaker_within_limits() -> None:
    slow, quick = EndOfTurn(SETTINGS), EndOfTurn(SETTINGS)
    for _ in range(50):
        slow.resumed(1.5)
        quick.resumed(0.21)
    assert slow.pause_s == SETTINGS.most_pause_s
    assert quick.pause_s == SETTINGS.least_pause_s
    assert slow.wait_s == pytest.approx(0.7 * 0.8 / 0.5)
    assert quick.wait_s == pytest.approx(0.7 * 0.35 / 0.5)


def test_one_pause_counts_a_tenth_and_articulation_not_at_all() -> None:
    end = EndOfTurn(SETTINGS)
    end.resumed(0.6)
    assert end.pause_s == pytest.approx(0.9 * 0.5 + 0.1 * 0.6)
    before = end.pause_s
    end.resumed(0.1)
    assert end.pause_s == before


def test_a_configured_silence_outside_the_limits_is_kept() -> None:
    assert EndOfTurn(TurnSettings(end_silence_s=0.2)).wait_s == pytest.approx(0.2)
    assert EndOfTurn(TurnSettings(end_silence_s=5)).wait_s == pytest.approx(5)


TEXTS = st.sampled_from(["", "stop", "and", "what is the time", "um", "turn it on", "hello there"])
STEPS = st.one_of(
    st.tuples(st.just("heard"), TEXTS, st.booleans()),
    st.tuples(st.just("scored"), st.sampled_from([SMART_TURN, "other"]), st.floats(0, 1)),
    st.tuples(st.just("resumed"), st.floats(0, 60)),
    st.tuples(st.just("begin")),
)


@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_a_turn_ends_within_the_limits(steps: list[tuple[object, ...]]) -> None:
    end = EndOfTurn(SETTINGS)
    for step in steps:
        match step:
            case ("heard", str(text), bool(final)):
                end.heard(text, final)
            case ("scored", str(source), float(probability)):
                end.scored(source, probability, 0)
            case ("resumed", float(pause_s)):
                end.resumed(pause_s)
            case _:
                end.begin()
        assert SETTINGS.least_silence_s <= end.wait_s <= SETTINGS.most_silence_s
        assert 0 < end.eager_s <= end.wait_s
        assert SETTINGS.least_pause_s <= end.pause_s <= SETTINGS.most_pause_s
        assert 0 <= end.probability <= end.probability_after(end.wait_s) <= 1


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_score_never_waits_longer(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert after("", score=high).wait_s <= after("", score=low).wait_s


def test_a_usual_pause_of_silence_is_a_unit_of_log_odds() -> None:
    end = EndOfTurn(SETTINGS)
    after_one = end.probability_after(SETTINGS.pause_s)
    assert math.log(after_one / (1 - after_one)) == pytest.approx(1)
