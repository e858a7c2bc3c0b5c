"""Percentiles of what was measured, and the ratio of two stacks with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 20_240_607
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """So many values: their median, 95th percentile and maximum, in the values' unit."""

    count: int
    p50: float
    p95: float
    max: float


def figure(values: Sequence[float]) -> Figure | None:
    """None where there is nothing to say; percentiles are interpolated."""
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return Figure(len(values), round(float(p50), 2), round(float(p95), 2), round(max(values), 2))


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the second over that of the first, from `pairs` pairs.

    With 95 % confidence it lies between `low` and `high`; below 1 the second is faster.
    """

    pairs: int
    ratio: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether one of the two is faster, as far as these pairs can tell."""
        return not self.low <= 1 <= self.high


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    """The ratio of medians over pairs of one turn played to both; None for fewer than two.

    The interval is the bootstrap's: the pairs are drawn again 10,000 times, with a fixed seed, so
    the same pairs give the same interval.
    """
    if len(pairs) < 2:
        return None
    values = np.asarray(pairs, float)
    drawn = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)))
    with np.errstate(divide="ignore", invalid="ignore"):
        medians = np.median(values[drawn], axis=1)
        ratios = medians[:, 1] / medians[:, 0]
        first, second = np.median(values, axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Ratio(
        len(values), round(float(second / first), 4), round(float(low), 4), round(float(high), 4)
    )
