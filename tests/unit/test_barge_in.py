"""Sounds over a reply: what stops it, and what it goes on after."""

from __future__ import annotations

import pytest

from tests.unit.test_turn_machine import Talk, replying
from voicebot_local.events import (
    Apologized,
    Decision,
    PlayoutFinished,
    PlayoutPaused,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    ReplyText,
    SpeechEnded,
    SpeechStarted,
    StageFailed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    UserTyped,
)
from voicebot_local.turns.barge_in import BargeIn, Overlap
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.interjections import Interjections, words_of
from voicebot_local.turns.overlapping import Overlapping
from voicebot_local.turns.parts import Parts
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.states import State
from voicebot_local.turns.turn import Turn

SETTINGS = TurnSettings()


def judge(
    text: str,
    voiced_s: float = 0.3,
    since_s: float = 0.4,
    *,
    complete: bool = False,
    sure: str | None = None,
) -> str | None:
    sure = text if sure is None else sure
    return BargeIn(SETTINGS).judge(Overlap(since_s, voiced_s, voiced_s, text, sure, complete))


@pytest.mark.parametrize(
    "text", ["stop", "Stop!", "no", "wait wait", "yeah no", "hold on", "oh stop"]
)
def test_stop_words_yield_at_once(text: str) -> None:
    assert judge(text, 0.1, 0.15) == "yield"


@pytest.mark.parametrize("text", ["what about", "good night", "yeah but why", "right so what"])
def test_words_yield(text: str) -> None:
    assert judge(text) == "yield"


@pytest.mark.parametrize(
    "text",
    ["mm-hm", "yeah", "Right.", "uh huh", "I see", "yeah yeah yeah", "okay, got it", "", "hat"],
)
def test_signs_of_listening_and_single_words_go_on_once_they_are_over(text: str) -> None:
    assert judge(text) is None
    assert judge(text, complete=True) == "go on"


def test_words_that_the_recognizer_doubts_do_not_yield() -> None:
    starter = BargeIn(TurnSettings(barge_in_confidence=0.15))
    for confidence, verdict in ((0.1, "go on"), (0.2, "yield"), (None, "yield")):
        over = Overlap(0.9, 0.5, 0.5, "you do", "you do", complete=True, confidence=confidence)
        assert starter.judge(over) == verdict
    stop = Overlap(0.9, 0.5, 0.5, "stop", "stop", complete=True, confidence=0.1)
    assert starter.judge(stop) == "yield"


@pytest.mark.parametrize(
    ("text", "lasted_s", "confidence", "verdict"),
    [
        ("oak you", 0.5, 0.9, "go on"),
        ("tell me more", 0.69, 0.9, "go on"),
        ("tell me more", 0.71, 0.9, "yield"),
        ("who are you", 0.5, 0.9, "yield"),
        ("who are you", 0.5, None, "yield"),
        ("who are you", 0.5, 0.3, "go on"),
        ("what color is the", 0.5, 0.9, "go on"),
        ("hold on", 0.3, 0.01, "yield"),
    ],
)
def test_words_may_have_to_last_unless_they_are_a_whole_question(
    text: str, lasted_s: float, confidence: float | None, verdict: str
) -> None:
    starter = BargeIn(TurnSettings(barge_in_words_s=0.7, barge_in_confidence=0.15))
    over = Overlap(0.9, lasted_s / 2, lasted_s, text, text, complete=True, confidence=confidence)
    assert starter.judge(over) == verdict


def test_a_question_that_may_go_on_is_not_whole_yet() -> None:
    starter = BargeIn(TurnSettings(barge_in_words_s=0.7))
    assert starter.judge(Overlap(0.6, 0.5, 0.5, "who are you", "who are", complete=False)) is None


def test_what_an_echo_hides_of_a_sound_counts_as_lasting() -> None:
    run = SpeechRun(SETTINGS)
    windows = [0.9] * 5 + [0.1] * 4 + [0.9] * 5 + [0.1] * 3
    for number, probability in enumerate(windows[:5]):
        run.push((number + 1) * 512, probability)
    over = Overlapping(Turn(1), run, Parts(SETTINGS, run), SETTINGS)
    for number, probability in enumerate(windows[5:], 5):
        voiced_s = run.voiced_s
        run.push((number + 1) * 512, probability)
        over.goes_on(run.voiced_s - voiced_s)
    seen = over.known
    assert (seen.since_s, seen.voiced_s, seen.lasted_s) == pytest.approx((0.544, 0.32, 0.448))


def test_words_that_may_still_become_one_do_not_yield() -> None:
    assert judge("oak you", sure="oak") is None
    assert judge("okay", sure="", complete=True) == "go on"


def test_lasting_speech_yields_where_words_do_not_come() -> None:
    assert judge("", voiced_s=0.79) is None
    assert judge("", voiced_s=0.8) == "yield"
    assert judge("hat", voiced_s=0.8) == "yield"
    assert judge("yeah yeah right", voiced_s=0.8) is None
    assert judge("", voiced_s=0.8, complete=True) == "go on", "its words are known: there are none"
    never = BargeIn(TurnSettings(barge_in_speech_s=0))
    assert never.judge(Overlap(1.9, 1.9, 1.9, "", "", complete=False)) is None


def test_without_words_it_goes_on_after_a_while() -> None:
    assert judge("", 0.3, 1.99) is None
    assert judge("", 0.3, 2.0) == "go on"


def test_lists_can_be_set_and_a_language_without_lists_has_none() -> None:
    own = TurnSettings(stop_words=("hush now",), backchannels=("indeed",))
    lists = Interjections.of(own)
    assert lists.stops_in(words_of("oh Hush now"))
    assert not lists.stops_in(words_of("hush"))
    assert lists.without_backchannels(words_of("indeed yes")) == ["yes"]
    unknown = Interjections.of(TurnSettings(language="xx"))
    assert not unknown.stops_in(["stop"])
    assert unknown.without_backchannels(["yeah"]) == ["yeah"]


def overlapped(settings: TurnSettings = SETTINGS) -> Talk:
    t = replying(audible=True, settings=settings)
    assert t.speak(0.06) == []
    paused, started = t.speak(0.03)
    assert paused == ReplyPaused(1, 0)
    assert isinstance(started, SpeechStarted)
    assert (started.turn, started.part, started.again) == (2, 0, False)
    assert (t.position - started.audio_from) / 16_000 >= 0.3
    return t


def kinds(made: list[Decision]) -> list[type]:
    return [type(d) for d in made]


def test_words_over_the_reply_are_the_next_turn() -> None:
    t = overlapped()
    t.speak(0.2)
    assert t.partial(2, 0, "what about") == []
    assert t.partial(2, 0, "what about france") == []
    assert t.partial(2, 0, "what about france then") == [
        ReplyStopped(1, 0, "barge-in"),
        TurnFinished(1, "interrupted"),
    ]
    t.speak(0.5)
    t.pause(0.3)
    t.final(2, 0, "what about france")
    assert t.pause(1) == [TurnCommitted(2, 0, "what about france")]


def test_a_sign_of_listening_is_dropped_and_the_reply_goes_on() -> None:
    t = overlapped()
    t.partial(2, 0, "mm")
    (ended,) = t.pause(0.4)
    assert isinstance(ended, SpeechEnded)
    assert t.final(2, 0, "mm hm") == [TurnDiscarded(2, "listening"), ReplyResumed(1, 0)]
    assert t.machine.state is State.REPLYING
    t.pause(1)
    assert t.see(PlayoutFinished(1, 0, 9, 9)) == [TurnFinished(1, "completed")]
    t.speak(1)
    t.pause(1)
    assert t.final(3, 0, "thanks") == [TurnCommitted(3, 0, "thanks")]


@pytest.mark.parametrize(
    ("reply", "left_s", "complete", "text", "answers"),
    [
        ("Shall I go on?", 0.3, True, "yes", True),
        ("Shall I go on? ", 0.7, True, "okay", True),
        ("Shall I go on?", 0.3, True, "", False),
        ("Shall I go on?", 0.8, True, "yes", False),
        ("Shall I go on?", 0.3, False, "yes", False),
        ("So I go on.", 0.3, True, "yes", False),
    ],
)
def test_words_over_the_end_of_a_question_are_the_answer(
    reply: str, left_s: float, complete: bool, text: str, answers: bool
) -> None:
    t = replying(audible=True)
    for word in reply.split(" "):
        t.see(ReplyText(1, 0, f"{word} "))
    t.speak(0.15)
    assert t.see(PlayoutPaused(1, 0, left_s, complete)) == []
    t.pause(0.4)
    made = kinds(t.final(2, 0, text))
    if answers:
        assert made[:2] == [ReplyStopped, TurnFinished]
        t.pause(1)
        assert t.made[-1] == TurnCommitted(2, 0, text)
    else:
        assert made == [TurnDiscarded, ReplyResumed]


def test_a_noise_without_words_pauses_the_reply_for_two_seconds_at_most() -> None:
    t = overlapped()
    made = t.pause(3)
    assert kinds(made) == [SpeechEnded, TurnDiscarded, ReplyResumed]
    assert t.final(2, 0, "late words") == []


def test_a_noise_that_goes_on_does_not_pause_it_again() -> None:
    t = overlapped(TurnSettings(barge_in_speech_s=0))
    assert kinds(t.speak(4)) == [SpeechEnded, TurnDiscarded, ReplyResumed]
    t.pause(0.3)
    assert kinds(t.speak(0.2)) == [ReplyPaused, SpeechStarted]


def test_a_second_word_after_a_gap_counts_as_well() -> None:
    t = overlapped()
    t.pause(0.4)
    (again,) = t.speak(0.2)
    assert isinstance(again, SpeechStarted)
    assert (again.turn, again.part, again.again) == (2, 1, True)
    assert kinds(t.partial(2, 1, "oh stop")) == [ReplyStopped, TurnFinished]


def test_speech_without_partial_words_yields_by_its_length() -> None:
    t = overlapped()
    assert kinds(t.speak(1)) == [ReplyStopped, TurnFinished]
    t.pause(1)
    assert t.final(2, 0, "what about france") == [TurnCommitted(2, 0, "what about france")]


def test_a_reply_that_had_ended_is_over_and_the_user_goes_on() -> None:
    t = overlapped()
    assert t.see(PlayoutFinished(1, 0, 9, 9)) == [TurnFinished(1, "completed")]
    assert t.machine.state is State.HEARING
    t.speak(0.5)
    t.pause(0.3)
    t.final(2, 0, "yes")
    assert t.pause(1) == [TurnCommitted(2, 0, "yes")]


def test_a_recognizer_that_fails_leaves_only_the_length_to_go_by() -> None:
    t = overlapped()
    t.see(StageFailed(2, 0, "recognizer", "x"))
    assert kinds(t.pause(0.4)) == [SpeechEnded, TurnDiscarded, ReplyResumed]
    t = overlapped()
    t.see(StageFailed(2, 0, "recognizer", "x"))
    assert kinds(t.speak(0.8)) == [ReplyStopped, TurnFinished]
    assert kinds(t.pause(1)) == [SpeechEnded, Apologized]


def test_a_reply_that_fails_while_it_stands_still_gives_way() -> None:
    t = overlapped()
    assert t.see(StageFailed(1, 0, "synthesizer", "x")) == [
        ReplyStopped(1, 0, "failed"),
        TurnFinished(1, "failed"),
    ]
    assert t.machine.state is State.HEARING


def test_typing_ends_reply_and_sound() -> None:
    t = overlapped()
    made = t.see(UserTyped("enough"))
    assert kinds(made) == [ReplyStopped, TurnFinished, SpeechEnded, TurnDiscarded, TurnCommitted]
    assert made[-1] == TurnCommitted(3, 0, "enough")
