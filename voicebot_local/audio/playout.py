"""The playout buffer: replies go in at one end, the card's clock takes blocks at the other."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from voicebot_local.providers.base import Samples


@dataclass(frozen=True, slots=True)
class Played:
    """What one block handed to the loudspeaker: `samples`, silence included.

    `reply` numbers the reply they belong to (0: none yet), `reply_played` counts the samples of it
    that were played so far, `underrun` the silence that had to be played inside it so far.
    """

    samples: Samples
    reply: int
    reply_played: int
    underrun: int
    finished: bool


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
        self._reply = 0
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

    def begin(self) -> int:
        """Start a new reply and return its number; anything left of an older one is dropped."""
        with self._lock:
            self._queue.clear()
            self._waiting = self._played = self._underrun = 0
            self._open, self._started = True, False
            self._reply += 1
            return self._reply

    def write(self, reply: int, samples: Samples) -> None:
        """Append to reply number `reply`; audio of a reply that is over is dropped.

        The caller has asked `space`; more than fits raises BufferError.
        """
        with self._lock:
            if reply != self._reply or not self._open:
                return
            if len(samples) > self.capacity - self._waiting:
                raise BufferError(f"{len(samples)} samples do not fit in {self.space}")
            if len(samples):
                self._queue.append(samples)
                self._waiting += len(samples)

    def close(self, reply: int) -> None:
        """No more audio will come for reply number `reply`."""
        with self._lock:
            if reply == self._reply:
                self._open = False

    def flush(self) -> int:
        """End the present reply: the next block is silent. Returns how much of it was played."""
        with self._lock:
            self._queue.clear()
            self._waiting = 0
            self._open = self._started = False
            return self._played

    def pull(self, count: int) -> Played:
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
            finished = not self._open and self._waiting == 0
            return Played(out, self._reply, self._played, self._underrun, finished)
