"""One turn, as far as the turn machine has to remember it: what was said, and the reply to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebot_local.events import (
    Apologized,
    DiscardReason,
    Outcome,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    Stage,
    StopReason,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnPrompted,
)
from voicebot_local.turns.prompter import Prompt
from voicebot_local.turns.stable import agreed


@dataclass(slots=True)
class Turn:
    """What was said in turn `number`, part by part, and which reply to it there is.

    `revision` numbers the newest reply, -1 before the first; `draft` is the text that it is being
    prepared for while the user may still go on. `audible_from`: 16 kHz position of the newest audio
    when the reply became audible.

    Methods that return a decision note what it changes in the turn; when it is made, the turn
    machine knows.
    """

    number: int
    parts: int = 0
    texts: dict[int, str] = field(default_factory=dict)
    so_far: dict[int, str] = field(default_factory=dict)
    sure: dict[int, str] = field(default_factory=dict)
    """What the newest two partial transcripts of each part agree on, but for the last word."""
    confidence: float | None = None
    """Of the newest final transcript, where the recognizer knows."""
    revision: int = -1
    draft: str | None = None
    drafts: int = 0
    prompted: bool = False
    """The assistant speaks unasked, and the user has not said anything."""
    asks: bool = False
    """The newest reply ends with a question, as far as it is written."""
    failed: Stage | None = None
    audible_from: int | None = None
    heard_from: int = 0
    """Where the newest part's sound begins (16 kHz)."""
    open: bool = False
    """The newest part is being heard."""

    @property
    def text(self) -> str:
        """The final transcripts."""
        return _joined(self.texts)

    @property
    def text_so_far(self) -> str:
        """The final transcripts, and the partial ones where there is none yet."""
        return _joined(self.so_far | self.texts)

    @property
    def text_sure(self) -> str:
        """The final transcripts, and what the newest partial ones agree on."""
        return _joined(self.sure | self.texts)

    @property
    def waiting(self) -> bool:
        """True while a part has no final transcript."""
        return len(self.texts) < self.parts

    # --- what was said ---

    def understood(self, event: Transcribed) -> None:
        """A transcript of one of the parts has come. A part's first final one stays."""
        if event.is_final:
            self.texts.setdefault(event.part, event.text.strip())
            self.confidence = event.confidence
        else:
            before = self.so_far.get(event.part, "")
            self.so_far[event.part] = event.text.strip()
            # Of what both say, the last word may be a piece of a longer one.
            self.sure[event.part] = " ".join(agreed(event.text.split(), before.split())[:-1])

    def not_understood(self, part: int) -> None:
        """Nobody can tell what that part says."""
        self.failed = "recognizer"
        self.texts.setdefault(part, "")

    def hear_again(self) -> None:
        """The newest part's sound is heard again with the next one: what it said is void."""
        self.texts[self.parts - 1] = ""
        self.failed = None

    def discard(self, reason: DiscardReason = "no words") -> TurnDiscarded:
        """The turn is not answered."""
        return TurnDiscarded(self.number, reason)

    # --- the reply ---

    def replies_with(self, turn: int, revision: int) -> bool:
        """Whether that is this turn and its newest reply."""
        return (turn, revision) == (self.number, self.revision)

    def read_reply(self, text: str) -> None:
        """The newest reply goes on with `text`."""
        if text.strip():
            self.asks = text.rstrip().endswith(("?", "？", "؟"))

    def draft_reply(self) -> ReplyDrafted:
        """Prepare a reply to what was said."""
        text = self.text
        self.drafts += 1
        self._next_revision()
        self.draft = text
        return ReplyDrafted(self.number, self.revision, text)

    def commit(self, text: str, decided_at: int) -> TurnCommitted:
        """The draft for these words is the reply; without one a reply begins."""
        if self.draft != text:
            self._next_revision()
        self.draft = None
        return TurnCommitted(self.number, self.revision, text, decided_at)

    def prompt(self, prompt: Prompt) -> TurnPrompted:
        """The assistant speaks unasked."""
        self._next_revision()
        return TurnPrompted(self.number, self.revision, prompt.text, prompt.instruction)

    def apologize(self, stage: Stage) -> Apologized:
        """An apology is the reply."""
        self._next_revision()
        return Apologized(self.number, self.revision, stage)

    def pause_reply(self) -> ReplyPaused:
        """The reply stands still."""
        return ReplyPaused(self.number, self.revision)

    def resume_reply(self) -> ReplyResumed:
        """The reply goes on."""
        return ReplyResumed(self.number, self.revision)

    def stop_reply(self, reason: StopReason) -> ReplyStopped:
        """The reply, or what was prepared of it, is not wanted."""
        self.draft = None
        return ReplyStopped(self.number, self.revision, reason)

    def finish(self, outcome: Outcome) -> TurnFinished:
        """The turn is over; one that failed is so in any case."""
        return TurnFinished(self.number, "failed" if self.failed else outcome)

    def _next_revision(self) -> None:
        self.revision += 1
        self.draft = self.audible_from = None
        self.asks = False


def _joined(texts: dict[int, str]) -> str:
    return " ".join(texts[part] for part in sorted(texts) if texts[part])
