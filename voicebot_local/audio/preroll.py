"""The last moments of sound, so that what was said before speech was detected is not lost."""

from __future__ import annotations

import numpy as np

from voicebot_local.providers.base import Samples


class Preroll:
    """Keeps the newest `capacity` samples, found by their absolute position."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a preroll keeps at least one sample")
        self.capacity = capacity
        self._ring = np.zeros(capacity, np.float32)
        self._position = 0

    @property
    def position(self) -> int:
        """Samples pushed so far: the position of the next one."""
        return self._position

    @property
    def oldest(self) -> int:
        """Position of the oldest sample that is still kept."""
        return max(0, self._position - self.capacity)

    def push(self, block: Samples) -> None:
        """Append; the oldest samples make room."""
        newest = block[-self.capacity :]
        self._position += len(block)
        start = (self._position - len(newest)) % self.capacity
        before_wrap = min(len(newest), self.capacity - start)
        self._ring[start : start + before_wrap] = newest[:before_wrap]
        self._ring[: len(newest) - before_wrap] = newest[before_wrap:]

    def since(self, position: int) -> Samples:
        """A copy of everything from `position` on, or from `oldest` where that is later."""
        start = min(max(position, self.oldest), self._position)
        indices = np.arange(start, self._position) % self.capacity
        return self._ring[indices]
