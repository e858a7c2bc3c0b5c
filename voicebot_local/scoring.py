"""Lets a detector judge each pause of the user, again and again while it lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from anyio.abc import TaskGroup

from voicebot_local.errors import VoicebotError
from voicebot_local.events import Observation, TurnDetectorFailed, TurnScored
from voicebot_local.providers.base import Samples


class TurnDetector(Protocol):
    """Hears whether somebody has finished speaking; `audio.smart_turn.SmartTurn` is one."""

    @property
    def name(self) -> str:
        """What its scores are called."""
        ...

    @property
    def samples(self) -> int:
        """How much of the newest 16 kHz audio it wants at the most."""
        ...

    async def score(self, samples: Samples) -> float:
        """How likely (0..1) the speaker has finished.

        `samples`: 16 kHz, the turn so far, with the silence at its end. Does not block the event
        loop. Raises VoicebotError, and is not asked again then.
        """
        ...


class Scoring:
    """Has `detector` score the user's pauses, every `every_s` of each, one score at a time.

    `sound(begin, end)` gives the 16 kHz samples between two positions. A score is observed only if
    the pause that it belongs to still lasts.
    """

    def __init__(
        self,
        detector: TurnDetector,
        every_s: float,
        sound: Callable[[int, int], Samples],
        observe: Callable[[Observation], None],
    ) -> None:
        self._detector = detector
        self._every_s = every_s
        self._sound = sound
        self._observe = observe
        self._turn = 0
        self._from = 0
        self._pause = 0
        self._due_s = every_s
        self._failed = False
        self.busy = False
        """A score is being computed."""

    def begin(self, turn: int, audio_from: int) -> None:
        """A turn begins; what was heard before is none of it."""
        self._turn, self._from = turn, audio_from
        self._resume()

    def push(self, silence_s: float, position: int, tasks: TaskGroup) -> None:
        """At `position` the user has been silent for so long, within a turn that is not over; 0
        while they speak, and while nobody's turn is going on."""
        if silence_s <= 0:
            self._resume()
        elif silence_s >= self._due_s and not (self.busy or self._failed):
            self._due_s = silence_s + self._every_s
            begin = max(self._from, position - self._detector.samples)
            self.busy = True
            tasks.start_soon(self._score, self._sound(begin, position), position)

    def _resume(self) -> None:
        self._pause += 1
        self._due_s = self._every_s

    async def _score(self, samples: Samples, position: int) -> None:
        pause, turn = self._pause, self._turn
        try:
            probability = await self._detector.score(samples)
        except VoicebotError as error:
            self._failed = True
            self._observe(TurnDetectorFailed(self._detector.name, error.message))
            return
        finally:
            self.busy = False
        if pause == self._pause:
            self._observe(TurnScored(turn, self._detector.name, round(probability, 4), position))
