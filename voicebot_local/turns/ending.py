"""When the conversation is over. Pure."""

from __future__ import annotations


class Ending:
    """It is over after `turns` turns (0 is no limit), or when nothing more can be said."""

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._finished = 0
        self.input_ended = False
        """Nothing more will be said."""

    def count(self) -> None:
        """A turn of the user's is finished."""
        self._finished += 1

    def reason(self, *, speaking: bool) -> str | None:
        """Why it is over now, between two turns; None where it goes on. `speaking`: somebody may
        have begun to speak."""
        if self._turns and self._finished >= self._turns:
            return f"{self._turns} turns"
        if self.input_ended and not speaking:
            return "end of input"
        return None
