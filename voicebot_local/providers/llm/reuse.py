"""What a model has read and can use again for other tokens. Pure; no model needed."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reuse:
    """Of the tokens that were read, the first `same` stay where they are, `dropped` go, and the
    `moved` behind those move up to take their place; what follows goes."""

    same: int
    dropped: int = 0
    moved: int = 0

    @property
    def kept(self) -> int:
        """How many tokens are kept."""
        return self.same + self.moved


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the common beginning."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def reuse(read: Sequence[int], wanted: Sequence[int], least: int = 0) -> Reuse:
    """How much of `read` serves for `wanted`.

    `least` > 0 allows tokens to move, where at least so many of them do: the oldest turns of a long
    conversation were left out, and the rest of it is as it was. What a model knows of a token was
    read together with what came before, so fewer are read again instead.
    """
    same = common(read, wanted)
    rest, behind = wanted[same : same + least], read[same:]
    if not least or len(rest) < least or len(behind) <= least:
        return Reuse(same)
    sought, text = array("i", rest).tobytes(), array("i", behind).tobytes()
    width = array("i").itemsize
    best = Reuse(same)
    at = text.find(sought, 1)
    while at >= 0:
        if at % width == 0:
            dropped = at // width
            moved = common(behind[dropped:], wanted[same:])
            if moved > best.moved:
                best = Reuse(same, dropped, moved)
        at = text.find(sought, at + 1)
    return best
