"""What the screen shows, made from the event log alone; the drawing is in `display` and `lines`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from voicebot_local.events import (
    Apologized,
    ClauseReady,
    Entry,
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
    TurnPrompted,
    VoiceActivity,
)

Doing: TypeAlias = Literal["loading", "listening", "hearing", "thinking", "speaking", "over"]
FLOOR_DBFS = -60.0
"""A quieter microphone shows an empty bar."""


@dataclass(slots=True)
class _Clause:
    text: str
    start_s: float | None = None
    """Where its audio begins in the reply; None until there is some."""


@dataclass(slots=True)
class View:
    """The present turn as a person should see it. `apply` takes every entry of the log in order."""

    doing: Doing = "loading"
    level: float = 0.0
    """Of the microphone, 0 (silence) to 1 (as loud as it gets)."""
    _rate: int = 1
    _turn: int = 0
    """The turn that the user spoke in last."""
    _parts: dict[int, str] = field(default_factory=dict)
    _clauses: dict[int, _Clause] = field(default_factory=dict)
    _played_since: float | None = None
    _paused_at: float | None = None
    _draft: bool = False
    """The reply is a draft, which nobody sees."""

    @property
    def user(self) -> str:
        """What was understood so far of what the user is saying."""
        return " ".join(self._parts[part] for part in sorted(self._parts) if self._parts[part])

    def reply(self, at: float) -> tuple[str, str]:
        """The reply at `at` (seconds on the log's clock): what is spoken by then, and the rest.

        A clause counts as spoken once its first sample has been played.
        """
        spoken: list[str] = []
        rest: list[str] = []
        if self._draft:
            return "", ""
        until = at if self._paused_at is None else self._paused_at
        elapsed = -1.0 if self._played_since is None else until - self._played_since
        for clause in self._clauses.values():
            begun = clause.start_s is not None and clause.start_s <= elapsed
            (spoken if begun else rest).append(clause.text)
        return " ".join(spoken), " ".join(rest)

    def apply(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        match entry.event:
            case VoiceActivity(level_dbfs=level):
                self.level = min(1.0, max(0.0, 1 - level / FLOOR_DBFS))
            case SessionStarted(card_rate=rate):
                self._rate = rate
                self.doing = "listening"
            case SpeechStarted(turn=turn, part=part, again=again):
                self._turn = turn
                if part == 0:
                    self._parts.clear()
                if again:
                    self._parts[part] = self._parts.pop(part - 1, "")
                self.doing = "hearing"
            case Transcribed(part=part, text=text):
                self._parts[part] = text
            case SpeechEnded():
                self.doing = "thinking"
            case ReplyDrafted():
                self._clear_reply()
                self._draft = True
            case TurnCommitted(text=text):
                if not self._draft:
                    self._clear_reply()
                self._draft = False
                self._parts = {0: text}
                self.doing = "thinking"
            case Apologized() | TurnPrompted():
                self._clear_reply()
                self.doing = "thinking"
            case ClauseReady(clause=number, text=text):
                self._clauses[number] = _Clause(text)
            case SpeechProduced(clause=number, start=start, samples=samples):
                clause = self._clauses.get(number)
                if clause is not None and clause.start_s is None and samples:
                    clause.start_s = start / self._rate
            case PlayoutStarted():
                self._played_since = entry.at
                self.doing = "speaking"
            case ReplyPaused():
                self._paused_at = entry.at
            case ReplyResumed() if self._paused_at is not None and self._played_since is not None:
                self._played_since += entry.at - self._paused_at
                self._paused_at = None
                self.doing = "speaking"
            case ReplyStopped():
                self._clear_reply()
            case TurnFinished(turn=turn) if turn < self._turn:
                self._clear_reply()  # What was said over it is the next turn.
            case TurnDiscarded(reason="listening"):
                self._parts.clear()
            case TurnFinished() | TurnDiscarded():
                self._clear()
                self.doing = "listening"
            case SessionEnded():
                self.doing = "over"
            case _:
                pass

    def _clear(self) -> None:
        self._parts.clear()
        self._clear_reply()

    def _clear_reply(self) -> None:
        self._clauses.clear()
        self._played_since = self._paused_at = None
        self._draft = False
