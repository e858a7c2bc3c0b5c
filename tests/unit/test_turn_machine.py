"""The turn machine: single decisions, and what holds for any order of observations."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.events import (
    Apologized,
    Decision,
    InputEnded,
    Observation,
    PlayoutFinished,
    PlayoutStarted,
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
from voicebot_local.turns.machine import State, TurnMachine
from voicebot_local.turns.settings import TurnSettings

WINDOW = 512
SETTINGS = TurnSettings()


class Talk:
    """Feeds a machine with audio time and keeps what it decides."""

    def __init__(self, machine: TurnMachine) -> None:
        self.machine = machine
        self.position = 0
        self.made: list[Decision] = []

    def see(self, event: Observation) -> list[Decision]:
        made = self.machine.handle(event)
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

    def final(self, turn: int, part: int, text: str) -> list[Decision]:
        return self.see(Transcribed(turn, part, text, is_final=True))


def talk(turns: int = 0) -> Talk:
    return Talk(TurnMachine(SETTINGS, turns))


def replying(audible: bool = False) -> Talk:
    """A conversation in which the first reply is under way."""
    t = talk()
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    if audible:
        t.see(PlayoutStarted(1, 0, 0))
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


def test_silence_ends_the_turn_at_its_last_speech() -> None:
    t = talk()
    t.speak(1)
    spoken_to = t.position
    (ended,) = t.pause(1)
    assert isinstance(ended, SpeechEnded)
    assert ended.position == spoken_to
    assert 0.7 <= (ended.decided_at - spoken_to) / 16_000 < 0.7 + WINDOW / 16_000


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
    assert t.pause(0.4) == []
    assert t.see(TurnScored(1, "smart-turn", 0.001, t.position)) == []
    assert t.pause(0.6) == []
    assert [type(d) for d in t.pause(1.2)] == [SpeechEnded]


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
    assert [type(d) for d in t.pause(1)] == [SpeechEnded, TurnCommitted]


def test_nothing_understood_is_discarded() -> None:
    t = talk()
    t.speak(1)
    t.pause(1)
    assert t.final(1, 0, "  ") == [TurnDiscarded(1)]
    t.speak(1)
    t.pause(1)
    assert t.final(2, 0, "hello") == [TurnCommitted(2, 0, "hello")]


def test_speech_while_the_transcript_is_awaited_goes_on_with_the_turn() -> None:
    t = talk()
    t.speak(1)
    t.pause(0.8)
    (more,) = t.speak(0.5)
    assert isinstance(more, SpeechStarted)
    assert (more.turn, more.part) == (1, 1)
    ended = next(d for d in t.made if isinstance(d, SpeechEnded))
    assert more.audio_from == ended.decided_at
    assert t.final(1, 0, "what is") == []
    t.pause(1)
    assert t.final(1, 1, "the time") == [TurnCommitted(1, 0, "what is the time")]


def test_speech_before_the_reply_is_audible_takes_it_back() -> None:
    t = replying()
    stopped, started = t.speak(0.2)
    assert stopped == ReplyStopped(1, 0, "resumed")
    assert isinstance(started, SpeechStarted)
    assert (started.turn, started.part) == (1, 1)
    t.pause(1)
    assert t.final(1, 1, "there") == [TurnCommitted(1, 1, "hello there")]


def test_a_cough_before_the_reply_gives_the_same_turn_again() -> None:
    t = replying()
    t.speak(0.2)
    t.pause(1)
    assert t.final(1, 1, "") == [TurnCommitted(1, 1, "hello")]


def test_barge_in_needs_more_speech_and_begins_a_turn() -> None:
    t = replying(audible=True)
    assert t.speak(0.19) == []
    stopped, finished, started = t.speak(0.3)
    assert stopped == ReplyStopped(1, 0, "barge-in")
    assert finished == TurnFinished(1, "interrupted")
    assert isinstance(started, SpeechStarted)
    assert (started.turn, started.part) == (2, 0)


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
    assert t.speak(0.5)[-1] == SessionEnded("1 turns")


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
    assert (discarded, committed) == (TurnDiscarded(1), TurnCommitted(2, 0, "hi"))


STAGES = st.sampled_from(["recognizer", "chat", "synthesizer"])
SMALL = st.integers(0, 3)
ANYTHING = st.one_of(
    st.tuples(st.just("speak"), st.floats(0.03, 1.5)),
    st.tuples(st.just("pause"), st.floats(0.03, 1.5)),
    st.builds(Transcribed, SMALL, SMALL, st.sampled_from(["", "yes", "no"]), st.booleans()),
    st.builds(TurnScored, SMALL, st.just("detector"), st.floats(0, 1), st.integers(0, 10**6)),
    st.builds(PlayoutStarted, SMALL, SMALL, st.just(0)),
    st.builds(PlayoutFinished, SMALL, SMALL, st.just(0), st.just(0)),
    st.builds(StageFailed, SMALL, SMALL, STAGES, st.just("broken")),
    st.builds(UserTyped, st.just("typed")),
    # What really belongs to the present turn, so that conversations get somewhere.
    st.tuples(st.just("answer"), st.sampled_from(["", "go on"])),
    st.tuples(st.just("play"), st.just("")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=40))
def test_no_turn_is_lost_or_answered_twice(script: list[object]) -> None:
    t = talk()
    for step in script:
        match step:
            case ("speak", seconds):
                t.speak(seconds)
            case ("pause", seconds):
                t.pause(seconds)
            case ("answer", text):
                for part in range(t.machine.part + 1):
                    t.final(t.machine.turn, part, text)
            case ("play", _):
                revisions = [d.revision for d in t.made if isinstance(d, TurnCommitted)]
                revision = revisions[-1] if revisions else 0
                t.see(PlayoutStarted(t.machine.turn, revision, 0))
                t.see(PlayoutFinished(t.machine.turn, revision, 0, 0))
            case _:
                t.see(step)
    check(t.made)


def check(made: list[Decision]) -> None:
    hearing: tuple[int, int] | None = None
    reply: tuple[int, int] | None = None
    committed: set[tuple[int, int]] = set()
    over: set[int] = set()
    turn = audio_to = 0
    for d in made:
        match d:
            case SpeechStarted():
                assert hearing is None
                assert reply is None, "a reply is stopped before the user is heard"
                assert d.turn not in over
                assert d.turn in (turn, turn + 1)
                assert d.audio_from >= audio_to, "no audio is heard twice"
                turn, hearing = d.turn, (d.turn, d.part)
            case SpeechEnded():
                assert hearing == (d.turn, d.part)
                hearing, audio_to = None, d.decided_at
            case TurnCommitted() | Apologized():
                assert hearing is None
                assert reply is None
                assert d.turn not in over
                assert (d.turn, d.revision) not in committed
                committed.add((d.turn, d.revision))
                turn, reply = d.turn, (d.turn, d.revision)
            case ReplyStopped():
                assert reply == (d.turn, d.revision)
                reply = None
            case TurnFinished() | TurnDiscarded():
                assert d.turn == turn
                assert d.turn not in over
                over.add(d.turn)
                reply = None
            case _:
                pass
    assert len(over) >= turn - 1, "every turn but the present one is over"
