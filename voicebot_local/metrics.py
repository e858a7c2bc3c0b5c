"""How long each turn took and where the time went, read off the event log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voicebot_local.events import (
    ClauseReady,
    Entry,
    PlayoutStarted,
    ReplyText,
    SessionStarted,
    SpeechEnded,
    SpeechProduced,
    Transcribed,
    TurnCommitted,
    TurnRecorded,
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
is over; to the final transcript; from the commitment to the reply's first text; to its first
clause; to that clause's first audio; to the first audible sample."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One finished turn. Times are in milliseconds, None where the turn has no such moment.

    `voice_to_voice_ms` runs from the user's last audible sample to the reply's first audible one,
    both on the sound card's clock, so it can be read off the recording as well.
    """

    turn: int
    user: str
    assistant: str
    heard: str
    interrupted: bool
    failed: bool
    voice_to_voice_ms: float | None
    stages_ms: dict[str, float | None]

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
        }


@dataclass(slots=True)
class _Moments:
    decided_at: int | None = None
    speech_ended: float | None = None
    transcribed: float | None = None
    committed: float | None = None
    text: float | None = None
    clause: float | None = None
    audio: float | None = None
    playout: float | None = None
    started: int | None = None
    revision: int = field(default=-1)


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
                moments = self._of(event.turn)
                moments.decided_at, moments.speech_ended = event.decided_at, at
            case Transcribed(is_final=True):
                self._of(event.turn).transcribed = at
            case TurnCommitted():
                moments = self._of(event.turn)
                moments.revision, moments.committed = event.revision, at
                moments.text = moments.clause = moments.audio = moments.playout = None
            case ReplyText():
                self._first(event.turn, event.revision, "text", at)
            case ClauseReady():
                self._first(event.turn, event.revision, "clause", at)
            case SpeechProduced():
                self._first(event.turn, event.revision, "audio", at)
            case PlayoutStarted():
                self._first(event.turn, event.revision, "playout", at)
                self._of(event.turn).started = event.position
            case TurnRecorded():
                self._report(self._make(event, self._of(event.turn)))
                self._moments.clear()
            case _:
                pass

    def _of(self, turn: int) -> _Moments:
        return self._moments.setdefault(turn, _Moments())

    def _first(self, turn: int, revision: int, name: str, at: float) -> None:
        moments = self._of(turn)
        if moments.revision == revision and getattr(moments, name) is None:
            setattr(moments, name, at)

    def _make(self, event: TurnRecorded, moments: _Moments) -> TurnReport:
        decision = leading = total = None
        if moments.decided_at is not None and event.speech_end is not None:
            decision = moments.decided_at / RECOGNIZER_RATE - event.speech_end / self._rate
        if event.audible_from is not None and moments.started is not None:
            leading = (event.audible_from - moments.started) / self._rate
        if event.audible_from is not None and event.speech_end is not None:
            total = (event.audible_from - event.speech_end) / self._rate
        playout = _between(moments.audio, moments.playout)
        times = (
            decision,
            _between(moments.speech_ended, moments.transcribed),
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
        )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
