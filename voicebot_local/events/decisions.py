"""Decisions: what the turn machine makes of what it observes; the session carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicebot_local.events.reports import Stage

StopReason: TypeAlias = Literal["resumed", "barge-in", "failed", "typed", "pressed", "ended"]
DiscardReason: TypeAlias = Literal["no words", "listening", "typed"]
Outcome: TypeAlias = Literal["completed", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user speaks: recognize part `part` of this turn, from `audio_from` on.

    `position` is where speech began. A part above 0 continues the turn. `again`: it begins with the
    sound of the part before, which is heard as a whole with this one; its transcript is void.
    """

    turn: int
    part: int
    position: int
    audio_from: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The part is over: its last speech ended at `position`, which was sure at `decided_at`."""

    turn: int
    part: int
    position: int
    decided_at: int


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """The turn is not answered: there were no words in it, no more than a sign of listening while
    the assistant spoke, or a typed turn came instead."""

    turn: int
    reason: DiscardReason = "no words"


@dataclass(frozen=True, slots=True)
class ReplyDrafted:
    """The user may be done: prepare a reply to `text`, of which nothing is heard yet."""

    turn: int
    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The user is done: reply to `text`. A revision that was drafted is heard from now on.

    `decided_at` is the 16 kHz position at which it was sure that the user is done; later
    transcripts may have been waited for since. 0 where the turn was typed.
    """

    turn: int
    revision: int
    text: str
    decided_at: int = 0


@dataclass(frozen=True, slots=True)
class TurnPrompted:
    """The assistant speaks unasked: `text`, or what the chat model answers to `instruction`."""

    turn: int
    revision: int
    text: str
    instruction: str


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """The user makes a sound over the reply: let it fade and stand still until it is clear what."""

    turn: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """That was no interruption: the reply goes on with the very next sample."""

    turn: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReplyStopped:
    """Stop preparing or playing this reply, at once."""

    turn: int
    revision: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Apologized:
    """Tell the user that this turn failed in `stage`; speak it as revision `revision`."""

    turn: int
    revision: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn is over; remember it."""

    turn: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The conversation is over."""

    reason: str


Decision: TypeAlias = (
    SpeechStarted
    | SpeechEnded
    | TurnDiscarded
    | ReplyDrafted
    | TurnCommitted
    | TurnPrompted
    | ReplyPaused
    | ReplyResumed
    | ReplyStopped
    | Apologized
    | TurnFinished
    | SessionEnded
)

DECISIONS: tuple[type, ...] = Decision.__args__
