"""How long each turn took and where the time went, read off the event log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voicebot_local.events import (
    ClauseReady,
    Entry,
    PlayoutStarted,
    ReplyDrafted,
    ReplyText,
    SessionStarted,
    SpeechEnded,
    SpeechProduced,
    TurnCommitted,
    TurnDiscarded,
    TurnPrompted,
    TurnRecorded,
    TurnSpeculated,
)
from voicebot_local.providers.base import RECOGNIZER_RATE

STAGES = (
    "turn_decision",
    "asr_final",
    "llm_first_token",
    "first_clause",
    "tts_first_audio",
    "playout",
)
"""The stages of a turn in order: from the user's last audible sample to the decision that the turn
is over; from there to the final transcript, where that comes later; from the commitment to the
reply's first text; to its first clause; to that clause's first audio; to the first audible sample.
What was done before the commitment takes no time after it."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One finished turn. Times are in milliseconds, None where the turn has no such moment.

    `voice_to_voice_ms` runs from the user's last audible sample to the reply's first audible one,
    both on the sound card's clock, so it can be read off the recording as well.

    `commit_ms` runs from the commitment to that sample. `drafts` replies were begun before it;
    `draft_right`: the last of them was the reply. What the others made is wasted.
    """

    turn: int
    user: str
    assistant: str
    heard: str
    interrupted: bool
    failed: bool
    voice_to_voice_ms: float | None
    stages_ms: dict[str, float | None]
    commit_ms: float | None = None
    drafts: int = 0
    draft_right: bool = False
    wasted_pieces: int = 0
    wasted_audio_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "turn": self.turn,
            "user": self.user,
            "assistant": self.assistant,
            "heard": self.heard,
            "interrupted": self.interrupted,
            "failed": self.failed,
            "voice_to_voice_ms": self.voice_to_voice_ms,
            "stages_ms": self.stages_ms,
            "commit_ms": self.commit_ms,
            "drafts": self.drafts,
            "draft_right": self.draft_right,
            "wasted_pieces": self.wasted_pieces,
            "wasted_audio_s": self.wasted_audio_s,
        }


@dataclass(slots=True)
class _Moments:
    ended: tuple[int, float] | None = None
    """Where the newest part ended (16 kHz), and when that was logged."""
    decided_at: int | None = None
    committed: float | None = None
    text: float | None = None
    clause: float | None = None
    audio: float | None = None
    playout: float | None = None
    started: int | None = None
    revision: int = -1
    speculated: TurnSpeculated | None = None

    def begin(self, revision: int) -> None:
        """A reply is being prepared."""
        self.revision = revision
        self.committed = self.text = self.clause = self.audio = self.playout = None

    def commit(self, revision: int, at: float) -> None:
        """It may be heard; what it took until now is hidden."""
        if revision != self.revision:
            self.begin(revision)
        self.committed = at
        self.text = _not_before(at, self.text)
        self.clause = _not_before(at, self.clause)
        self.audio = _not_before(at, self.audio)


class TurnReports:
    """A reader of the event log: calls `report` with each finished turn."""

    def __init__(self, report: Callable[[TurnReport], None]) -> None:
        self._report = report
        self._rate = 0
        self._moments: dict[int, _Moments] = {}

    def __call__(self, entry: Entry) -> None:
        event, at = entry.event, entry.at
        match event:
            case SessionStarted():
                self._rate = event.card_rate
            case SpeechEnded():
                self._of(event.turn).ended = event.decided_at, at
            case ReplyDrafted():
                self._of(event.turn).begin(event.revision)
            case TurnPrompted():
                self._of(event.turn).commit(event.revision, at)
            case TurnCommitted():
                moments = self._of(event.turn)
                moments.decided_at = event.decided_at
                moments.commit(event.revision, at)
            case ReplyText():
                self._first(event.turn, event.revision, "text", at)
            case ClauseReady():
                self._first(event.turn, event.revision, "clause", at)
            case SpeechProduced():
                self._first(event.turn, event.revision, "audio", at)
            case PlayoutStarted():
                self._first(event.turn, event.revision, "playout", at)
                self._of(event.turn).started = event.position
            case TurnSpeculated():
                self._of(event.turn).speculated = event
            case TurnRecorded():
                self._report(self._make(event, self._of(event.turn)))
                self._forget(event.turn)
            case TurnDiscarded():
                self._forget(event.turn)
            case _:
                pass

    def _of(self, turn: int) -> _Moments:
        return self._moments.setdefault(turn, _Moments())

    def _forget(self, turn: int) -> None:
        self._moments = {number: kept for number, kept in self._moments.items() if number > turn}

    def _first(self, turn: int, revision: int, name: str, at: float) -> None:
        moments = self._of(turn)
        if moments.revision == revision and getattr(moments, name) is None:
            setattr(moments, name, at)

    def _make(self, event: TurnRecorded, moments: _Moments) -> TurnReport:
        decision = transcript = leading = total = None
        if moments.ended is not None and moments.decided_at and event.speech_end is not None:
            decision = moments.decided_at / RECOGNIZER_RATE - event.speech_end / self._rate
            ended_at, ended = moments.ended
            decided = ended + (moments.decided_at - ended_at) / RECOGNIZER_RATE
            if moments.committed is not None:
                transcript = max(0.0, moments.committed - decided)
        if event.audible_from is not None and moments.started is not None:
            leading = (event.audible_from - moments.started) / self._rate
        if event.audible_from is not None and event.speech_end is not None:
            total = (event.audible_from - event.speech_end) / self._rate
        playout = _between(moments.audio, moments.playout)
        until_audible = _between(moments.committed, moments.playout)
        speculated = moments.speculated or TurnSpeculated(event.turn, 0, False, 0, 0.0)
        times = (
            decision,
            transcript,
            _between(moments.committed, moments.text),
            _between(moments.text, moments.clause),
            _between(moments.clause, moments.audio),
            playout + leading if playout is not None and leading is not None else None,
        )
        return TurnReport(
            event.turn,
            event.user,
            event.assistant,
            event.heard,
            event.outcome == "interrupted",
            event.outcome == "failed",
            _ms(total),
            dict(zip(STAGES, map(_ms, times), strict=True)),
            None if until_audible is None or leading is None else _ms(until_audible + leading),
            speculated.drafts,
            speculated.right,
            speculated.wasted_pieces,
            speculated.wasted_audio_s,
        )


def _not_before(earliest: float, moment: float | None) -> float | None:
    return None if moment is None else max(earliest, moment)


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
