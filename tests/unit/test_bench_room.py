"""The simulated room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from voicebot_local.bench.echo.room import SPEED_OF_SOUND, Echo, Room, impulse_response
from voicebot_local.providers.base import Samples

RATE = 24_000
QUIET = Room(noise_dbfs=-160, clip_dbfs=40)


def click(at: int, seconds: float = 1.0) -> Samples:
    sound = np.zeros(round(seconds * RATE), np.float32)
    sound[at] = 0.5
    return sound


def loudest(sound: Samples) -> int:
    return int(np.argmax(np.abs(sound)))


@pytest.mark.parametrize("delay_s", [0.02, 0.06, 0.3])
def test_the_first_sound_comes_after_the_buffers_and_the_air(delay_s: float) -> None:
    room = replace(QUIET, delay_s=delay_s, distance_m=0.5)
    expected = 1000 + delay_s * RATE + 0.5 / SPEED_OF_SOUND * RATE
    assert loudest(Echo(room, RATE).push(click(1000))) == pytest.approx(expected, abs=2)


def test_the_size_of_the_blocks_does_not_matter() -> None:
    sound = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) * 0.1
    room = Room(drift_ppm=80)
    whole = Echo(room, RATE).push(sound)
    one = Echo(room, RATE)
    blocks = np.concatenate([one.push(sound[at : at + 481]) for at in range(0, RATE, 481)])
    assert np.abs(whole - blocks).max() < 1e-5


@pytest.mark.parametrize("drift_ppm", [-200, 200])
def test_a_clock_that_drifts_moves_the_echo(drift_ppm: float) -> None:
    one = Echo(replace(QUIET, drift_ppm=drift_ppm), RATE)
    early = loudest(one.push(click(1000))) - 1000
    for _ in range(8):
        one.push(np.zeros(RATE, np.float32))
    late = loudest(one.push(click(1000))) - 1000
    assert late - early == pytest.approx(-9 * RATE * drift_ppm * 1e-6, abs=2)


@pytest.mark.parametrize("rt60_s", [0.2, 0.3, 0.6])
def test_the_walls_are_heard_as_long_as_they_should(rt60_s: float) -> None:
    response = impulse_response(Room(rt60_s=rt60_s), RATE)
    left_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] + 1e-12)
    fallen = [int(np.argmax(left_db < left_db[0] - db)) / RATE for db in (5, 25)]
    assert 3 * (fallen[1] - fallen[0]) == pytest.approx(rt60_s, rel=0.25)


def test_the_echo_is_as_loud_as_it_should_be() -> None:
    sound = np.random.default_rng(2).standard_normal(4 * RATE).astype(np.float32) * 0.05
    heard = Echo(replace(QUIET, echo_db=-12), RATE).push(sound)[RATE:]
    assert 20 * np.log10(heard.std() / sound.std()) == pytest.approx(-12, abs=0.5)


def test_a_loud_loudspeaker_distorts() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE).astype(np.float32)

    def harmonics_db(clip_dbfs: float) -> float:
        heard = Echo(replace(QUIET, clip_dbfs=clip_dbfs), RATE).push(tone)[RATE // 2 :]
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
        base = len(heard) * 500 // RATE
        others = sum(float(spectrum[base * n - 3 : base * n + 4].max()) ** 2 for n in (2, 3, 4, 5))
        return float(10 * np.log10(others / spectrum[base - 3 : base + 4].max() ** 2))

    assert harmonics_db(40) < -50 < harmonics_db(0) < harmonics_db(-6) - 5


def test_silence_leaves_the_noise_of_the_room() -> None:
    heard = Echo(Room(noise_dbfs=-60), RATE).push(np.zeros(RATE, np.float32))
    assert 20 * np.log10(heard.std()) == pytest.approx(-60, abs=1)
