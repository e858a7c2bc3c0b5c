"""Reads off the event log when the present reply will be audibly late."""

from __future__ import annotations

import math
from collections.abc import Callable

from voicebot_local.audio.playout import Playout
from voicebot_local.events import (
    Apologized,
    ClauseReady,
    Entry,
    PlayoutFinished,
    PlayoutStarted,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    ReplyTextEnded,
    SpeechProduced,
    TurnCommitted,
    TurnPrompted,
)
from voicebot_local.gpu.queue import Outlook
from voicebot_local.text.syllables import syllables
from voicebot_local.turns.heard import SYLLABLE_S


class OutlookReader:
    """A reader of the log that calls `tell` whenever the deadlines of the reply move.

    Each call wakes the broker, so what it knows already is not told: a reply's first sound waits
    for every one of them.

    Audio lasts until what waits in the playout buffer has been played; text lasts until the clauses
    that are written and not spoken yet would have been heard as well, at `SYLLABLE_S` a syllable.
    Nobody waits for a draft, for a reply that stands still, or for what is read ahead of a turn.
    """

    def __init__(
        self,
        playout: Playout,
        rate: int,
        tell: Callable[[Outlook], None],
        clock: Callable[[], float],
    ) -> None:
        self._playout = playout
        self._rate = rate
        self._tell = tell
        self._clock = clock
        self._told = Outlook(None, None)
        self._awaited = False
        self._tag: tuple[int, int] | None = None
        self._begin(None)

    def _begin(self, tag: tuple[int, int] | None) -> None:
        """Work on the reply `tag` begins, None where it ends."""
        self._tag = tag
        self._lengths_s: list[float] = []
        self._spoken = 0
        self._has_audio = self._complete = False

    def __call__(self, entry: Entry) -> None:
        event = entry.event
        made = 0
        match event:
            case ReplyDrafted():
                self._begin((event.turn, event.revision))
                self._awaited = False
            case TurnCommitted() | TurnPrompted() | Apologized():
                if self._tag != (event.turn, event.revision):
                    self._begin((event.turn, event.revision))
                self._awaited = True
            case ReplyStopped() | PlayoutFinished():
                self._begin(None)
                self._awaited = False
            case ReplyPaused() | ReplyResumed():
                self._awaited = isinstance(event, ReplyResumed)
            case ClauseReady():
                words = event.spoken.split()
                self._lengths_s.append(sum(map(syllables, words)) * SYLLABLE_S)
            case SpeechProduced():
                self._has_audio = True
                self._spoken = max(self._spoken, event.clause + 1)
                made = event.samples  # It is logged before it is in the playout buffer.
            case ReplyTextEnded():
                self._complete = True
            case PlayoutStarted():
                pass
            case _:
                return
        outlook = self._outlook(made)
        if outlook != self._told:
            self._told = outlook
            self._tell(outlook)

    def _outlook(self, made: int) -> Outlook:
        audio = self._clock() + (self._playout.waiting + made) / self._rate
        text: float | None = audio + sum(self._lengths_s[self._spoken :])
        if self._complete:
            text = math.inf
        elif not self._lengths_s:
            text = None
        return Outlook(audio if self._has_audio else None, text, not self._awaited)
