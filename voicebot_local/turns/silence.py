"""What the user's silence in a turn allows, by how long it has lasted. Pure."""

from __future__ import annotations

from voicebot_local.turns.end_of_turn import EndOfTurn
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.parts import Parts
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.turn import Turn


class Silence:
    """Compares the silence with what the evidence in `end` asks for at this moment."""

    def __init__(
        self, settings: TurnSettings, run: SpeechRun, parts: Parts, end: EndOfTurn
    ) -> None:
        self._settings = settings
        self._run = run
        self._parts = parts
        self._end = end

    @property
    def ends_turn(self) -> bool:
        """After the last part: whether the turn is over. Late words may take that back."""
        return self._parts.paused_s >= self._end.wait_s

    def ends_part(self, turn: Turn) -> bool:
        """Within a part: whether it is over, because the turn is or a reply may be drafted."""
        silence_s = self._run.silence_s
        eager = silence_s >= self._end.eager_s and self._drafts_left(turn)
        return eager or silence_s >= self._end.wait_s

    def allows_draft(self, turn: Turn) -> bool:
        """After the last part: whether to prepare a reply, although the user may go on."""
        known = not turn.waiting and not turn.failed and bool(turn.text)
        if not known or turn.draft is not None or not self._drafts_left(turn):
            return False
        return self._parts.paused_s >= self._end.eager_s  # Else the last words want more to come.

    def _drafts_left(self, turn: Turn) -> bool:
        return turn.drafts < self._settings.max_revisions
