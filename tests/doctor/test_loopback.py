"""What came back of a chirp, in recordings that are made here and whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from voicebot_local.audio.resample import Resampler
from voicebot_local.doctor.loopback import HIGH_HZ, LEVEL, LONGEST_S, LOW_HZ, chirp, measure
from voicebot_local.providers.base import Samples

PLAYED_AT = 24_000


def recording(rate: int, delay: int, gain: float, noise: float = 0.0, seed: int = 1) -> Samples:
    """Noise, and in it the chirp, `delay` samples after it was played, times `gain`."""
    length = PLAYED_AT + len(chirp(rate)) + round((LONGEST_S + 0.2) * rate)
    heard = noise * np.random.default_rng(seed).standard_normal(length)
    start = PLAYED_AT + delay
    heard[start : start + len(chirp(rate))] += gain * chirp(rate)
    return heard.astype(np.float32)


def test_the_chirp_is_what_it_says() -> None:
    sound = chirp(48_000)
    assert (len(sound), sound.dtype) == (24_000, np.float32)
    assert abs(float(np.abs(sound).max()) - LEVEL) < 0.01
    assert sound[0] == 0
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 48_000)
    inside = power[(hertz > 0.8 * LOW_HZ) & (hertz < 1.2 * HIGH_HZ)].sum()
    assert inside / power.sum() > 0.99


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("delay_s", [0.0, 0.0123, 0.2, 0.9])
def test_delay_and_level(rate: int, delay_s: float) -> None:
    delay = round(delay_s * rate)
    found = measure(recording(rate, delay, 0.1, noise=0.001), PLAYED_AT, rate)
    assert found is not None
    assert abs(found.delay_s * rate - delay) <= 1
    assert found.return_db == pytest.approx(-20, abs=0.5)
    assert found.noise_dbfs == pytest.approx(-60, abs=0.5)


def test_a_faint_echo_in_louder_noise_is_still_found() -> None:
    heard = recording(48_000, 3000, 0.03, noise=0.01)
    found = measure(heard, PLAYED_AT, 48_000)
    assert found is not None
    assert abs(found.delay_s * 48_000 - 3000) <= 2
    assert found.return_db == pytest.approx(-30.5, abs=3)


def test_an_inverted_echo_counts_as_well() -> None:
    found = measure(recording(48_000, 480, -0.5), PLAYED_AT, 48_000)
    assert found is not None
    assert (found.delay_s, round(found.return_db)) == (0.01, -6)


def test_a_room_and_a_small_loudspeaker() -> None:
    """Reflections for 0.2 s, and no bass: the direct sound is what is timed."""
    rate = 48_000
    rng = np.random.default_rng(3)
    tail = np.exp(-np.arange(rate // 5) / (0.03 * rate)) * rng.standard_normal(rate // 5) * 0.05
    tail[0] = 1.0
    dry = recording(rate, 2400, 0.2)
    heard = np.convolve(dry, tail)[: len(dry)]
    heard = lfilter([1, -1], [1, -0.9], heard) + 0.001 * rng.standard_normal(len(dry))
    found = measure(heard.astype(np.float32), PLAYED_AT, rate)
    assert found is not None
    assert abs(found.delay_s - 0.05) < 0.001


def test_a_device_on_a_clock_of_its_own() -> None:
    """The chirp, resampled to 44.1 kHz and back, a hair too slow."""
    there, back = Resampler(48_000, 44_100), Resampler(44_103, 48_000)
    once = np.concatenate((there.push(chirp(48_000)), there.finish()))
    twice = np.concatenate((back.push(once), back.finish()))
    heard = np.zeros(PLAYED_AT + 96_000, np.float32)
    heard[PLAYED_AT + 4800 : PLAYED_AT + 4800 + len(twice)] = 0.3 * twice
    found = measure(heard, PLAYED_AT, 48_000)
    assert found is not None
    assert abs(found.delay_s - 0.1) < 0.002


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_is_no_echo(seed: int) -> None:
    assert measure(recording(48_000, 0, 0.0, noise=0.1, seed=seed), PLAYED_AT, 48_000) is None


def test_other_sounds_are_no_echo() -> None:
    rate = 48_000
    t = np.arange(PLAYED_AT + 2 * rate) / rate
    hum = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sign(np.sin(2 * np.pi * 100 * t))
    assert measure(hum.astype(np.float32), PLAYED_AT, rate) is None


def test_silence_is_no_echo() -> None:
    assert measure(np.zeros(200_000, np.float32), PLAYED_AT, 48_000) is None


def test_a_recording_that_ends_early() -> None:
    heard = recording(48_000, 480, 0.5)[: PLAYED_AT + 26_000]
    found = measure(heard, PLAYED_AT, 48_000)
    assert found is not None
    assert found.delay_s == 0.01
