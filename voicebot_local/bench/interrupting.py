"""Recordings of a user who speaks over the reply, made from turns whose replies are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicebot_local.bench.recorded import HeardTurn, Meters
from voicebot_local.bench.recordings import Sound, UserTurn

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


def compose(first: Sound, second: Sound, gap_s: float) -> Sound:
    """`first` up to its last audible sample, silence, and `second` from its first audible one."""
    samples = np.concatenate(
        (
            first.samples[: first.end],
            np.zeros(round(gap_s * first.rate), np.float32),
            second.samples[second.start :],
        )
    )
    return Sound(first.rate, samples, first.start, len(samples))


def write_interruption(
    directory: Path, number: int, turns: list[UserTurn], sound: Sound
) -> UserTurn:
    """The composed sound as a recording, named for the turn that interrupts."""
    path = directory / f"interruption-{number}.wav"
    soundfile.write(path, sound.samples, sound.rate, subtype="FLOAT")
    return UserTurn(path, turns[1].transcript)
