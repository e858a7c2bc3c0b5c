"""Replies that are drafted while the user may still go on."""

from __future__ import annotations

from tests.unit.test_turn_machine import Talk, talk
from voicebot_local.events import (
    Apologized,
    PlayoutStarted,
    ReplyDrafted,
    ReplyStopped,
    SpeechEnded,
    SpeechStarted,
    StageFailed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    UserTyped,
)
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.states import State


def drafted(settings: TurnSettings | None = None) -> Talk:
    """The user pauses after "hello", and a reply to it is drafted."""
    t = talk(settings=settings or TurnSettings())
    t.speak(1)
    t.pause(0.3)
    assert t.final(1, 0, "hello") == [ReplyDrafted(1, 0, "hello")]
    return t


def test_the_draft_of_the_same_words_is_the_reply() -> None:
    assert drafted().pause(1) == [TurnCommitted(1, 0, "hello")]


def test_speech_drops_the_draft() -> None:
    t = drafted()
    stopped, started = t.speak(0.2)
    assert stopped == ReplyStopped(1, 0, "resumed")
    assert isinstance(started, SpeechStarted)
    t.pause(0.3)
    assert t.final(1, 1, "hello there") == [ReplyDrafted(1, 1, "hello there")]
    assert t.pause(1) == [TurnCommitted(1, 1, "hello there")]


def test_a_dropped_draft_changes_nothing_any_more() -> None:
    t = drafted()
    t.speak(0.2)
    for late in (PlayoutStarted(1, 0, 0), StageFailed(1, 0, "chat", "late")):
        assert t.see(late) == []
    assert t.machine.state is State.HEARING


def test_a_turn_has_so_many_drafts_and_no_more() -> None:
    t = talk(settings=TurnSettings(max_revisions=2, rejoin_s=0))
    for part in range(4):
        t.speak(0.5)
        t.pause(0.35)
        if part == 2:
            continue  # It is still being heard, and ends with the next one.
        t.final(1, min(part, 2), " ".join(f"word{n}" for n in ((part,) if part < 2 else (2, 3))))
    t.pause(1)
    drafts = [d for d in t.made if isinstance(d, ReplyDrafted)]
    assert [d.revision for d in drafts] == [0, 1]
    # Without a draft to come, a short pause does not end a part either.
    assert sum(isinstance(d, SpeechEnded) for d in t.made) == 3
    assert t.made[-1] == TurnCommitted(1, 2, "word0 word1 word2 word3")


def test_nothing_is_drafted_when_that_is_off_or_nothing_was_understood() -> None:
    t = talk(settings=TurnSettings(max_revisions=0))
    t.speak(1)
    t.pause(1)
    assert t.final(1, 0, "hello") == [TurnCommitted(1, 0, "hello")]
    t = talk()
    t.speak(1)
    t.pause(0.3)
    assert t.final(1, 0, "") == []
    assert t.pause(1) == [TurnDiscarded(1)]


def test_a_draft_that_fails_is_tried_again_before_it_is_apologized_for() -> None:
    t = drafted()
    assert t.see(StageFailed(1, 0, "chat", "x")) == [ReplyStopped(1, 0, "failed")]
    assert t.pause(1) == [TurnCommitted(1, 1, "hello")]
    assert t.see(StageFailed(1, 1, "chat", "x")) == [
        ReplyStopped(1, 1, "failed"),
        Apologized(1, 2, "chat"),
    ]


def test_typing_drops_the_draft() -> None:
    t = drafted()
    assert t.see(UserTyped("stop")) == [
        ReplyStopped(1, 0, "typed"),
        TurnDiscarded(1, "typed"),
        TurnCommitted(2, 0, "stop"),
    ]


def test_a_recognizer_that_failed_is_right_when_it_hears_all_of_it_again() -> None:
    t = talk()
    t.speak(1)
    t.see(StageFailed(1, 0, "recognizer", "x"))
    t.pause(0.4)
    t.speak(1)
    t.pause(0.3)
    assert t.final(1, 1, "hello there") == [ReplyDrafted(1, 0, "hello there")]
    assert t.pause(1) == [TurnCommitted(1, 0, "hello there")]


def test_a_draft_may_become_audible_and_end_only_once_it_is_the_reply() -> None:
    t = drafted()
    assert t.see(PlayoutStarted(1, 0, 0)) == []
    t.pause(1)
    assert t.machine.state is State.REPLYING
    assert not any(isinstance(d, TurnFinished) for d in t.made)
