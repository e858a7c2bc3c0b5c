"""Push-to-talk: whether the user is to be heard. Pure; time is the position of the newest audio."""

from __future__ import annotations

from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.settings import TurnSettings

LATE_S = 1.0
"""Who presses the key so soon after silence has ended the turn meant to end it (s)."""


class TalkKey:
    """In push-to-talk, sound counts as speech only between a press of the key and the end of the
    turn: the key again, or silence. In the open mode it always counts."""

    def __init__(self, settings: TurnSettings) -> None:
        self._needed = settings.mode == "push-to-talk"
        self._wait = round(settings.talk_wait_s * RECOGNIZER_RATE)
        self._pressed_at: int | None = None
        self._over_at: int | None = None
        self.released = False
        """The user has said with the key that the turn is over."""

    @property
    def down(self) -> bool:
        """The user has pressed the key and not ended the turn yet."""
        return self._pressed_at is not None

    def press(self, position: int) -> None:
        """The user is to be heard from now on."""
        self._pressed_at, self.released = position, False

    def release(self) -> None:
        """The user is done."""
        self._pressed_at, self.released = None, True

    def turn_over(self, position: int) -> None:
        """What was said is being answered: the key has to be pressed anew."""
        self._over_at = position if self.down else None
        self._pressed_at, self.released = None, False

    def late(self, position: int) -> bool:
        """Whether a press now comes too late for the turn that silence has ended meanwhile."""
        over_at, self._over_at = self._over_at, None
        return over_at is not None and position - over_at < LATE_S * RECOGNIZER_RATE

    def heard(self, probability: float, position: int, *, idle: bool) -> float:
        """The probability of speech that counts. Who presses the key and says nothing for too long
        while nothing goes on (`idle`) is not heard any more."""
        if not self._needed:
            return probability
        if self._pressed_at is not None and idle and position - self._pressed_at > self._wait:
            self._pressed_at = None
        return probability if self.down else 0.0
