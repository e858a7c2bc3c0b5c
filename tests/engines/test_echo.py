"""The echo canceller with WebRTC's library in it, in simulated rooms."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from voicebot_local.audio.echo import DELAY, TAIL_S, EchoCanceller
from voicebot_local.bench.echo.room import Echo, Room
from voicebot_local.providers.base import RECOGNIZER_RATE as RATE
from voicebot_local.providers.base import Samples

NOISE = np.random.default_rng(11)


def babble(seconds: float) -> Samples:
    """Noise with the ups and downs of speech."""
    count = round(seconds * RATE)
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 3.7 * np.arange(count) / RATE)
    return (0.1 * swell**2 * NOISE.standard_normal(count)).astype(np.float32)


def run(canceller: EchoCanceller, heard: Samples, played: Samples, step: int = 512) -> Samples:
    places = range(0, len(heard), step)
    out = [canceller.push(heard[at : at + step], played[at : at + step]) for at in places]
    return np.concatenate(out)


def db(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-15))


ROOMS = {
    "desk": Room(),
    "late": Room(delay_s=0.3),
    "drifting": Room(drift_ppm=100),
    "echoing": Room(rt60_s=0.6),
    "distorted": Room(clip_dbfs=-9),
}


@pytest.mark.parametrize("room", ROOMS.values(), ids=list(ROOMS))
def test_the_echo_is_taken_away(room: Room) -> None:
    played = babble(8)
    heard = Echo(room, RATE).push(played)
    left = run(EchoCanceller(), heard, played)
    assert db(heard[-2 * RATE :]) - db(left[-2 * RATE :]) > 18


def test_until_something_is_played_the_sound_is_only_late() -> None:
    heard = babble(3)
    canceller = EchoCanceller()
    out = run(canceller, heard, np.zeros_like(heard))
    assert np.array_equal(out[DELAY:], heard[: len(out) - DELAY])
    assert not canceller.awake


def test_it_rests_when_the_echo_has_died_away_and_loses_no_sample() -> None:
    heard = (0.05 * NOISE.standard_normal(6 * RATE)).astype(np.float32)
    played = np.zeros_like(heard)
    played[RATE : 2 * RATE] = 0.01
    canceller = EchoCanceller()
    awake = []
    out = []
    for at in range(0, len(heard), 512):
        out.append(canceller.push(heard[at : at + 512], played[at : at + 512]))
        awake.append(canceller.awake)
    assert (awake[0], awake[-1]) == (False, False)
    assert sum(awake) * 512 / RATE == pytest.approx(1 + TAIL_S, abs=0.1)
    sound = np.concatenate(out)
    before, after = slice(DELAY, RATE), slice(5 * RATE, None)
    late = np.concatenate((np.zeros(DELAY, np.float32), heard))[: len(sound)]
    assert np.array_equal(sound[before], late[before])
    assert np.array_equal(sound[after], late[after])


@pytest.mark.parametrize("step", [512, 517, 1000, 37])
def test_whenever_whole_windows_were_taken_as_many_samples_were_given(step: int) -> None:
    canceller = EchoCanceller()
    taken = given = 0
    for _ in range(200):
        sound = np.full(step, 0.01, np.float32)
        given += len(canceller.push(sound, sound))
        taken += step
        assert given >= taken // 512 * 512


def test_a_user_as_loud_as_the_echo_is_heard() -> None:
    played = babble(10)
    echo = Echo(Room(), RATE).push(played)
    user = np.zeros_like(echo)
    tone = np.sin(2 * np.pi * 700 * np.arange(RATE) / RATE)
    user[7 * RATE : 8 * RATE] = tone * np.std(echo) * np.sqrt(2)
    left = run(EchoCanceller(), echo + user, played)
    assert db(left[7 * RATE + DELAY : 8 * RATE]) > db(user[7 * RATE : 8 * RATE]) - 6
    assert db(left[5 * RATE : 7 * RATE]) < db(user[7 * RATE : 8 * RATE]) - 20


def test_the_library_reaches_nobody_and_says_nothing() -> None:
    """In a process of its own, where nothing else has opened anything."""
    program = """
import logging, psutil
logging.basicConfig(level=logging.DEBUG)
import numpy as np
from voicebot_local.audio.echo import EchoCanceller
canceller = EchoCanceller()
sound = np.full(16000, 0.1, np.float32)
canceller.push(sound, sound)
assert canceller.awake
assert psutil.Process().net_connections() == []
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    assert sound_of(run.stderr) == []


def sound_of(stderr: str) -> list[str]:
    """What was written that is more than asyncio's own remark."""
    return [line for line in stderr.splitlines() if "asyncio" not in line]
