"""What holds for any order of observations: no turn is lost, or answered twice, or too early."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_turn_machine import Talk
from voicebot_local.events import (
    Apologized,
    Decision,
    InputEnded,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutStarted,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    ReplyText,
    SessionEnded,
    SpeechEnded,
    SpeechStarted,
    StageFailed,
    TalkPressed,
    TalkReleased,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnScored,
    UserTyped,
)
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.settings import TurnSettings

STAGES = st.sampled_from(["recognizer", "chat", "synthesizer"])
SMALL = st.integers(0, 3)
TEXTS = st.sampled_from(["", "yes", "stop", "mm hm", "go on and on"])
ANYTHING = st.one_of(
    st.tuples(st.just("speak"), st.floats(0.03, 1.5)),
    st.tuples(st.just("pause"), st.floats(0.03, 1.5)),
    st.builds(Transcribed, SMALL, SMALL, TEXTS, st.booleans()),
    st.builds(TurnScored, SMALL, st.just("any"), st.floats(0, 1), st.integers(0, 10**6)),
    st.builds(PlayoutStarted, SMALL, SMALL, st.just(0)),
    st.builds(PlayoutFinished, SMALL, SMALL, st.just(0), st.just(0)),
    st.builds(StageFailed, SMALL, SMALL, STAGES, st.just("broken")),
    st.builds(UserTyped, st.just("typed")),
    st.builds(TalkPressed),
    st.builds(TalkReleased),
    # What really belongs to the present turn, so that conversations get somewhere.
    st.tuples(st.just("partial"), TEXTS),
    st.tuples(st.just("answer"), TEXTS),
    st.tuples(st.just("start playing"), st.just("")),
    st.tuples(st.just("play to the end"), st.just("")),
    st.tuples(st.just("fail"), STAGES),
    st.tuples(st.just("ask"), st.just("")),
)
SETTINGS = st.builds(
    TurnSettings,
    mode=st.sampled_from(["open", "open", "push-to-talk"]),
    max_revisions=st.integers(0, 3),
    rejoin_s=st.sampled_from([0.0, 1.0, 8.0]),
    barge_in_words_s=st.sampled_from([0.0, 0.7]),
    barge_in_speech_s=st.sampled_from([0.0, 0.8]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ANYTHING, max_size=40), SETTINGS)
def test_no_turn_is_lost_or_answered_twice(script: list[object], turn: TurnSettings) -> None:
    t = Talk(TurnMachine(turn))
    for step in script:
        take(t, step)
    check(t.made)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANYTHING, max_size=40), SETTINGS)
def test_every_conversation_ends_once_all_is_said(script: list[object], turn: TurnSettings) -> None:
    t = Talk(TurnMachine(turn))
    for step in script:
        take(t, step)
    t.see(InputEnded(t.position))
    for _ in range(4):
        t.pause(4)
        take(t, ("answer", "so be it"))
        take(t, ("play to the end", ""))
    assert [type(d) for d in t.made].count(SessionEnded) == 1
    check(t.made, ended=True)


def take(t: Talk, step: object) -> None:
    machine = t.machine
    match step:
        case ("speak", float(seconds)):
            t.speak(seconds)
        case ("pause", float(seconds)):
            t.pause(seconds)
        case ("partial", str(text)):
            t.partial(machine.turn, machine.part, text)
        case ("answer", str(text)):
            for part in range(machine.part + 1):
                t.final(machine.turn, part, text)
        case ("start playing", _):
            t.see(PlayoutStarted(*newest(t), 0))
        case ("play to the end", _):
            t.see(PlayoutStarted(*newest(t), 0))
            t.see(PlayoutFinished(*newest(t), 0, 0))
        case ("ask", _):
            t.see(ReplyText(*newest(t), "Is it?"))
            t.see(PlayoutPaused(*newest(t), 0.1, True))
        case ("fail", "recognizer"):
            t.see(StageFailed(machine.turn, machine.part, "recognizer", "broken"))
        case ("fail", str(stage)):
            t.see(StageFailed(*newest(t), stage, "broken"))  # type: ignore[arg-type]
        case _:
            t.see(step)  # type: ignore[arg-type]


def newest(t: Talk) -> tuple[int, int]:
    """The newest reply, whether it still counts or not."""
    replies = [
        (d.turn, d.revision)
        for d in t.made
        if isinstance(d, ReplyDrafted | TurnCommitted | Apologized)
    ]
    return replies[-1] if replies else (0, 0)


def check(made: list[Decision], *, ended: bool = False) -> None:
    """`reply` may be heard, `draft` may not; both are (turn, revision)."""
    hearing = reply = draft = None
    draft_text = ""
    paused = False
    revisions: set[tuple[int, int]] = set()
    over: set[int] = set()
    begun: set[int] = set()
    heard_from: dict[int, int] = {}
    audio_to = 0
    for d in made:
        match d:
            case SpeechStarted():
                assert hearing is None
                assert draft is None, "a draft is dropped before the user is heard"
                assert reply is None or paused, "a reply stands still while the user is heard"
                assert reply is None or d.turn != reply[0]
                assert d.turn not in over
                assert d.turn in begun or d.turn == max(begun, default=0) + 1
                if d.again:
                    assert d.audio_from == heard_from[d.turn], "all of it is heard again"
                else:
                    assert d.audio_from >= audio_to, "no audio is heard twice"
                begun.add(d.turn)
                hearing, heard_from[d.turn] = (d.turn, d.part), d.audio_from
            case SpeechEnded():
                assert hearing == (d.turn, d.part)
                hearing, audio_to = None, d.decided_at
            case ReplyDrafted():
                assert hearing is reply is draft is None
                assert d.text
                assert d.turn not in over
                assert (d.turn, d.revision) not in revisions
                revisions.add((d.turn, d.revision))
                draft, draft_text = (d.turn, d.revision), d.text
            case TurnCommitted():
                assert hearing is reply is None
                assert d.turn not in over
                if draft is None:
                    assert (d.turn, d.revision) not in revisions
                else:
                    assert draft == (d.turn, d.revision)
                    assert draft_text == d.text, "the reply is to what was said, all of it"
                begun.add(d.turn)
                revisions.add((d.turn, d.revision))
                reply, draft, paused = (d.turn, d.revision), None, False
            case Apologized():
                assert hearing is reply is draft is None
                assert d.turn not in over
                assert (d.turn, d.revision) not in revisions
                revisions.add((d.turn, d.revision))
                reply, paused = (d.turn, d.revision), False
            case ReplyPaused():
                assert reply == (d.turn, d.revision)
                assert not paused
                paused = True
            case ReplyResumed():
                assert reply == (d.turn, d.revision)
                assert paused
                assert hearing is None
                paused = False
            case ReplyStopped():
                assert (d.turn, d.revision) in (reply, draft)
                assert reply is None or draft is None
                reply = draft = None
                paused = False
            case TurnFinished() | TurnDiscarded():
                assert d.turn not in over
                assert d.turn in begun
                assert hearing is None or hearing[0] != d.turn
                assert draft is None
                over.add(d.turn)
                if isinstance(d, TurnFinished):
                    assert reply is None or reply[0] == d.turn
                    reply, paused = None, False
            case SessionEnded():
                assert d is made[-1]
                assert reply is draft is hearing is None
    present = {max(begun)} if begun else set()
    present |= {reply[0]} if reply else set()
    assert begun - over <= (set() if ended else present), "every turn but the present ones is over"
