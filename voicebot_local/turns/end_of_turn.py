"""When the user is done: what speaks for it, and how much silence it takes to be sure."""

from __future__ import annotations

from voicebot_local.turns.settings import TurnSettings


class EndOfTurn:
    """The evidence about one pause after another. Pure: it knows neither clock nor positions.

    Call `begin` where a turn begins, `heard` with what the turn says so far, `scored` when a
    detector has judged the present pause, and `resumed` when the user goes on after it. `eager_s`
    and `wait_s` then say how long the silence must be, and change with the evidence.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings

    def begin(self) -> None:
        """A turn begins: nothing is known of it. What is known of the speaker stays."""

    def heard(self, text: str, final: bool) -> None:
        """The turn says `text` so far, all of its parts; `final`: these words will not change."""

    def scored(self, source: str, probability: float, position: int) -> None:
        """`source` gives so much probability that the user is done, from what it heard up to
        `position` (16 kHz samples); it replaces the source's score before."""

    def resumed(self, pause_s: float) -> None:
        """The same turn goes on after so much silence: scores of that pause are void."""

    @property
    def probability(self) -> float:
        """How likely the user is done by words and scores alone; 0.5 where nothing is known."""
        return 0.5

    @property
    def eager_s(self) -> float:
        """Silence after which a reply may be prepared, inaudibly; never above `wait_s`."""
        return min(self._settings.eager_silence_s, self.wait_s)

    @property
    def wait_s(self) -> float:
        """Silence after which the turn is over, whatever the evidence: it has an upper limit."""
        return self._settings.end_silence_s
