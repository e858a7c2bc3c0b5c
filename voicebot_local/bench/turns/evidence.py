"""What is known during each silence of a labelled turn, and what the program makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voicebot_local.bench.turns.labels import LabelledTurn
from voicebot_local.bench.turns.policies import Silence
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples
from voicebot_local.turns.end_of_turn import SMART_TURN, EndOfTurn
from voicebot_local.turns.settings import TurnSettings

STEP_S = 0.1
"""How often a silence is judged (s)."""
JUDGED_S = 2.0
"""A silence is judged until it is so long; later scores change nothing (s)."""


class Judge(Protocol):
    """`audio.smart_turn.SmartTurn`, for one."""

    def probability(self, samples: Samples) -> float:
        """How likely the speaker of the 16 kHz `samples` is done; they end with the silence."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One silence: how long (None: the turn is over), and at each moment of it what was known.

    `moments` are (silence so far in seconds, the words so far, the detector's score or None).
    """

    length_s: float | None
    moments: tuple[tuple[float, str, float | None], ...]


def hear(
    turn: LabelledTurn, samples: Samples, lag_s: float, judge: Judge | None
) -> Iterator[Heard]:
    """The silences of `turn`, whose 16 kHz audio is `samples`, as they are lived through.

    Nothing is known before its time: the detector hears no later sample, and words are understood
    `lag_s` after they are over. Where the recording ends before the last silence does, there is
    silence.
    """
    for start_s, end_s in turn.silences:
        length_s = None if end_s is None else end_s - start_s
        steps = int(min(JUDGED_S if length_s is None else length_s, JUDGED_S) / STEP_S + 1e-6)
        moments = []
        for step in range(1, steps + 1):
            silence_s = step * STEP_S
            now_s = start_s + silence_s
            score = None if judge is None else judge.probability(_until(samples, now_s))
            moments.append((round(silence_s, 3), turn.said_by(now_s - lag_s), score))
        yield Heard(length_s, tuple(moments))


def _until(samples: Samples, now_s: float) -> Samples:
    """What was heard by now; silence where the recording has ended."""
    wanted = round(now_s * RECOGNIZER_RATE)
    heard = samples[:wanted]
    return np.pad(heard, (0, wanted - len(heard)))


def detected(heard: Sequence[Heard]) -> list[Silence]:
    """The silences with the detector's own scores."""
    return [
        Silence(
            one.length_s, tuple((at, score) for at, _, score in one.moments if score is not None)
        )
        for one in heard
    ]


def weighed(heard: Sequence[Heard], settings: TurnSettings) -> list[Silence]:
    """The silences with the probability that words and scores give together."""
    return [
        Silence(
            one.length_s,
            tuple((at, end.probability) for at, end in _lived(one, EndOfTurn(settings))),
        )
        for one in heard
    ]


def without_scores(heard: Sequence[Heard]) -> list[Heard]:
    """The same, known by words alone."""
    return [
        Heard(one.length_s, tuple((at, text, None) for at, text, _ in one.moments)) for one in heard
    ]


def ended(heard: Sequence[Heard], settings: TurnSettings) -> list[float]:
    """After how much of each silence of one turn the program, as it is set, would end it. The
    speaker is new to it; after a false cut-off it listens on."""
    end = EndOfTurn(settings)
    end.begin()
    after_s = []
    for silence in heard:
        after_s.append(_ended(silence, end))
        if silence.length_s is not None:
            end.resumed(silence.length_s)
    return after_s


def _ended(silence: Heard, end: EndOfTurn) -> float:
    until = [*(at for at, _, _ in silence.moments[1:]), math.inf]
    for (at, _), next_at in zip(_lived(silence, end), until, strict=True):
        if (after_s := max(at, end.wait_s)) < next_at:
            return after_s
    return end.wait_s


def _lived(silence: Heard, end: EndOfTurn) -> Iterator[tuple[float, EndOfTurn]]:
    """`end` at each moment, with what was known then."""
    for at, text, score in silence.moments:
        if text:
            end.heard(text, final=False)
        if score is not None:
            end.scored(SMART_TURN, score, 0)
        yield at, end
