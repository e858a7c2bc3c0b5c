"""When the user is done: what speaks for it, and how much silence it takes to be sure.

One probability, kept as log-odds, gathers all the evidence. Words and scores shift it. Silence
raises it by one for each usual pause of the speaker, because pauses within a turn are distributed
about exponentially: one that has lasted two usual pauses is e² times likelier to be the end. So
each unit of evidence is worth one usual pause of waiting, a slow speaker's silence counts less,
and the turn is over at the probability that `end_silence_s` alone reaches.
"""

from __future__ import annotations

import math

from voicebot_local.turns.cues import Cue, TextCues
from voicebot_local.turns.settings import TurnSettings

SHORTEST_PAUSE_S = 0.2
"""A shorter silence is articulation, not a pause, and says nothing of the speaker (s)."""
SMART_TURN = "smart-turn"
"""The source of its scores; every other source is a hosted recognizer."""
_SURE = 1e-4
"""Scores nearer to 0 or 1 than this are not told apart."""


class EndOfTurn:
    """The evidence about one pause after another. Pure: it knows neither clock nor positions.

    Call `begin` where a turn begins, `heard` with what the turn says so far, `scored` when a
    detector has judged the present pause, and `resumed` when the user goes on after it. `eager_s`
    and `wait_s` then say how long the silence must be, and change with the evidence.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._cues = TextCues(settings.language)
        self._pause_s = settings.pause_s
        self._text, self._cue = "", Cue.UNKNOWN
        self._words = 0.0
        self._final = False
        self._scores: dict[str, float] = {}

    def begin(self) -> None:
        """A turn begins: nothing is known of it. What is known of the speaker stays."""
        self._forget_words()
        self._final = False
        self._scores.clear()

    def heard(self, text: str, final: bool, confidence: float | None = None) -> None:
        """The turn says `text` so far, all of its parts; `final`: all that was said is in it.
        `confidence`: how sure the recognizer is, where it knows (0 to 1)."""
        self._final = final
        if text != self._text:
            self._text, self._cue = text, self._cues.read(text)
        self._words = self._of_words(self._cue)
        if confidence is not None and confidence < self._settings.least_confidence:
            self._words = min(self._words, 0.0)

    def scored(self, source: str, probability: float, position: int) -> None:  # noqa: ARG002
        """`source` gives so much probability that the user is done, from what it heard up to
        `position` (16 kHz samples); it replaces the source's score before."""
        threshold = (
            self._settings.smart_turn_threshold
            if source == SMART_TURN
            else self._settings.hosted_threshold
        )
        shift = self._settings.score_weight * (_log_odds(probability) - _log_odds(threshold))
        most, least = self._settings.most_for, -self._settings.most_against
        self._scores[source] = min(most, max(least, shift))

    def resumed(self, pause_s: float) -> None:
        """The same turn goes on after so much silence: scores of that pause are void, and the
        words are not all that was said. After a real pause they count for nothing until more are
        heard, which may be late or never."""
        self._scores.clear()
        self._final = False
        if pause_s >= SHORTEST_PAUSE_S:
            self._forget_words()
            kept = self._settings.pause_memory
            pause_s = min(pause_s, self._settings.most_silence_s)
            average = kept * self._pause_s + (1 - kept) * pause_s
            least, most = self._settings.least_pause_s, self._settings.most_pause_s
            self._pause_s = min(max(average, least), max(most, least))

    def _forget_words(self) -> None:
        self._text, self._cue, self._words = "", Cue.UNKNOWN, 0.0

    @property
    def pause_s(self) -> float:
        """The speaker's usual pause within a turn, as far as it is known."""
        return self._pause_s

    @property
    def evidence(self) -> float:
        """Log-odds by words and scores that the user is done; 0 where nothing is known. Detectors
        hear the same sound, so their scores are averaged, not added."""
        scores = self._scores.values()
        return self._words + (sum(scores) / len(scores) if scores else 0.0)

    @property
    def probability(self) -> float:
        """How likely the user is done by words and scores alone; 0.5 where nothing is known."""
        return self.probability_after(0.0)

    def probability_after(self, silence_s: float) -> float:
        """How likely the user is done once they have been silent for so long."""
        return 1 / (1 + math.exp(-self.evidence - silence_s / self._pause_s))

    @property
    def eager_s(self) -> float:
        """Silence after which a reply may be prepared, inaudibly; never above `wait_s`."""
        least = min(self._settings.least_silence_s, self._settings.eager_silence_s)
        return min(max(self._silence_s(self._settings.eager_silence_s), least), self.wait_s)

    @property
    def wait_s(self) -> float:
        """Silence after which the turn is over, whatever the evidence: it has an upper limit."""
        usual_s = self._settings.end_silence_s
        wait_s = max(self._silence_s(usual_s), min(self._settings.least_silence_s, usual_s))
        if self._words > 0 and not self._final:
            wait_s = max(wait_s, self._settings.transcript_lag_s)
        return min(wait_s, max(self._settings.most_silence_s, usual_s))

    def _silence_s(self, usual_s: float) -> float:
        """Silence that, with the evidence, is worth what `usual_s` is worth without any."""
        return self._pause_s * (usual_s / self._settings.pause_s - self.evidence)

    def _of_words(self, cue: Cue) -> float:
        match cue:
            case Cue.UNFINISHED:
                return -self._settings.unfinished_words
            case Cue.MAYBE_UNFINISHED:
                return -self._settings.unfinished_words / 2
            case Cue.MAYBE_FINISHED:
                return self._settings.finished_words / 2
            case Cue.FINISHED:
                return self._settings.finished_words
            case Cue.UNKNOWN:
                return 0.0


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _SURE), 1 - _SURE)
    return math.log(inside / (1 - inside))
