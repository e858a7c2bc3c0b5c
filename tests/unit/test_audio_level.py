"""The level meter: where sound begins and ends, the same in pieces and at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.audio.level import AUDIBLE_DB, LevelMeter

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]


def tone(rate: int, seconds: float, level_db: float) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return (math.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 300 * t)).astype(np.float32)


def put(sound: np.ndarray, at: int, rate: int) -> np.ndarray:
    out = np.zeros(rate * 2, np.float32)
    out[at : at + len(sound)] = sound
    return out


def meter_of(sound: np.ndarray, rate: int) -> LevelMeter:
    meter = LevelMeter(rate)
    meter.push(sound)
    return meter


@given(
    rate=st.sampled_from(RATES),
    at_s=st.floats(0, 1),
    seconds=st.floats(0.05, 0.6),
    level_db=st.floats(-40, -3),
)
@settings(max_examples=150, deadline=None)
def test_begin_and_end_within_five_milliseconds(
    rate: int, at_s: float, seconds: float, level_db: float
) -> None:
    at = round(at_s * rate)
    sound = tone(rate, seconds, level_db)
    meter = meter_of(put(sound, at, rate), rate)
    begin, end = meter.first_audible(0), meter.last_audible(2 * rate)
    assert begin is not None
    assert end is not None
    assert abs(begin - at) <= 0.005 * rate
    assert abs(end - (at + len(sound))) <= 0.005 * rate


@given(
    rate=st.sampled_from(RATES),
    blocks=st.lists(st.integers(1, 5000), min_size=1, max_size=12),
    query=st.integers(0, 48_000),
)
@settings(max_examples=80, deadline=None)
def test_in_pieces_and_at_once_it_says_the_same(rate: int, blocks: list[int], query: int) -> None:
    noise = np.random.default_rng(sum(blocks)).standard_normal(sum(blocks)).astype(np.float32)
    noise *= 0.02 * (1 + np.sin(np.arange(len(noise)) / 700))
    pieces, at = LevelMeter(rate), 0
    for length in blocks:
        pieces.push(noise[at : at + length])
        at += length
    once = meter_of(noise, rate)
    assert pieces.position == once.position == len(noise)
    for threshold_db in (-50.0, -35.0, -30.0):
        assert pieces.first_audible(query, threshold_db) == once.first_audible(query, threshold_db)
        assert pieces.last_audible(query, threshold_db) == once.last_audible(query, threshold_db)
    assert pieces.threshold_db(len(noise)) == pytest.approx(once.threshold_db(len(noise)), abs=1e-3)
    assert pieces.level_db() == pytest.approx(once.level_db(), abs=1e-3)


def test_later_sound_does_not_change_what_was_said() -> None:
    rate = 24_000
    sound = put(tone(rate, 0.5, -20), 6_123, rate)
    meter = meter_of(sound[:rate], rate)
    before = meter.last_audible(rate), meter.first_audible(0), meter.threshold_db(rate)
    meter.push(tone(rate, 1.0, -10))
    assert (meter.last_audible(rate), meter.first_audible(0), meter.threshold_db(rate)) == before


def test_quiet_sound_is_not_audible() -> None:
    meter = meter_of(put(tone(24_000, 0.5, AUDIBLE_DB - 1), 5000, 24_000), 24_000)
    assert meter.first_audible(0) is None
    assert meter.last_audible(48_000) is None


def test_queries_respect_their_position() -> None:
    rate = 24_000
    sound = put(tone(rate, 0.2, -20), 0, rate) + put(tone(rate, 0.2, -20), 24_000, rate)
    meter = meter_of(sound, rate)
    assert meter.first_audible(1_000) == pytest.approx(1_000, abs=72)
    assert meter.first_audible(10_000) == 24_000
    assert meter.last_audible(24_000) == 4_800
    assert meter.last_audible(48_000) == 28_800
    assert meter.first_audible(40_000) is None
    assert meter.sounds(0.2) == [(0, 4_800), (24_000, 28_800)]
    assert meter.sounds(0.9) == [(0, 28_800)]
    assert meter.audible_s(0, 48_000) == pytest.approx(0.4)
    assert meter.audible_s(10_000, 48_000) == pytest.approx(0.2)


def test_level() -> None:
    meter = LevelMeter(16_000)
    assert meter.level_db() == -math.inf
    meter.push(tone(16_000, 0.5, -20))
    assert meter.level_db() == pytest.approx(-20, abs=0.5)
    assert LevelMeter(16_000).sounds(0.2) == []


def test_memory_is_bounded_and_old_sound_forgotten() -> None:
    rate = 16_000
    meter = LevelMeter(rate, keep_s=2.0)
    meter.push(tone(rate, 1.0, -20))
    for _ in range(200):
        meter.push(np.zeros(800, np.float32))
    assert meter.position == 11 * rate
    assert meter.oldest == 9 * rate
    assert meter.first_audible(0) is None
    meter.push(tone(rate, 30.0, -20))
    assert meter.oldest == 39 * rate
    assert meter.first_audible(0) == 39 * rate


@pytest.mark.parametrize("noise_db", [-60.0, -40.0, -35.0])
def test_a_noisy_room_raises_the_threshold(noise_db: float) -> None:
    rate = 24_000
    noise = np.random.default_rng(3).standard_normal(4 * rate) * 10 ** (noise_db / 20)
    noise[rate : 2 * rate] += tone(rate, 1.0, -12)
    meter = meter_of(noise.astype(np.float32), rate)
    threshold_db = meter.threshold_db(4 * rate)
    assert threshold_db == pytest.approx(max(AUDIBLE_DB, noise_db + 10), abs=1)
    end = meter.last_audible(4 * rate, threshold_db)
    assert end == pytest.approx(2 * rate, abs=0.005 * rate)


def test_silence_after_a_noisy_recording_does_not_hide_its_noise() -> None:
    rate = 24_000
    sound = np.random.default_rng(3).standard_normal(3 * rate) * 10 ** (-40 / 20)
    sound[rate : 2 * rate] += tone(rate, 1.0, -12)
    sound[round(2.5 * rate) :] = 0
    meter = meter_of(sound.astype(np.float32), rate)
    end = meter.last_audible(3 * rate, meter.threshold_db(3 * rate))
    assert end == pytest.approx(2 * rate, abs=0.005 * rate)


def test_clean_speech_is_not_taken_for_noise() -> None:
    rate = 24_000
    meter = meter_of(put(tone(rate, 1.0, -20), 1_000, rate), rate)
    assert meter.threshold_db(2 * rate) == AUDIBLE_DB
