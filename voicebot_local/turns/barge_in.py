"""What a sound over the reply is: an interruption, or nothing that should stop it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicebot_local.turns.cues import Cue, TextCues
from voicebot_local.turns.interjections import Interjections, words_of
from voicebot_local.turns.settings import TurnSettings

Verdict: TypeAlias = Literal["yield", "go on"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is known of the sound so far.

    `since_s` it began; to its newest speech it lasted `lasted_s`, of which `voiced_s` is speech.
    `text` is understood; `sure` of it is what two transcripts in a row agree on, but for the last
    word. `complete`: it is over, and so is its transcript, of that `confidence` (0 to 1) where the
    recognizer knows. `failed`: nobody can tell the words.
    """

    since_s: float
    voiced_s: float
    lasted_s: float
    text: str
    sure: str
    complete: bool
    failed: bool = False
    confidence: float | None = None


class BargeIn:
    """Judges a sound over a reply, which stands still meanwhile. Pure.

    A stop word yields at once. Enough words that are not signs of listening yield once they are
    sure: half a word looks like several, and the reply stands still anyway. For the same reason
    they may have to last: a sign of listening is short, whatever it is misheard for, and a whole
    question is one only if all of it is known. Gaps count, for an echo hides some of the speech.
    Speech without such signs yields when it lasts. What ends before that, or stays without words
    for too long, was no interruption.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._interjections = Interjections.of(settings)
        self._cues = TextCues(settings.language)

    def judge(self, overlap: Overlap) -> Verdict | None:
        """None while it is not clear yet."""
        settings = self._settings
        words = words_of(overlap.text)
        if self._interjections.stops_in(words):
            return "yield"
        if self._says_enough(overlap):
            return "yield"
        left = self._interjections.without_backchannels(words)
        lasts = overlap.voiced_s >= settings.barge_in_speech_s > 0
        untold = overlap.failed or not overlap.complete
        if lasts and untold and (left or not words):
            return "yield"
        if overlap.complete or overlap.since_s >= settings.barge_in_wait_s:
            return "go on"
        return None

    def _says_enough(self, overlap: Overlap) -> bool:
        """Whether its words alone are an interruption."""
        settings = self._settings
        sure = self._interjections.without_backchannels(words_of(overlap.sure))
        if len(sure) < settings.barge_in_words:
            return False
        if _at_least(overlap.confidence, settings.barge_in_confidence):
            return overlap.lasted_s >= settings.barge_in_words_s or self._asks(overlap)
        return False

    def _asks(self, overlap: Overlap) -> bool:
        """Whether it is a question or a command with all its parts, by words that count."""
        known = overlap.complete and _at_least(overlap.confidence, self._settings.least_confidence)
        return known and self._cues.read(overlap.text) in (Cue.FINISHED, Cue.MAYBE_FINISHED)


def _at_least(confidence: float | None, least: float) -> bool:
    """Whether words are sure enough; a recognizer that does not know is believed."""
    return confidence is None or confidence >= least
