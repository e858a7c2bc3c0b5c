"""What the screen shows, from logs written by hand."""

from __future__ import annotations

import io

from rich.console import Console

from voicebot_local.cli.display import Display
from voicebot_local.cli.lines import Lines
from voicebot_local.cli.view import View
from voicebot_local.events import (
    CardLost,
    ClauseReady,
    EngineLoaded,
    Entry,
    Event,
    PlayoutFinished,
    PlayoutStarted,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    SessionEnded,
    SessionStarted,
    SpeechEnded,
    SpeechProduced,
    SpeechStarted,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    VoiceActivity,
)
from voicebot_local.metrics import TurnReport

TURN: list[tuple[float, Event]] = [
    (0.0, EngineLoaded("chat", "llama_cpp", "cpu", 0.2)),
    (0.1, SessionStarted("a recording", 24_000, "starter")),
    (0.5, VoiceActivity(8_000, 0.9, -30.0)),
    (0.6, SpeechStarted(1, 0, 7_000, 0)),
    (1.0, Transcribed(1, 0, "what is the", False)),
    (1.4, Transcribed(1, 0, "what is the time", False)),
    (2.0, SpeechEnded(1, 0, 20_000, 31_200)),
    (2.1, Transcribed(1, 0, "what is the time", True)),
    (2.1, TurnCommitted(1, 0, "what is the time")),
    (2.3, ClauseReady(1, 0, 0, "It is late,", "It is late,")),
    (2.4, SpeechProduced(1, 0, 0, 0, 24_000)),
    (2.4, PlayoutStarted(1, 0, 58_000)),
    (2.5, ClauseReady(1, 0, 1, "I fear.", "I fear.")),
    (2.6, SpeechProduced(1, 0, 1, 24_000, 12_000)),
]
REPORT = TurnReport(
    1,
    "what is the time",
    "It is late, I fear.",
    "It is late,",
    interrupted=True,
    failed=False,
    voice_to_voice_ms=812.4,
    stages_ms={"turn_decision": 702.0, "asr_final": None, "llm_first_token": 21.4},
)


def view_after(events: list[tuple[float, Event]]) -> View:
    view = View()
    for number, (at, event) in enumerate(events):
        view.apply(Entry(number, at, event))
    return view


def test_a_turn_from_loading_to_speaking() -> None:
    seen = [view_after(TURN[:count]).doing for count in range(len(TURN) + 1)]
    assert list(dict.fromkeys(seen)) == ["loading", "listening", "hearing", "thinking", "speaking"]


def test_the_partial_transcript_is_shown_as_it_forms() -> None:
    assert [view_after(TURN[:count]).user for count in (4, 5, 6)] == [
        "",
        "what is the",
        "what is the time",
    ]


def test_parts_of_one_turn_stand_side_by_side() -> None:
    more = [
        (2.0, SpeechStarted(1, 1, 30_000, 30_000)),
        (2.2, Transcribed(1, 1, "please", False)),
    ]
    assert view_after([*TURN[:8], *more]).user == "what is the time please"


def test_the_reply_is_told_apart_by_what_was_spoken() -> None:
    view = view_after(TURN)
    assert view.reply(2.3) == ("", "It is late, I fear.")
    assert view.reply(2.9) == ("It is late,", "I fear.")
    assert view.reply(3.5) == ("It is late, I fear.", "")


def test_what_is_over_leaves_the_screen() -> None:
    for end in (TurnFinished(1, "completed"), TurnDiscarded(1)):
        view = view_after([*TURN, (4.0, end)])
        assert (view.doing, view.user, view.reply(9.0)) == ("listening", "", ("", ""))


def test_a_stopped_reply_is_taken_back() -> None:
    view = view_after([*TURN, (2.7, ReplyStopped(1, 0, "resumed"))])
    assert view.reply(9.0) == ("", "")
    assert view.user == "what is the time"


def test_a_draft_is_seen_once_it_is_the_reply() -> None:
    draft = [(2.1, ReplyDrafted(1, 0, "what is the time")), *TURN[9:11]]
    view = view_after([*TURN[:7], *draft])
    assert view.reply(9.0) == ("", "")
    view = view_after([*TURN[:7], *draft, TURN[8], TURN[11]])
    assert view.doing == "speaking"
    assert view.reply(2.9) == ("It is late,", "")


def test_a_reply_that_is_spoken_over_stays_until_it_is_clear_why() -> None:
    over = [
        (2.8, ReplyPaused(1, 0)),
        (2.8, SpeechStarted(2, 0, 60_000, 52_000)),
        (3.0, Transcribed(2, 0, "mm hm", False)),
    ]
    view = view_after([*TURN, *over])
    assert (view.doing, view.user) == ("hearing", "mm hm")
    assert view.reply(9.0) == ("It is late,", "I fear."), "it stands still"
    goes_on = [(3.8, TurnDiscarded(2, "listening")), (3.8, ReplyResumed(1, 0))]
    view = view_after([*TURN, *over, *goes_on])
    assert (view.doing, view.user) == ("speaking", "")
    assert view.reply(4.3) == ("It is late,", "I fear.")
    assert view.reply(4.5) == ("It is late, I fear.", "")
    yields = [(3.1, ReplyStopped(1, 0, "barge-in")), (3.1, TurnFinished(1, "interrupted"))]
    view = view_after([*TURN, *over, *yields])
    assert (view.doing, view.user, view.reply(9.0)) == ("hearing", "mm hm", ("", ""))


def test_the_level_stays_within_the_bar() -> None:
    for dbfs, level in ((-120.0, 0.0), (-30.0, 0.5), (0.0, 1.0), (3.0, 1.0)):
        assert view_after([(0.0, VoiceActivity(1, 0.5, dbfs))]).level == level


def test_the_end() -> None:
    assert view_after([(0.0, SessionEnded("end of input"))]).doing == "over"


def test_lines_tell_who_said_what_and_how_long_it_took() -> None:
    out = io.StringIO()
    lines = Lines(out)
    for number, (at, event) in enumerate([*TURN, (3.0, CardLost("USB mic", "unplugged"))]):
        lines.entry(Entry(number, at, event))
    lines.turn(REPORT)
    assert out.getvalue().splitlines() == [
        "chat: llama_cpp on the CPU, ready in 0.2 s",
        "Listening to a recording.",
        "! USB mic is gone: unplugged; waiting for its return",
        "You: what is the time",
        "Bot: It is late, (interrupted)",
        "     812 ms voice to voice: turn decision 702, llm first token 21",
    ]


def test_the_live_display_draws_seldom_and_leaves_the_turns_behind() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, legacy_windows=False)
    with Display(console) as display:
        for number, (at, event) in enumerate(TURN):
            display.entry(Entry(number, at, event))
        drawn = len(out.getvalue())
        for number in range(100):
            at = 2.61 + number / 10_000
            display.entry(Entry(50 + number, at, VoiceActivity(number, 0.1, -60.0)))
        assert len(out.getvalue()) == drawn
        display.turn(REPORT)
        display.entry(Entry(200, 4.0, PlayoutFinished(1, 0, 90_000, 36_000)))
    text = out.getvalue()
    for words in ("● hearing", "● speaking", "what is the time", "I fear.", "812 ms"):
        assert words in text
