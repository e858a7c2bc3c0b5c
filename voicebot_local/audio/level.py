"""How loud it is and was, and where sound begins and ends: what latency is measured with.

Sound is *audible* where a frame of 10 ms (frames lie on the clock's own grid) is louder than
-45 dBFS; 0 dBFS is a full-scale square wave. It begins with the frame's first millisecond that is
louder, and ends with its last. The same meter is fed by a running session and by a finished
recording, so both say the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voicebot_local.providers.base import Samples

AUDIBLE_DB = -45.0
FRAME_MS = 10
SILENCE_DB = -100.0
"""Below this there is no microphone: digital silence, which says nothing about the room."""
FLOOR_WINDOW_S = 10.0
FLOOR_STRETCH_MS = 300
FLOOR_MARGIN_DB = 10.0
FLOOR_BELOW_PEAK_DB = 15.0
LUMP_S = 0.25
"""Sound is looked at in lumps of this length, or when somebody asks: a block of 10 ms alone would
cost as much."""

Powers = NDArray[np.float32]
"""Mean squares: of milliseconds, or of frames."""


class LevelMeter:
    """The power of every millisecond of the last `keep_s` seconds, found by absolute position."""

    def __init__(self, rate: int, keep_s: float = 60.0) -> None:
        """`rate` in Hz, at least 1000."""
        self.rate = rate
        self._keep = math.ceil(keep_s * 1000 / FRAME_MS) * FRAME_MS
        # Twice the room, so that what is too old is moved out in one go, and seldom.
        self._powers: Powers = np.zeros(2 * self._keep, np.float32)
        self._first = 0
        """The millisecond that `_powers` begins with."""
        self._end = 0
        """The millisecond that comes next."""
        self._pending: list[Samples] = []
        self._position = self._settled = 0
        self._lump = round(LUMP_S * rate)

    @property
    def position(self) -> int:
        """Samples pushed so far."""
        return self._position

    @property
    def oldest(self) -> int:
        """Position of the oldest sample that is still known of."""
        self._settle()
        return self._start_of(self._oldest)

    def push(self, block: Samples) -> None:
        """Take the next samples; they may not change afterwards."""
        self._pending.append(block)
        self._position += len(block)
        if self._position - self._settled >= self._lump:
            self._settle()

    def _settle(self) -> None:
        """Find the power of what was pushed; what is asked for needs it."""
        if self._settled == self._position:
            return
        self._settled = self._position
        begin = self._start_of(self._end)
        sound = np.concatenate(self._pending)
        whole = self._index_of(self._position) - self._end
        if whole:
            edges = -(-np.arange(self._end, self._end + whole + 1) * self.rate // 1000) - begin
            squares = np.square(sound[: edges[-1]], dtype=np.float32)
            sums = np.add.reduceat(squares, edges[:-1])
            self._append((sums / np.diff(edges)).astype(np.float32))
            sound = sound[edges[-1] :]
        self._pending = [np.array(sound, np.float32)]

    def level_db(self) -> float:
        """Level of the newest whole frame, in dBFS; minus infinity where all is zero."""
        self._settle()
        end = self._end // FRAME_MS * FRAME_MS
        frames = self._frames(end - FRAME_MS, end)
        return _db(float(frames[-1])) if len(frames) else -math.inf

    def first_audible(self, after: int, threshold_db: float = AUDIBLE_DB) -> int | None:
        """Position of the first audible sample at or after `after`, to the millisecond.

        None where there is none yet. What is older than `oldest` is not looked at.
        """
        self._settle()
        loud = self._loud(self._index_of(after), self._end, threshold_db)
        return max(after, self._start_of(int(loud[0]))) if len(loud) else None

    def last_audible(self, before: int, threshold_db: float = AUDIBLE_DB) -> int | None:
        """Position just after the last audible sample, in the frames that end at `before` or
        earlier; None where there is none."""
        self._settle()
        loud = self._loud(self._oldest, self._index_of(before), threshold_db)
        return self._start_of(int(loud[-1]) + 1) if len(loud) else None

    def audible_s(self, after: int, before: int, threshold_db: float = AUDIBLE_DB) -> float:
        """Seconds of audible frames that lie between two positions."""
        self._settle()
        frames = self._frames(self._index_of(after - 1) + 1, self._index_of(before))
        return int(np.count_nonzero(frames > _power(threshold_db))) * FRAME_MS / 1000

    def sounds(self, pause_s: float, threshold_db: float = AUDIBLE_DB) -> list[tuple[int, int]]:
        """Start and end of every audible sound, oldest first; shorter pauses do not divide it."""
        self._settle()
        loud = self._loud(self._oldest, self._end, threshold_db)
        if not len(loud):
            return []
        parts = np.split(loud, np.flatnonzero(np.diff(loud) > pause_s * 1000) + 1)
        return [(self._start_of(int(part[0])), self._start_of(int(part[-1]) + 1)) for part in parts]

    def quietest_db(self) -> float:
        """Level of the quietest 300 ms that are known, in dBFS; minus infinity where all is zero,
        or where there is less."""
        self._settle()
        frames = self._frames(self._oldest, self._end)
        stretch = FLOOR_STRETCH_MS // FRAME_MS
        if len(frames) < stretch:
            return -math.inf
        return _db(float(np.convolve(frames, np.ones(stretch) / stretch, "valid").min()))

    def threshold_db(self, before: int, window_s: float = FLOOR_WINDOW_S) -> float:
        """What is audible in a room that is not silent: -45 dBFS, or 10 dB above its noise.

        The noise is the quietest 300 ms of the `window_s` before `before`, digital silence left
        out. It lies at least 15 dB below the loudest frame there; else it is somebody speaking.
        """
        self._settle()
        end = self._index_of(before)
        window_ms = math.ceil(window_s * 1000)
        frames = self._frames(end // FRAME_MS * FRAME_MS - window_ms, end)
        stretch = FLOOR_STRETCH_MS // FRAME_MS
        if len(frames) < stretch:
            return AUDIBLE_DB
        ones = np.ones(stretch)
        means = np.convolve(frames, ones, "valid") / stretch
        unbroken = np.convolve(frames > _power(SILENCE_DB), ones, "valid") > stretch - 0.5
        if not unbroken.any():
            return AUDIBLE_DB
        noise_db = _db(float(means[unbroken].min()))
        if noise_db > _db(float(frames.max())) - FLOOR_BELOW_PEAK_DB:
            return AUDIBLE_DB
        return max(AUDIBLE_DB, noise_db + FLOOR_MARGIN_DB)

    @property
    def _oldest(self) -> int:
        return max(self._first, self._end - self._keep)

    def _start_of(self, millisecond: int) -> int:
        """Position of its first sample."""
        return -(-millisecond * self.rate // 1000)

    def _index_of(self, position: int) -> int:
        """The millisecond that a sample lies in; whole milliseconds end before it."""
        return position * 1000 // self.rate

    def _append(self, powers: Powers) -> None:
        room = len(self._powers) - (self._end - self._first)
        if len(powers) > room:
            kept = self._powers[self._oldest - self._first : self._end - self._first]
            both = np.concatenate((kept, powers))[-self._keep :]
            self._powers[: len(both)] = both
            self._end += len(powers)
            self._first = self._end - len(both)
        else:
            start = self._end - self._first
            self._powers[start : start + len(powers)] = powers
            self._end += len(powers)

    def _grid(self, begin: int, end: int) -> tuple[int, int]:
        """The known whole frames that lie between two milliseconds, in milliseconds."""
        first = -(-max(begin, self._oldest) // FRAME_MS) * FRAME_MS
        return first, max(first, min(end, self._end) // FRAME_MS * FRAME_MS)

    def _frames(self, begin: int, end: int) -> Powers:
        """Powers of the known whole frames between two milliseconds."""
        first, last = self._grid(begin, end)
        powers = self._powers[first - self._first : last - self._first]
        return np.asarray(powers.reshape(-1, FRAME_MS).mean(axis=1), np.float32)

    def _loud(self, begin: int, end: int, threshold_db: float) -> NDArray[np.intp]:
        """The louder milliseconds from `begin` on, in whole audible frames that end by `end`."""
        first, last = self._grid(begin // FRAME_MS * FRAME_MS, end)
        powers = self._powers[first - self._first : last - self._first].reshape(-1, FRAME_MS)
        audible = powers.mean(axis=1, keepdims=True) > _power(threshold_db)
        found = np.flatnonzero(audible & (powers > _power(threshold_db))) + first
        return found[found >= begin]


def _power(level_db: float) -> float:
    return float(10 ** (level_db / 10))


def _db(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf
