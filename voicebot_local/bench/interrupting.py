"""Recordings of a user who speaks over the reply, made from turns whose replies are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicebot_local.bench.recorded import HeardTurn, Meters
from voicebot_local.bench.recordings import Sound, UserTurn
from voicebot_local.bench.spans import Span
from voicebot_local.providers.base import Samples

MOST = 3
"""Interruptions in one session."""
LONG_ENOUGH_S = 1.2
"""A shorter reply may be over before it is spoken over."""
INTO_S, INTO_SHARE = 0.8, 0.4
"""How far into a reply the user speaks: so long, or that share of a short one."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """After turn `first` (an index), `gap_s` after its last audible sample, comes turn `second`."""

    first: int
    second: int
    gap_s: float


@dataclass(frozen=True, slots=True)
class Composed:
    """A recording in which the user speaks twice, and where."""

    rate: int
    samples: Samples
    spans: list[Span]

    def write(self, path: Path) -> None:
        """Make it a file."""
        soundfile.write(path, self.samples, self.rate, subtype="FLOAT")


def plan_interruptions(meters: Meters, heard: list[HeardTurn]) -> list[Interruption]:
    """The longest replies of a session, and when to speak over them; `heard` in playing order."""
    lengths: list[tuple[float, int, float]] = []
    for number, turn in enumerate(heard):
        if turn.latency_s is None or turn.reply_start is None:
            continue
        after = heard[number + 1].user_start if number + 1 < len(heard) else meters.left.position
        ends = [end for start, end in meters.replies() if turn.reply_start <= start < after]
        length_s = (max(ends) - turn.reply_start) / meters.rate
        if length_s >= LONG_ENOUGH_S:
            into_s = min(INTO_S, INTO_SHARE * length_s)
            lengths.append((length_s, number, turn.latency_s + into_s))
    lengths.sort(reverse=True)
    return [
        Interruption(number, (number + 1) % len(heard), gap_s)
        for _, number, gap_s in lengths[:MOST]
    ]


def compose(one: Interruption, turns: list[UserTurn], sounds: list[Sound]) -> Composed:
    """The first turn up to its last audible sample, silence, the second from its first one."""
    first, second = sounds[one.first], sounds[one.second]
    rate = first.rate
    gap = np.zeros(round(one.gap_s * rate), np.float32)
    samples = np.concatenate((first.samples[: first.end], gap, second.samples[second.start :]))
    over = first.end + len(gap)
    ends = ((first.start, first.end), (over, over + second.end - second.start))
    spans = [
        Span(start / rate, end / rate, turns[number].transcript, turns[number].name)
        for (start, end), number in zip(ends, (one.first, one.second), strict=True)
    ]
    return Composed(rate, samples, spans)
