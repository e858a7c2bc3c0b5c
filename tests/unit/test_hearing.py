"""The microphone's side of a session: where the user's last sound was, echo or not."""

from __future__ import annotations

import numpy as np
import pytest

from voicebot_local.audio.echo import EchoCanceller
from voicebot_local.audio.far_end import Canceller, FarEnd
from voicebot_local.hearing import Hearing
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

RATES = (16_000, 24_000, 44_100, 48_000)
SPOKEN_S, ECHO_S, ALL_S = 1.5, 2.5, 3.0


class Counting:
    """A detector that finds no speech."""

    position = 0

    def push(self, samples: Samples) -> list[tuple[int, float]]:
        before, self.position = self.position, self.position + len(samples)
        ends = range(before // 512 * 512 + 512, self.position + 1, 512)
        return [(end, 0.0) for end in ends]


class Subtracting:
    """Takes away what was played, which the microphone hears as it is, and is `delay` late."""

    awake = True

    def __init__(self, delay: int) -> None:
        self.delay = delay
        self._late = np.zeros(delay, np.float32)

    def push(self, heard: Samples, played: Samples) -> Samples:
        self._late = np.concatenate((self._late, heard - played))
        given, self._late = np.split(self._late, [len(heard)])
        return given


def tone(rate: int, begin_s: float, end_s: float, hertz: float) -> Samples:
    at = np.arange(round(ALL_S * rate)) / rate
    inside = (at >= begin_s) & (at < end_s)
    return (0.2 * inside * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def end_of_speech(rate: int, canceller: Canceller | None, echo: Samples) -> float:
    """Where the user's last sound is by all that was heard (s), the echo over it."""
    far_end = FarEnd(rate, canceller) if canceller is not None else None
    hearing = Hearing(rate, Counting(), far_end)
    user = tone(rate, 0.5, SPOKEN_S, 440)
    for start in range(0, len(user), rate // 100):
        block = slice(start, start + rate // 100)
        list(hearing.push(user[block] + echo[block], echo[block]))
    last = hearing.last_audible(hearing.position)
    assert last is not None
    return last / rate


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("delay", [0, 256, 1600])
def test_the_end_of_speech_is_where_it_was_without_its_echo(rate: int, delay: int) -> None:
    echo = tone(rate, 1.0, ECHO_S, 700)
    found = end_of_speech(rate, Subtracting(delay), echo)
    assert found == pytest.approx(SPOKEN_S, abs=0.0025)


@pytest.mark.parametrize("rate", RATES)
def test_what_nobody_takes_away_counts(rate: int) -> None:
    found = end_of_speech(rate, None, tone(rate, 1.0, ECHO_S, 700))
    assert found == pytest.approx(ECHO_S, abs=0.0015)


def test_the_canceller_at_rest_says_how_late_it_is() -> None:
    silence = np.zeros(round(ALL_S * RECOGNIZER_RATE), np.float32)
    found = end_of_speech(RECOGNIZER_RATE, EchoCanceller(), silence)
    assert found == pytest.approx(SPOKEN_S, abs=0.0015)
