"""What a session notes of a turn until it is over, and what the turn then leaves in the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebot_local.events import Outcome, StopReason, TurnRecorded, TurnSpeculated
from voicebot_local.speaking import Reply
from voicebot_local.turns.stable import StableText


@dataclass(slots=True)
class TurnNotes:
    """Turn `number`: what the user said, until where, what of the reply was heard, and what
    preparing replies has cost. `speech_end` is a position on the card's clock; `read` is what the
    chat model reads ahead."""

    number: int
    user: str = ""
    speech_end: int | None = None
    heard: str | None = None
    read: str | None = None
    stable: StableText = field(default_factory=StableText)
    drafts: int = 0
    right: bool = False
    wasted_pieces: int = 0
    wasted_samples: int = 0

    def waste(self, reply: Reply) -> None:
        """What was made of `reply` is lost."""
        self.wasted_pieces += reply.pieces
        self.wasted_samples += reply.made

    def stopped(self, reason: StopReason, heard: str) -> None:
        """The reply was stopped after `heard`; where the user resumed, it never was the reply."""
        if reason == "resumed":
            self.heard, self.right = None, False
        else:
            self.heard = heard

    def recorded(self, reply: Reply | None, outcome: Outcome) -> TurnRecorded:
        """The turn is over, with `reply` as its newest reply."""
        assistant = reply.speech.text if reply else ""
        apologized = reply is not None and reply.finished and reply.started is not None
        whole = outcome == "completed" or (outcome == "failed" and apologized)
        return TurnRecorded(
            turn=self.number,
            user=self.user,
            assistant=assistant,
            heard=assistant if whole else self.heard or "",
            outcome=outcome,
            speech_end=self.speech_end,
            audible_from=reply.audible_from if reply else None,
        )

    def speculated(self, rate: int) -> TurnSpeculated | None:
        """How preparing replies went; None where there was no draft. `rate`: of their speech."""
        if not self.drafts:
            return None
        wasted_s = round(self.wasted_samples / rate, 3)
        return TurnSpeculated(self.number, self.drafts, self.right, self.wasted_pieces, wasted_s)
