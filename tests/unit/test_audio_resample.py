"""The live resampler: same sound, exact positions, however the blocks fall."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.audio.resample import Resampler, at_rate

PAIRS = [
    (48_000, 16_000),
    (44_100, 16_000),
    (24_000, 16_000),
    (8_000, 16_000),
    (16_000, 24_000),
    (22_050, 24_000),
    (24_000, 44_100),
    (24_000, 48_000),
]


def sweep(rate: int, seconds: float = 1.0) -> np.ndarray:
    """A chirp from 100 Hz to 3 kHz."""
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (100 * t + 1450 * t**2 / seconds))).astype(np.float32)


def whole(resampler: Resampler, sound: np.ndarray, block: int) -> np.ndarray:
    blocks = [resampler.push(sound[i : i + block]) for i in range(0, len(sound), block)]
    return np.concatenate([*blocks, resampler.finish()])


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_gives_the_same_sound_as_soxr(in_rate: int, out_rate: int) -> None:
    sound = sweep(in_rate)
    ours = whole(Resampler(in_rate, out_rate), sound, in_rate // 50)
    theirs = soxr.resample(sound, in_rate, out_rate)
    inside = slice(out_rate // 20, -out_rate // 20)
    assert abs(len(ours) - len(theirs)) <= 1
    assert np.abs(ours[inside] - theirs[: len(ours)][inside]).max() < 1e-3


@pytest.mark.parametrize(("in_rate", "out_rate"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_the_lower_rate_cannot_hold_is_removed(in_rate: int, out_rate: int) -> None:
    t = np.arange(in_rate) / in_rate
    tone = np.sin(2 * np.pi * 0.52 * out_rate * t).astype(np.float32)
    out = whole(Resampler(in_rate, out_rate), tone, 480)
    assert np.abs(out[1000:-1000]).max() < 1e-3


@given(
    pair=st.sampled_from(PAIRS),
    blocks=st.lists(st.integers(0, 3000), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_accounting_is_exact(pair: tuple[int, int], blocks: list[int]) -> None:
    in_rate, out_rate = pair
    resampler = Resampler(in_rate, out_rate)
    sound = sweep(in_rate, sum(blocks) / in_rate + 0.01)[: sum(blocks)]
    position, out = 0, []
    for length in blocks:
        out.append(resampler.push(sound[position : position + length]))
        position += length
        assert resampler.pushed == position
        assert resampler.given == sum(map(len, out))
        behind = position - resampler.given * in_rate / out_rate
        assert behind <= resampler.delay_s * in_rate
    out.append(resampler.finish())
    assert resampler.given == sum(map(len, out)) == math.ceil(position * out_rate / in_rate)
    assert resampler.pushed == position
    assert all(block.dtype == np.float32 for block in out)
    at_once = whole(Resampler(in_rate, out_rate), sound, max(1, len(sound)))
    np.testing.assert_allclose(np.concatenate(out), at_once, atol=1e-6)


def test_a_click_stays_where_it_is() -> None:
    sound = np.zeros(48_000, np.float32)
    sound[30_000] = 1.0
    out = whole(Resampler(48_000, 16_000), sound, 480)
    assert int(np.argmax(np.abs(out))) == at_rate(30_000, 48_000, 16_000) == 10_000


def test_equal_rates_pass_through_untouched() -> None:
    resampler = Resampler(16_000, 16_000)
    sound = sweep(16_000)
    assert resampler.push(sound) is sound
    assert len(resampler.finish()) == 0
    assert resampler.pushed == resampler.given == 16_000
    assert resampler.delay_s == 0


def test_the_delay_is_what_the_docstring_says() -> None:
    assert Resampler(24_000, 16_000).delay_s == pytest.approx(0.002)
    assert Resampler(24_000, 48_000).delay_s < 0.002


@given(
    rates=st.sampled_from(
        [(24_000, 16_000), (48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (16_000, 16_000)]
    ),
    wanted=st.integers(1, 600),
)
def test_what_is_needed_is_enough_and_no_less(rates: tuple[int, int], wanted: int) -> None:
    least = Resampler(*rates).needed(wanted)
    enough, short = Resampler(*rates), Resampler(*rates)
    enough.push(np.zeros(least, np.float32))
    short.push(np.zeros(least - 1, np.float32))
    assert short.given < wanted <= enough.given
