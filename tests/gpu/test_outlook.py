"""What the broker is told of a reply's deadlines, read off the log."""

from __future__ import annotations

import math

import numpy as np

from voicebot_local.audio.playout import Playout
from voicebot_local.events import (
    ClauseReady,
    Event,
    EventLog,
    PlayoutFinished,
    PlayoutStarted,
    ReplyText,
    ReplyTextEnded,
    SpeechProduced,
    TurnCommitted,
)
from voicebot_local.gpu.outlook import OutlookReader
from voicebot_local.gpu.queue import Outlook

RATE = 1000


def test_deadlines_are_told_when_they_move_and_only_then() -> None:
    told: list[Outlook] = []
    playout = Playout(10 * RATE)
    log = EventLog(lambda: 0.0)
    log.add_reader(OutlookReader(playout, RATE, told.append, lambda: 5.0))

    def tells(event: Event, *outlooks: Outlook) -> None:
        told.clear()
        log.append(event)
        assert told == list(outlooks), event

    for turn in (1, 2):
        tells(TurnCommitted(turn, 0, "hello"))
        tells(ReplyText(turn, 0, "Yes."))
        tells(ReplyTextEnded(turn, 0), Outlook(None, math.inf))
        tells(ClauseReady(turn, 0, 0, "Yes.", "Yes."))
        tells(SpeechProduced(turn, 0, 0, 0, 500), Outlook(5.5, math.inf))
        playout.write(playout.begin(), np.zeros(500, np.float32))
        tells(PlayoutStarted(turn, 0, 0))
        playout.pull(500)
        tells(PlayoutFinished(turn, 0, 500, 500), Outlook(None, None))
