"""Where speech begins and ends, from the voice probability of one audio window after another."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.settings import TurnSettings

BRIDGE_S = 0.15
"""A gap this short between two voiced windows does not separate two stretches of speech (s)."""


@dataclass(slots=True)
class _Run:
    start: int
    last_voiced: int
    voiced: int


class SpeechRun:
    """The stretch of speech that is going on, if any; positions count 16 kHz samples.

    A window at or above `vad_threshold` begins or continues a run; one between the two thresholds
    continues it; silence longer than `BRIDGE_S` drops a run that has not been `hold`ed. A held run
    lasts until `reset` or `ignore`.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._run: _Run | None = None
        self._held = False
        self._ignored_to: int | None = None
        """While what is being said does not count: where it was last heard."""
        self.position = 0
        """Where the newest audio ends."""

    @property
    def start(self) -> int:
        """Position of the run's first sample; of the newest sample where there is no run."""
        return self._run.start if self._run else self.position

    @property
    def last_voiced(self) -> int:
        """Position after the run's newest speech."""
        return self._run.last_voiced if self._run else self.position

    @property
    def voiced_s(self) -> float:
        """Speech in the run so far, pauses not counted (s); 0 where there is no run."""
        return self._run.voiced / RECOGNIZER_RATE if self._run else 0.0

    @property
    def silence_s(self) -> float:
        """Time since the run's newest speech (s)."""
        return (self.position - self.last_voiced) / RECOGNIZER_RATE

    def push(self, position: int, probability: float) -> None:
        """Take the window of audio that ends at `position`."""
        window = position - self.position
        begin, self.position = self.position, position
        if self._ignored_to is not None:
            if probability >= self._settings.vad_negative_threshold:
                self._ignored_to = position
            elif (position - self._ignored_to) / RECOGNIZER_RATE > BRIDGE_S:
                self._ignored_to = None
            return
        if probability >= self._settings.vad_threshold:
            if self._run is None:
                self._run = _Run(begin, position, 0)
            self._run.voiced += window
            self._run.last_voiced = position
        elif self._run is not None:
            if probability >= self._settings.vad_negative_threshold:
                self._run.last_voiced = position
            elif not self._held and self.silence_s > BRIDGE_S:
                self._run = None

    def hold(self) -> None:
        """The run is part of a turn now: silence no longer drops it."""
        self._held = True

    def reset(self) -> None:
        """Forget the run; the next voiced window begins a new one."""
        self._run, self._held, self._ignored_to = None, False, None

    def ignore(self) -> None:
        """Forget the run, and whatever else is said until the next silence."""
        last_voiced = self.last_voiced
        self.reset()
        if (self.position - last_voiced) / RECOGNIZER_RATE <= BRIDGE_S:
            self._ignored_to = last_voiced
