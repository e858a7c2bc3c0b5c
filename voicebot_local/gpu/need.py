"""Memory that an engine needs, by what it is for. Bytes throughout."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of one process on the device: weights, what it remembers, what it computes with.

    `context` is what the driver and the libraries take for the process itself.
    """

    weights: int = 0
    kv: int = 0
    compute: int = 0
    context: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.kv + self.compute + self.context

    def __add__(self, other: Need) -> Need:
        return Need(
            self.weights + other.weights,
            self.kv + other.kv,
            self.compute + other.compute,
            self.context + other.context,
        )


def gib(size: float) -> str:
    """For people: "5.83 GiB"."""
    return f"{size / GIB:.2f} GiB"
