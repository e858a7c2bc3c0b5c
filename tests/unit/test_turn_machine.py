"""The turn machine: single decisions, and what holds for any order of observations."""

from __future__ import annotations

from dataclasses import replace

from voicebot_local.events import (
    Apologized,
    Decision,
    InputEnded,
    Observation,
    PlayoutFinished,
    PlayoutStarted,
    ReplyDrafted,
    ReplyStopped,
    SessionEnded,
    SpeechEnded,
    SpeechStarted,
    StageFailed,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnScored,
    UserTyped,
    VoiceActivity,
)
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.states import State

WINDOW = 512
SETTINGS = TurnSettings()


class Talk:
    """Feeds a machine with audio time and keeps what it decides."""

    def __init__(self, machine: TurnMachine) -> None:
        self.machine = machine
        self.position = 0
        self.made: list[Decision] = []

    def see(self, event: Observation) -> list[Decision]:
        """Where it was decided is left out: a test that is about it asks the machine."""
        made = [
            replace(d, decided_at=0) if isinstance(d, TurnCommitted) else d
            for d in self.machine.handle(event)
        ]
        self.made += made
        return made

    def sound(self, seconds: float, probability: float) -> list[Decision]:
        made: list[Decision] = []
        for _ in range(round(seconds * 16_000 / WINDOW)):
            self.position += WINDOW
            made += self.see(VoiceActivity(self.position, probability, -30.0))
        return made

    def speak(self, seconds: float) -> list[Decision]:
        return self.sound(seconds, 0.9)

    def pause(self, seconds: float) -> list[Decision]:
        return self.sound(seconds, 0.05)

    def partial(self, turn: int, part: int, text: str) -> list[Decision]:
        return self.see(Transcribed(turn, part, text, is_final=False))

    def final(self, turn: int, part: int, text: str) -> list[Decision]:
        return self.see(Transcribed(turn, part, text, is_final=True))


def talk(turns: int = 0, settings: TurnSettings = SETTINGS) -> Talk:
    return Talk(TurnMachine(settings, turns))


def replying(audible: bool = False, settings: TurnSettings = SETTINGS) -> Talk:
    """A conversation in which the first reply is under way."""
    t = talk(settings=settings)
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    if audible:
        t.see(PlayoutStarted(1, 0, 0))
        t.pause(0.5)
    return t


def test_speech_starts_a_turn_with_the_audio_before_it() -> None:
    t = talk()
    t.pause(1)
    (started,) = t.speak(0.5)
    assert isinstance(started, SpeechStarted)
    assert started.position == 31 * WINDOW
    assert started.audio_from == started.position - 8000


def test_a_click_starts_nothing() -> None:
    t = talk()
    assert t.speak(0.064) + t.pause(1) + t.speak(0.064) + t.pause(1) == []


def test_two_stretches_across_a_short_gap_are_one() -> None:
    t = talk()
    assert t.speak(0.064) + t.pause(0.096) == []
    assert [type(d) for d in t.speak(0.064)] == [SpeechStarted]


def test_a_short_silence_ends_the_part_and_a_longer_one_the_turn() -> None:
    t = talk()
    t.speak(1)
    spoken_to = t.position
    (ended,) = t.pause(0.3)
    assert isinstance(ended, SpeechEnded)
    assert ended.position == spoken_to
    assert 0.2 <= (ended.decided_at - spoken_to) / 16_000 < 0.2 + WINDOW / 16_000
    assert t.pause(0.7) == []
    (committed,) = t.machine.handle(Transcribed(1, 0, "tell me a joke", is_final=True))
    assert isinstance(committed, TurnCommitted)
    assert 0.3 <= (committed.decided_at - spoken_to) / 16_000 < 0.9


def test_without_drafts_one_silence_ends_both() -> None:
    t = talk(settings=TurnSettings(max_revisions=0))
    t.speak(1)
    spoken_to = t.position
    (ended,) = t.pause(1)
    assert isinstance(ended, SpeechEnded)
    assert 0.7 <= (ended.decided_at - spoken_to) / 16_000 < 0.7 + WINDOW / 16_000
    assert t.final(1, 0, "hello") == [TurnCommitted(1, 0, "hello")]


def test_doubtful_sound_goes_on_but_does_not_begin() -> None:
    t = talk()
    assert t.sound(1, 0.4) == []
    t.speak(0.5)
    assert t.sound(2, 0.4) == []


def test_words_that_dangle_keep_the_turn_open_and_a_score_can_too() -> None:
    t = talk()
    t.speak(1)
    t.see(Transcribed(1, 0, "i went home and", is_final=False))
    assert t.pause(1.2) == []
    t.speak(1)
    t.see(Transcribed(1, 0, "i went home and slept", is_final=False))
    assert [type(d) for d in t.pause(0.4)] == [SpeechEnded]
    assert [type(d) for d in t.final(1, 0, "i went home and slept")] == [ReplyDrafted]
    assert t.see(TurnScored(1, "smart-turn", 0.001, t.position)) == []
    assert t.pause(0.6) == []
    assert [type(d) for d in t.pause(1.2)] == [TurnCommitted]


def test_a_command_ends_sooner() -> None:
    t = talk()
    t.speak(0.5)
    t.see(Transcribed(1, 0, "stop", is_final=False))
    assert [type(d) for d in t.pause(0.4)] == [SpeechEnded]


def test_a_score_of_what_was_said_before_the_newest_words_is_void() -> None:
    t = talk()
    t.speak(1)
    assert t.see(TurnScored(1, "smart-turn", 0.001, t.position)) == []
    assert [type(d) for d in t.pause(0.8)] == [SpeechEnded]


def test_the_final_transcript_commits_the_turn() -> None:
    t = talk()
    t.speak(1)
    t.pause(1)
    assert t.final(1, 0, " hello ") == [TurnCommitted(1, 0, "hello")]


def test_a_transcript_that_comes_before_the_end_is_kept() -> None:
    t = talk()
    t.speak(1)
    assert t.final(1, 0, "hello") == []
    assert [type(d) for d in t.pause(1)] == [SpeechEnded, ReplyDrafted, TurnCommitted]


def test_nothing_understood_is_discarded() -> None:
    t = talk()
    t.speak(1)
    t.pause(1)
    assert t.final(1, 0, "  ") == [TurnDiscarded(1)]
    t.speak(1)
    t.pause(1)
    assert t.final(2, 0, "hello") == [TurnCommitted(2, 0, "hello")]


def test_speech_while_the_transcript_is_awaited_hears_the_turn_again_as_a_whole() -> None:
    t = talk()
    t.speak(1)
    t.pause(0.8)
    (more,) = t.speak(0.5)
    assert isinstance(more, SpeechStarted)
    assert (more.turn, more.part, more.again, more.audio_from) == (1, 1, True, 0)
    assert t.final(1, 0, "what") == []
    t.pause(1)
    assert t.final(1, 1, "what is the time") == [TurnCommitted(1, 0, "what is the time")]


def test_what_was_said_long_before_is_not_heard_again() -> None:
    for settings in (SETTINGS, TurnSettings(rejoin_s=0)):
        t = talk(settings=settings)
        t.speak(9)
        t.pause(0.3)
        (more,) = t.speak(0.5)
        assert isinstance(more, SpeechStarted)
        ended = next(d for d in t.made if isinstance(d, SpeechEnded))
        assert (more.audio_from, more.again) == (ended.decided_at, False)
        assert t.final(1, 0, "what is") == []
        t.pause(1)
        assert t.final(1, 1, "the time") == [TurnCommitted(1, 0, "what is the time")]


def test_speech_before_the_reply_is_audible_takes_it_back() -> None:
    t = replying()
    stopped, started = t.speak(0.2)
    assert stopped == ReplyStopped(1, 0, "resumed")
    assert isinstance(started, SpeechStarted)
    assert (started.turn, started.part, started.again) == (1, 1, True)
    t.pause(1)
    assert t.final(1, 1, "hello there") == [TurnCommitted(1, 1, "hello there")]


def test_speech_that_began_before_the_reply_was_audible_takes_it_back_too() -> None:
    t = replying()
    t.speak(0.06)
    t.see(PlayoutStarted(1, 0, 0))
    stopped, started = t.speak(0.1)
    assert stopped == ReplyStopped(1, 0, "resumed")
    assert isinstance(started, SpeechStarted)
    assert (started.turn, started.part) == (1, 1)


def test_nothing_is_committed_while_somebody_may_have_begun_to_speak() -> None:
    t = talk()
    t.speak(1)
    t.pause(0.5)
    t.final(1, 0, "tell me more of it")
    t.speak(0.064)
    assert t.machine.state is State.PAUSING or t.machine.state is State.DECIDING
    before = len(t.made)
    assert t.pause(0.12) == []
    assert [type(d) for d in t.pause(0.5)] == [TurnCommitted]
    assert len(t.made) == before + 1


def test_a_cough_before_the_reply_gives_the_same_turn_again() -> None:
    t = replying()
    t.speak(0.2)
    t.pause(1)
    assert t.final(1, 1, "hello") == [TurnCommitted(1, 1, "hello")]


def test_a_played_reply_completes_the_turn() -> None:
    t = replying(audible=True)
    assert t.see(PlayoutFinished(1, 0, 99, 99)) == [TurnFinished(1, "completed")]
    assert t.machine.state is State.IDLE


def test_stale_work_changes_nothing() -> None:
    t = replying()
    t.speak(0.2)
    assert t.see(PlayoutStarted(1, 0, 5)) == []
    assert t.see(PlayoutFinished(1, 0, 9, 9)) == []
    assert t.see(StageFailed(1, 0, "chat", "late")) == []
    assert t.final(7, 0, "what") == []


def test_failures_are_apologized_for_once() -> None:
    t = replying()
    assert t.see(StageFailed(1, 0, "chat", "x")) == [
        ReplyStopped(1, 0, "failed"),
        Apologized(1, 1, "chat"),
    ]
    assert t.see(StageFailed(1, 1, "synthesizer", "y")) == [
        ReplyStopped(1, 1, "failed"),
        TurnFinished(1, "failed"),
    ]


def test_a_recognizer_that_fails_while_the_user_speaks_is_told_after() -> None:
    t = talk()
    t.speak(1)
    assert t.see(StageFailed(1, 0, "recognizer", "x")) == []
    ended, apology = t.pause(1)
    assert isinstance(ended, SpeechEnded)
    assert apology == Apologized(1, 0, "recognizer")
    t.see(PlayoutStarted(1, 0, 0))
    assert t.see(PlayoutFinished(1, 0, 9, 9)) == [TurnFinished(1, "failed")]


def test_the_session_ends_after_the_input() -> None:
    t = replying(audible=True)
    assert t.see(InputEnded(t.position)) == []
    assert t.see(PlayoutFinished(1, 0, 9, 9)) == [
        TurnFinished(1, "completed"),
        SessionEnded("end of input"),
    ]
    assert t.speak(2) == []


def test_the_session_ends_after_so_many_turns_even_when_interrupted() -> None:
    t = talk(turns=1)
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    t.see(PlayoutStarted(1, 0, 0))
    t.pause(0.5)
    t.speak(0.5)
    made = t.partial(2, 0, "stop")
    assert [type(d) for d in made[:2]] == [ReplyStopped, TurnFinished]
    assert made[-2:] == [TurnDiscarded(2, "listening"), SessionEnded("1 turns")]


def test_the_session_ends_after_so_many_turns_even_when_one_fails_under_a_sound() -> None:
    t = talk(turns=1)
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    t.see(PlayoutStarted(1, 0, 0))
    t.pause(0.5)
    t.speak(0.2)
    made = t.see(StageFailed(1, 0, "synthesizer", "x"))
    assert made[:2] == [ReplyStopped(1, 0, "failed"), TurnFinished(1, "failed")]
    assert made[-2:] == [TurnDiscarded(2, "listening"), SessionEnded("1 turns")]


def test_typing_interrupts_and_replaces() -> None:
    t = replying(audible=True)
    assert t.see(UserTyped("stop")) == [
        ReplyStopped(1, 0, "typed"),
        TurnFinished(1, "interrupted"),
        TurnCommitted(2, 0, "stop"),
    ]
    other = talk()
    other.speak(1)
    ended, discarded, committed = other.see(UserTyped("hi"))
    assert isinstance(ended, SpeechEnded)
    assert (discarded, committed) == (TurnDiscarded(1, "typed"), TurnCommitted(2, 0, "hi"))
