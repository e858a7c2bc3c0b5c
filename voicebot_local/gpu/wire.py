"""What travels between the broker and its clients: records of one size over a local socket."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_RECORD = struct.Struct("<BBHIdd")
SIZE = _RECORD.size


class Kind(IntEnum):
    """Kinds of records; what their fields mean is said behind them."""

    HELLO = 1
    """Client: `flag` its tenant (see queue.TENANTS), `number` its process, `small` its
    conversation; `x` 1: its weights can be parked, and are not on the device yet."""
    REQUEST = 2
    """Client: wants the device. `flag` 1: speculative, 2: unparks, or both; `number` counts its
    requests; `x`: since when; `y`: period of a recognizer's audio (s)."""
    WITHDRAW = 3
    """Client: wants it no longer."""
    RELEASED = 4
    """Client: has given it back."""
    OUTLOOK = 5
    """Session: `small` its conversation, `x` audio until, `y` text until; NaN for None. `flag` 1:
    all that is done for it is speculative."""
    GRANT = 6
    """Broker: the device is yours, as request `number` asked."""
    REVOKE = 7
    """Broker: give it back after this step; `flag` 1: only if no step is being done."""
    OVERDUE = 8
    """Broker, to sessions: `flag` tenant and `number` process do not give it back since `x` s."""
    KILLED = 9
    """Broker, to sessions: as OVERDUE; its process was killed."""
    RESTS = 10
    """Client that can park: has nothing to do; `flag` 1: its call is over."""
    PARKED = 11
    """Client: its weights are off the device."""
    PARK = 12
    """Broker: park your weights once you have nothing to do."""
    UNPARK = 13
    """Broker: there is room for your weights; ask for it."""


SPECULATIVE, UNPARKS = 1, 2
"""Bits of a request's `flag`."""


class Record(NamedTuple):
    """One record. `small` is 16 bits, `number` 32."""

    kind: Kind
    flag: int = 0
    small: int = 0
    number: int = 0
    x: float = 0.0
    y: float = 0.0

    def encode(self) -> bytes:
        return _RECORD.pack(*self)


class RecordReader:
    """Cuts a stream of bytes into records. Raises ValueError for a kind that does not exist."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        self._rest += data
        whole = len(self._rest) // SIZE * SIZE
        data, self._rest = self._rest[:whole], self._rest[whole:]
        for kind, *values in _RECORD.iter_unpack(data):
            yield Record(Kind(kind), *values)


def optional(value: float) -> float | None:
    """NaN stands for None on the wire."""
    return None if math.isnan(value) else value


def from_optional(value: float | None) -> float:
    """The reverse of `optional`."""
    return math.nan if value is None else value
