"""Where the parts of a turn begin and end: the stretches of sound that are recognized as a whole.

Pure; positions are 16 kHz samples.
"""

from __future__ import annotations

from voicebot_local.events import SpeechEnded, SpeechStarted
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.turn import Turn


class Parts:
    """Begins and ends the parts of turns, by the speech in `run`, of which it holds the stretches
    that belong to a part. No sound belongs to two parts, but for one that is heard again."""

    def __init__(self, settings: TurnSettings, run: SpeechRun) -> None:
        self._settings = settings
        self._run = run
        self._audio_to = 0
        self.spoken_to = 0
        """Where the last speech of the newest part that is over ended."""

    @property
    def over_for_s(self) -> float:
        """Time since the newest part was ended (s)."""
        return (self._run.position - self._audio_to) / RECOGNIZER_RATE

    @property
    def paused_s(self) -> float:
        """Time since the last speech of a part that is over (s)."""
        return (self._run.position - self.spoken_to) / RECOGNIZER_RATE

    def begin(self, turn: Turn) -> SpeechStarted:
        """The user speaks, perhaps again; what was said shortly before is heard again with it."""
        run = self._run
        preroll = round(self._settings.preroll_s * RECOGNIZER_RATE)
        audio_from = max(run.start - preroll, self._audio_to, 0)
        rejoin = self._settings.rejoin_s * RECOGNIZER_RATE
        again = turn.parts > 0 and run.position - turn.heard_from <= rejoin
        if again:
            audio_from = turn.heard_from
            turn.hear_again()
        return self._open(turn, run.start, audio_from, again=again)

    def too_long(self, turn: Turn) -> bool:
        """Whether the part that is being heard is as long as a part may be."""
        return self._run.position - turn.heard_from >= self._settings.part_s * RECOGNIZER_RATE

    def cut(self, turn: Turn) -> tuple[SpeechEnded, SpeechStarted]:
        """The part is over and the next begins, while the user goes on."""
        ended = self.end(turn)
        return ended, self._open(turn, self._run.position, self._run.position)

    def end(self, turn: Turn) -> SpeechEnded:
        """The part that is being heard is over; `run` is left as it is."""
        run = self._run
        turn.open = False
        self._audio_to = run.position
        self.spoken_to = run.last_voiced
        return SpeechEnded(turn.number, turn.parts - 1, run.last_voiced, run.position)

    def _open(
        self, turn: Turn, position: int, audio_from: int, *, again: bool = False
    ) -> SpeechStarted:
        self._run.hold()
        turn.heard_from, turn.open = audio_from, True
        turn.parts += 1
        return SpeechStarted(turn.number, turn.parts - 1, position, audio_from, again)
