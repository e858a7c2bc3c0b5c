"""Word errors, percentiles, and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.bench.figures import figure, paired_ratio
from voicebot_local.bench.words import WordErrors, word_errors, words_of


@pytest.mark.parametrize(
    ("expected", "got", "errors"),
    [
        ("what is the time", "What is the time?", WordErrors(0, 0, 0, 4)),
        ("what is the time", "what's the dime", WordErrors(2, 1, 0, 4)),
        ("a b c", "a x b c", WordErrors(0, 0, 1, 3)),
        ("a b c", "", WordErrors(0, 3, 0, 3)),
        ("", "a", WordErrors(0, 0, 1, 0)),
        ("it's", "It’s", WordErrors(0, 0, 0, 1)),
        ("große", "GROSSE", WordErrors(0, 0, 0, 1)),
    ],
)
def test_word_errors(expected: str, got: str, errors: WordErrors) -> None:
    assert word_errors(expected, got) == errors


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_word_errors_are_a_distance(one: list[str], other: list[str]) -> None:
    there, back = (
        word_errors(" ".join(one), " ".join(other)),
        word_errors(" ".join(other), " ".join(one)),
    )
    assert there.errors == back.errors
    assert (there.errors == 0) == (one == other)
    assert abs(len(one) - len(other)) <= there.errors <= max(len(one), len(other))
    assert len(one) - there.deleted + there.inserted == len(other)


def test_words_are_without_punctuation() -> None:
    assert words_of("Well - that's 2 (or so) words_here!") == [
        *("well", "that's", "2", "or", "so", "words", "here")
    ]


def test_rates() -> None:
    assert word_errors("a b", "a").rate == 0.5
    assert word_errors("", "").rate == 0
    assert (WordErrors(1, 0, 0, 4) + WordErrors(0, 1, 2, 6)).rate == 0.4


def test_percentiles() -> None:
    found = figure([float(n) for n in range(1, 102)])
    assert found is not None
    assert (found.count, found.p50, found.p95, found.max) == (101, 51, 96, 101)
    assert figure([]) is None


def test_the_ratio_and_its_interval() -> None:
    random = np.random.default_rng(0)
    turns = random.uniform(500, 1500, 200)
    pairs = [
        (a, 0.8 * a * noise) for a, noise in zip(turns, random.normal(1, 0.02, 200), strict=True)
    ]
    found = paired_ratio(pairs)
    assert found is not None
    assert found.ratio == pytest.approx(0.8, abs=0.03)
    assert found.low < 0.8 < found.high
    assert found.is_certain
    assert found == paired_ratio(pairs)


def test_a_constant_ratio_is_certain_and_no_difference_is_not() -> None:
    twice = paired_ratio([(100.0, 200.0)] * 5)
    assert twice is not None
    assert (twice.ratio, twice.low, twice.high) == (2, 2, 2)
    same = paired_ratio([(100.0 + n, 100.0 + (n * 7) % 10) for n in range(10)])
    assert same is not None
    assert not same.is_certain
    assert paired_ratio([(1.0, 2.0)]) is None


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        first = random.normal(1000, 100, 25)
        found = paired_ratio(
            [(a, b) for a, b in zip(first, random.normal(900, 100, 25), strict=True)]
        )
        assert found is not None
        held += found.low <= 0.9 <= found.high
    assert held >= 52
