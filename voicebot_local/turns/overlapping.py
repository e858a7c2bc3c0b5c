"""A sound over the reply while it lasts: what is known of it, and the turn that it may become."""

from __future__ import annotations

from voicebot_local.events import Decision, DiscardReason, PlayoutPaused
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.barge_in import BargeIn, Overlap, Verdict
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.parts import Parts
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.turn import Turn

OVERLAP_SILENCE_S = 0.25
"""A sound over the reply is over after so much silence; only then is its transcript final (s)."""


class Overlapping:
    """`turn` is what would begin; `run` the speech that was just noticed. Pure."""

    def __init__(self, turn: Turn, run: SpeechRun, parts: Parts, settings: TurnSettings) -> None:
        self.turn = turn
        self._run = run
        self._parts = parts
        self._settings = settings
        self._from = run.start
        self._voiced_s = run.voiced_s
        self._speech_to = run.last_voiced
        self._answerable = False

    def goes_on(self, voiced_s: float) -> None:
        """So much more of it is speech (s)."""
        self._voiced_s += max(0.0, voiced_s)
        if voiced_s > 0:
            self._speech_to = self._run.last_voiced

    def paused(self, event: PlayoutPaused) -> None:
        """The reply stands still. Words over the last `answer_s` of one that asks are an answer."""
        self._answerable = event.complete and event.left_s <= self._settings.answer_s

    @property
    def known(self) -> Overlap:
        """What it is judged by."""
        turn = self.turn
        return Overlap(
            since_s=(self._run.position - self._from) / RECOGNIZER_RATE,
            voiced_s=self._voiced_s,
            lasted_s=(self._speech_to - self._from) / RECOGNIZER_RATE,
            text=turn.text_so_far,
            sure=turn.text_sure,
            complete=not turn.open and not turn.waiting,
            failed=turn.failed is not None,
            confidence=None if turn.waiting else turn.confidence,
        )

    def judge(self, barge_in: BargeIn, *, asks: bool) -> Verdict | None:
        """What it is by now; `asks`: the reply ends with a question."""
        verdict = barge_in.judge(self.known)
        if verdict == "go on" and asks and self._answerable and self.turn.text_so_far:
            return "yield"
        return verdict

    def listen(self) -> list[Decision]:
        """It is not clear yet: end the part that is being heard, or begin the next."""
        if self.turn.open and self._run.silence_s >= OVERLAP_SILENCE_S:
            ended = self._parts.end(self.turn)
            self._run.reset()
            return [ended]
        if not self.turn.open and self._run.voiced_s >= self._settings.start_speech_s:
            return [self._parts.begin(self.turn)]
        return []

    def discard(self, reason: DiscardReason) -> list[Decision]:
        """It becomes no turn, and the rest of the same sound does not count."""
        ended = [self._parts.end(self.turn)] if self.turn.open else []
        self._run.ignore()
        return [*ended, self.turn.discard(reason)]
