"""What was read and serves again: the common beginning, and what moved up behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.providers.llm.reuse import Reuse, common, reuse

TOKENS = st.lists(st.integers(0, 3), max_size=40)


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [([], [], 0), ([1], [], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 9, 3], 1)],
)
def test_the_common_beginning(one: list[int], other: list[int], length: int) -> None:
    assert common(one, other) == common(other, one) == length


def test_what_follows_a_gap_moves_up() -> None:
    system, old, turns = [1, 2, 3], [50, 51, 52, 53], list(range(10, 30))
    assert reuse(system + old + turns, [*system, *turns, 99], 5) == Reuse(3, 4, 20)
    assert reuse(system + old + turns, [*system, *turns[:7], 99], 5) == Reuse(3, 4, 7)
    assert reuse(system + old + turns, [*system, *turns], 0) == Reuse(3)
    assert reuse(system + old + turns, [*system, *turns[:4]], 5) == Reuse(3)


def test_the_longest_match_moves() -> None:
    short, long = [7, 8, 9, 1], [7, 8, 9, 2, 3, 4]
    assert reuse([0, 5, *short, *long], [0, *long], 3) == Reuse(1, 5, 6)


def test_bytes_of_two_tokens_are_no_token() -> None:
    # 1 << 8 in the middle of two zero tokens looks like a 1 that is shifted by a byte
    assert reuse([9, 0, 256, 0], [9, 1, 0], 1) == Reuse(1)


@given(TOKENS, TOKENS, st.integers(0, 6))
def test_what_is_kept_is_the_beginning_of_what_is_wanted(
    read: list[int], wanted: list[int], least: int
) -> None:
    use = reuse(read, wanted, least)
    begin = use.same + use.dropped
    kept = read[: use.same] + read[begin : begin + use.moved]
    assert kept == wanted[: use.kept]
    assert use.same == common(read, wanted)
    assert bool(use.dropped) == bool(use.moved)
    assert use.moved == 0 or use.moved >= least > 0


@given(TOKENS, TOKENS, TOKENS, st.integers(1, 6))
def test_nothing_longer_could_have_moved(
    begin: list[int], gap: list[int], rest: list[int], least: int
) -> None:
    use = reuse(begin + gap + rest, begin + rest, least)
    if len(rest) >= least and use.same == len(begin) and gap:
        assert use.kept == len(begin + rest)
