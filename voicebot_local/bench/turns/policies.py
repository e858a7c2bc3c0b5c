"""What a detector's scores are worth: cut-offs against waiting, over all ways to act on them.

The method is that of the open benchmark eot-bench. At every silence of a turn the detector gives
scores, every 100 ms; a policy of three numbers (threshold, least silence, timeout) ends the turn at
the first score over the threshold after the least silence, or at the timeout. Ending a pause within
the turn before the speaker goes on is a false cut-off; ending the last silence is the latency. All
policies of a grid are tried, and the best under a budget is what is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Pauses outside of this are not judged: articulation, and people who went away (s)."""
THRESHOLDS = (0.01, 0.02, 0.05, *(n / 100 for n in range(10, 100, 5)), 0.98, 0.99, math.inf)
"""The last ignores the scores."""
DELAYS_S = tuple(n / 10 for n in range(1, 11))
TIMEOUTS_S = tuple(n / 10 for n in range(1, 41))
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence of a turn.

    `length_s`: until the speaker goes on; None: the turn is over. `scores`: (silence so far in
    seconds, probability that the turn is over), in order.
    """

    length_s: float | None
    scores: tuple[tuple[float, float], ...] = ()

    @property
    def judged(self) -> bool:
        """Whether it counts: pauses of odd lengths do not."""
        return self.length_s is None or SHORTEST_PAUSE_S <= self.length_s <= LONGEST_PAUSE_S


@dataclass(frozen=True, slots=True)
class Point:
    """What one policy does: the share of pauses that it cuts off (0 to 1), and how long it lets
    those wait who are done, in the mean (s)."""

    cut_offs: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class Budgets:
    """The best under four budgets; None where no policy keeps it."""

    cut_offs_at_300_ms: float | None
    cut_offs_at_600_ms: float | None
    latency_at_5_percent_s: float | None
    latency_at_10_percent_s: float | None


def outcome(silences: Sequence[Silence], ended_s: Sequence[float]) -> Point:
    """What it means to end each of `silences` after so many seconds of it."""
    pauses = cut = ends = 0
    waited_s = 0.0
    for silence, after_s in zip(silences, ended_s, strict=True):
        if silence.length_s is None:
            ends += 1
            waited_s += after_s
        else:
            pauses += 1
            cut += after_s < silence.length_s - _EPSILON
    return Point(cut / max(1, pauses), round(waited_s / max(1, ends), 6))


def silence_only(silences: Sequence[Silence]) -> list[Point]:
    """The points of all timeouts alone."""
    return [outcome(silences, [timeout] * len(silences)) for timeout in TIMEOUTS_S]


def sweep(silences: Sequence[Silence]) -> list[Point]:
    """The points of all policies."""
    lengths = np.array([np.inf if s.length_s is None else s.length_s for s in silences])
    over = np.isinf(lengths)
    timeouts = np.array(TIMEOUTS_S)[:, None]
    points: set[tuple[float, float]] = set()
    for threshold in THRESHOLDS:
        for delay in DELAYS_S:
            fired = np.array([_fires(silence, threshold, delay) for silence in silences])
            ended = np.minimum(fired[None, :], timeouts)
            cut = (ended < lengths - _EPSILON) & ~over
            rates = cut.sum(axis=1) / max(1, int((~over).sum()))
            points.update(zip(rates.tolist(), _mean(ended[:, over]).tolist(), strict=True))
    return [Point(*point) for point in sorted(points)]


def _fires(silence: Silence, threshold: float, delay: float) -> float:
    late = (at for at, p in silence.scores if at >= delay - _EPSILON and p >= threshold)
    return next(late, np.inf)


def _mean(ended: NDArray[np.float64]) -> NDArray[np.float64]:
    return ended.mean(axis=1).round(6) if ended.shape[1] else np.zeros(len(ended))


def frontier(points: Sequence[Point]) -> list[Point]:
    """Those than which no other is better in both; by latency."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.latency_s, p.cut_offs)):
        if not best or point.cut_offs < best[-1].cut_offs:
            best.append(point)
    return best


def budgets(points: Sequence[Point]) -> Budgets:
    """The four figures that detectors are compared by."""

    def cut_offs(latency_s: float) -> float | None:
        return min(
            (p.cut_offs for p in points if p.latency_s <= latency_s + _EPSILON), default=None
        )

    def latency(share: float) -> float | None:
        return min((p.latency_s for p in points if p.cut_offs <= share + _EPSILON), default=None)

    return Budgets(cut_offs(0.3), cut_offs(0.6), latency(0.05), latency(0.1))
