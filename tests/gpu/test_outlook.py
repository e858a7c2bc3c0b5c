"""What the broker is told of a reply, from its draft to its end."""

from __future__ import annotations

import math

import numpy as np

from voicebot_local.audio.playout import Playout
from voicebot_local.events import (
    ClauseReady,
    Entry,
    Event,
    EventLog,
    PlayoutFinished,
    PlayoutStarted,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    ReplyText,
    ReplyTextEnded,
    SpeechProduced,
    TurnCommitted,
)
from voicebot_local.gpu.outlook import OutlookReader
from voicebot_local.gpu.queue import Outlook

RATE = 100


def told(*events: Event) -> list[Outlook]:
    """What is told at second 10 of `events`, with a second of audio in the buffer."""
    playout = Playout(1000)
    playout.write(playout.begin(), np.ones(RATE, np.float32))
    out: list[Outlook] = []
    reader = OutlookReader(playout, RATE, out.append, lambda: 10.0)
    for number, event in enumerate(events):
        reader(Entry(number, 0.0, event))
    return out


DRAFT = (
    ReplyDrafted(1, 0, "hello"),
    ClauseReady(1, 0, 0, "Hi there.", "Hi there."),
    SpeechProduced(1, 0, 0, 0, 50),
    ReplyTextEnded(1, 0),
)


def test_a_draft_is_speculative_and_keeps_its_deadlines_when_it_becomes_the_reply() -> None:
    *draft, reply = told(*DRAFT, TurnCommitted(1, 0, "hello"), PlayoutStarted(1, 0, 0))
    assert all(outlook.speculative for outlook in draft)
    assert reply == Outlook(audio_until=11.0, text_until=math.inf, speculative=False)


def test_another_reply_than_the_draft_begins_anew() -> None:
    (*_, stopped, other) = told(
        *DRAFT, ReplyStopped(1, 0, "resumed"), TurnCommitted(1, 1, "hello there")
    )
    assert stopped.speculative
    assert other == Outlook(None, None, speculative=False)


def test_nobody_waits_for_a_reply_that_stands_still_or_is_over() -> None:
    reply = (TurnCommitted(1, 0, "a"), ReplyPaused(1, 0), ReplyResumed(1, 0))
    assert [o.speculative for o in told(*reply)] == [True, False]
    assert told(*reply, PlayoutFinished(1, 0, 0, 0))[-1].speculative


def test_deadlines_are_told_when_they_move_and_only_then() -> None:
    told: list[Outlook] = []
    playout = Playout(10 * 1000)
    log = EventLog(lambda: 0.0)
    idle = Outlook(None, None, speculative=True)
    log.add_reader(OutlookReader(playout, 1000, told.append, lambda: 5.0))

    def tells(event: Event, *outlooks: Outlook) -> None:
        told.clear()
        log.append(event)
        assert told == list(outlooks), event

    for turn in (1, 2):
        tells(TurnCommitted(turn, 0, "hello"), *[Outlook(None, None)] * (turn - 1))
        tells(ReplyText(turn, 0, "Yes."))
        tells(ReplyTextEnded(turn, 0), Outlook(None, math.inf))
        tells(ClauseReady(turn, 0, 0, "Yes.", "Yes."))
        tells(SpeechProduced(turn, 0, 0, 0, 500), Outlook(5.5, math.inf))
        playout.write(playout.begin(), np.zeros(500, np.float32))
        tells(PlayoutStarted(turn, 0, 0))
        playout.pull(500)
        tells(PlayoutFinished(turn, 0, 500, 500), idle)
