"""The ring of the last moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.audio.preroll import Preroll


@given(
    capacity=st.integers(1, 50),
    blocks=st.lists(st.integers(0, 80), max_size=12),
    position=st.integers(-10, 400),
)
def test_is_the_end_of_everything_pushed(capacity: int, blocks: list[int], position: int) -> None:
    everything = np.arange(sum(blocks), dtype=np.float32)
    ring, at = Preroll(capacity), 0
    for length in blocks:
        ring.push(everything[at : at + length])
        at += length
    assert ring.position == at
    assert ring.oldest == max(0, at - capacity)
    np.testing.assert_array_equal(ring.since(position), everything[max(position, ring.oldest) :])


def test_what_it_gives_is_not_overwritten_later() -> None:
    ring = Preroll(4)
    ring.push(np.ones(4, np.float32))
    kept = ring.since(0)
    ring.push(np.zeros(4, np.float32))
    assert kept.tolist() == [1, 1, 1, 1]


def test_no_room_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Preroll(0)
