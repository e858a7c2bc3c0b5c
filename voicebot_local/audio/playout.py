"""The playout buffer: replies go in at one end, the card's clock takes blocks at the other."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from voicebot_local.providers.base import Samples

FADE_S = 0.02
"""A pause fades out and in over this time, so that it does not click (s)."""


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

    A reply that is begun `held` is silent until it is released. One that is paused fades out over
    `fade` samples and stands still; resumed, it goes on with the very next sample, fading in.
    """

    def __init__(self, capacity: int, fade: int = 0) -> None:
        """`capacity`: the most samples that may wait. `fade`: length of a fade in samples."""
        self.capacity = capacity
        self._fade = fade
        self._lock = threading.Lock()
        self._queue: deque[Samples] = deque()
        self._waiting = 0
        self._reply = 0
        self._open = False
        self._started = False
        self._held = False
        self._paused = False
        self._loudness = fade
        """How far the present fade is from silence, in samples."""
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

    def begin(self, *, held: bool = False) -> int:
        """Start a new reply and return its number; anything left of an older one is dropped."""
        with self._lock:
            self._clear()
            self._played = self._underrun = 0
            self._open, self._held = True, held
            self._reply += 1
            return self._reply

    def release(self, reply: int) -> None:
        """Reply number `reply` is held no longer: the next block plays it."""
        with self._lock:
            if reply == self._reply:
                self._held = False

    def pause(self, reply: int) -> None:
        """Fade reply number `reply` out from the next block on, and let it stand still."""
        with self._lock:
            if reply == self._reply:
                self._paused = True

    def resume(self, reply: int) -> None:
        """Let reply number `reply` go on where it was paused."""
        with self._lock:
            if reply == self._reply:
                self._paused = False

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
            self._clear()
            self._open = False
            return self._played

    def _clear(self) -> None:
        self._queue.clear()
        self._waiting = 0
        self._started = self._held = self._paused = False
        self._loudness = self._fade

    def pull(self, count: int) -> Played:
        """The next `count` samples for the loudspeaker; called by the card's clock only."""
        out = np.zeros(count, np.float32)
        with self._lock:
            most = 0 if self._held else min(count, self._loudness) if self._paused else count
            filled = self._take(out, most)
            self._shape(out[:filled])
            self._waiting -= filled
            self._played += filled
            self._started = self._started or filled > 0
            if self._open and self._started and not self._paused:
                self._underrun += count - filled
            finished = not self._open and self._waiting == 0 and not self._held
            return Played(out, self._reply, self._played, self._underrun, finished)

    def _take(self, out: Samples, most: int) -> int:
        """Move up to `most` samples from the queue to `out`; returns how many there were."""
        filled = 0
        while filled < most and self._queue:
            head = self._queue[0]
            take = min(len(head), most - filled)
            out[filled : filled + take] = head[:take]
            filled += take
            if take == len(head):
                self._queue.popleft()
            else:
                self._queue[0] = head[take:]
        return filled

    def _shape(self, samples: Samples) -> None:
        """Fade `samples` out while paused, in while not yet as loud as they are."""
        count = len(samples)
        steps = np.arange(count, dtype=np.float32) + 0.5
        if self._paused and count:
            samples *= (self._loudness - steps[:count]) / self._fade
            self._loudness -= count
        elif self._loudness < self._fade:
            rising = min(count, self._fade - self._loudness)
            samples[:rising] *= (self._loudness + steps[:rising]) / self._fade
            self._loudness += rising
