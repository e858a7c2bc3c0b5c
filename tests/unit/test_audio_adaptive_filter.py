"""The filter that learns how the loudspeaker sounds at the microphone."""

from __future__ import annotations

import numpy as np
import pytest

from voicebot_local.audio.adaptive_filter import BLOCK, AdaptiveFilter
from voicebot_local.providers.base import RECOGNIZER_RATE as RATE
from voicebot_local.providers.base import Samples

NOISE = np.random.default_rng(5)


def noise(seconds: float, level: float = 0.1) -> Samples:
    count = round(seconds * RATE) // BLOCK * BLOCK
    return (level * NOISE.standard_normal(count)).astype(np.float32)


def echo_of(played: Samples, delay: int, gain: float = 0.7) -> Samples:
    return np.concatenate((np.zeros(delay, np.float32), gain * played))[: len(played)]


def run(each: AdaptiveFilter, heard: Samples, played: Samples) -> Samples:
    blocks = range(0, len(heard), BLOCK)
    return np.concatenate(
        [each.push(heard[at : at + BLOCK], played[at : at + BLOCK]) for at in blocks]
    )


def reduced_db(heard: Samples, left: Samples) -> float:
    return float(10 * np.log10(np.mean(heard**2) / np.mean(left**2)))


@pytest.mark.parametrize("delay_ms", [5, 60, 300, 480])
def test_it_finds_the_delay_and_takes_the_echo_away(delay_ms: int) -> None:
    played = noise(5)
    heard = echo_of(played, delay_ms * RATE // 1000)
    left = run(AdaptiveFilter(), heard, played)
    assert reduced_db(heard[-RATE:], left[-RATE:]) > 20


def test_it_leaves_the_user_alone() -> None:
    played, user = noise(6), noise(6)
    user[: 3 * RATE] = 0
    left = run(AdaptiveFilter(), echo_of(played, 900) + user, played)
    speaking = slice(3 * RATE, None)
    assert reduced_db(user[speaking], left[speaking] - user[speaking]) > 10


def test_where_nothing_is_played_everything_stays_as_it_was() -> None:
    heard = noise(1)
    assert np.array_equal(run(AdaptiveFilter(), heard, np.zeros_like(heard)), heard)


def test_a_loudspeaker_that_was_moved_is_learnt_anew_and_never_made_louder() -> None:
    played = noise(9)
    before = np.arange(len(played)) < 4 * RATE
    heard = np.where(before, echo_of(played, 900), echo_of(played, 2500))
    left = run(AdaptiveFilter(), heard.astype(np.float32), played)
    moved = slice(4 * RATE + RATE // 2, 5 * RATE)
    assert reduced_db(heard[moved], left[moved]) > 0
    assert reduced_db(heard[-RATE:], left[-RATE:]) > 20
