"""The playout buffer: replies go in at one end, the card's clock takes blocks at the other."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from voicebot_local.providers.base import Samples


class Playout:
    """Audio that is waiting to be played, at the card's rate.

    Writers run in the session's task, `pull` in the card's clock (a thread of the sound system, or
    the pacing loop of a recording); a lock that is held for microseconds keeps them apart. Nothing
    here ever waits: the writer asks `space` first, and a clock that finds too little plays silence.
    """

    def __init__(self, capacity: int) -> None:
        """`capacity`: the most samples that may wait."""
        self.capacity = capacity
        self._lock = threading.Lock()
        self._queue: deque[Samples] = deque()
        self._waiting = 0
        self._open = False
        self._started = False
        self._played = 0
        self._underrun = 0

    @property
    def waiting(self) -> int:
        """Samples that are buffered and not yet played."""
        return self._waiting

    @property
    def space(self) -> int:
        """Samples that may be written now."""
        return self.capacity - self._waiting

    @property
    def reply_played(self) -> int:
        """Samples of the present reply that were handed to the card."""
        return self._played

    @property
    def underrun_samples(self) -> int:
        """Silence played inside the present reply because its audio came too late, in samples."""
        return self._underrun

    @property
    def finished(self) -> bool:
        """True when the present reply was closed and all of it was played."""
        return not self._open and self._waiting == 0

    def begin(self) -> None:
        """Start a new reply; anything left of an older one is dropped."""
        with self._lock:
            self._queue.clear()
            self._waiting = self._played = self._underrun = 0
            self._open, self._started = True, False

    def write(self, samples: Samples) -> None:
        """Append to the present reply. The caller has asked `space`; more than fits raises."""
        with self._lock:
            if len(samples) > self.capacity - self._waiting:
                raise BufferError(f"{len(samples)} samples do not fit in {self.space}")
            if len(samples):
                self._queue.append(samples)
                self._waiting += len(samples)

    def close(self) -> None:
        """No more audio will come for the present reply."""
        with self._lock:
            self._open = False

    def flush(self) -> int:
        """Drop what was not played; the next block is silent. Returns `reply_played`."""
        with self._lock:
            self._queue.clear()
            self._waiting = 0
            self._open = self._started = False
            return self._played

    def pull(self, count: int) -> Samples:
        """The next `count` samples for the loudspeaker; called by the card's clock only."""
        out = np.zeros(count, np.float32)
        with self._lock:
            filled = 0
            while filled < count and self._queue:
                head = self._queue[0]
                take = min(len(head), count - filled)
                out[filled : filled + take] = head[:take]
                filled += take
                if take == len(head):
                    self._queue.popleft()
                else:
                    self._queue[0] = head[take:]
            self._waiting -= filled
            self._played += filled
            self._started = self._started or filled > 0
            if self._open and self._started:
                self._underrun += count - filled
        return out
