"""A sound over the reply while it lasts: what is known of it, and the turn that it may become."""

from __future__ import annotations

from voicebot_local.events import PlayoutPaused
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.barge_in import BargeIn, Overlap, Verdict
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.turn import Turn


class Overlapping:
    """`turn` is what would begin; `run` the speech that was just noticed. Pure."""

    def __init__(self, turn: Turn, run: SpeechRun, answer_s: float) -> None:
        """Words over the last `answer_s` of a reply that asks are an answer."""
        self.turn = turn
        self._from = run.start
        self._voiced_s = run.voiced_s
        self._answer_s = answer_s
        self._answerable = False

    def goes_on(self, voiced_s: float) -> None:
        """So much more of it is speech (s)."""
        self._voiced_s += max(0.0, voiced_s)

    def paused(self, event: PlayoutPaused) -> None:
        """The reply stands still."""
        self._answerable = event.complete and event.left_s <= self._answer_s

    def judge(self, barge_in: BargeIn, position: int, *, asks: bool) -> Verdict | None:
        """What it is by now, at 16 kHz `position`; `asks`: the reply ends with a question."""
        turn = self.turn
        verdict = barge_in.judge(
            Overlap(
                since_s=(position - self._from) / RECOGNIZER_RATE,
                voiced_s=self._voiced_s,
                text=turn.text_so_far,
                sure=turn.text_sure,
                complete=not turn.open and not turn.waiting,
                failed=turn.failed is not None,
                confidence=None if turn.waiting else turn.confidence,
            )
        )
        if verdict == "go on" and asks and self._answerable and turn.text_so_far:
            return "yield"
        return verdict
