"""One turn, as far as the turn machine has to remember it."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebot_local.events import Stage


@dataclass(slots=True)
class Turn:
    """What was said in turn `number`, part by part, and which reply to it there is.

    `revision` numbers the newest reply, -1 before the first; `draft` is the text that it is being
    prepared for while the user may still go on. `audible_from`: 16 kHz position of the newest audio
    when the reply became audible.
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

    @property
    def audible(self) -> bool:
        """True once something of the newest reply was heard."""
        return self.audible_from is not None

    def read_reply(self, text: str) -> None:
        """The newest reply goes on with `text`."""
        if text.strip():
            self.asks = text.rstrip().endswith(("?", "？", "؟"))

    def next_revision(self) -> int:
        """A new reply; returns its revision."""
        self.revision += 1
        self.draft = self.audible_from = None
        self.asks = False
        return self.revision


def _joined(texts: dict[int, str]) -> str:
    return " ".join(texts[part] for part in sorted(texts) if texts[part])
