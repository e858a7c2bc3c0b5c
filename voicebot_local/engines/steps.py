"""What an engine calls around each piece of device work: the one place where a call is interrupted.

It is also the one place where a device shared by several engines is asked for and given back: the
`lease`.
"""

from __future__ import annotations

import threading
from time import perf_counter
from types import TracebackType
from typing import NamedTuple, Protocol


class Cancelled(BaseException):
    """The caller left the call; the engine unwinds to where the call began.

    A BaseException, as asyncio's CancelledError is, so that an engine's `except Exception`, which
    turns a library's errors into its own, lets it through. `finally` blocks run as ever.
    """


class Lease(Protocol):
    """The right to use a device that others use too."""

    def acquire(self, kind: str) -> None:
        """Wait until the device is ours."""
        ...

    def release(self) -> None:
        """The device has finished our work."""
        ...


class StepReport(NamedTuple):
    """How many steps of one kind there were (`number`), and what they took."""

    number: int
    total_s: float
    longest_s: float


class CallSteps:
    """The `Steps` of one call (see `providers/base.py`), which also keeps count of them.

    Not for use by two threads at once. Steps do not nest.
    """

    def __init__(self, cancelled: threading.Event, lease: Lease | None = None) -> None:
        self._cancelled = cancelled
        self._lease = lease
        self._kinds: dict[str, _Step] = {}

    def __call__(self, kind: str) -> _Step:
        """The context of one step of this kind; entering it may raise Cancelled."""
        step = self._kinds.get(kind)
        if step is None:
            step = self._kinds[kind] = _Step(kind, self._cancelled, self._lease)
        return step

    def report(self) -> dict[str, StepReport]:
        """For each kind: how many, and what they took without the waits for the lease."""
        return {
            kind: StepReport(step.count, step.total_s, step.longest_s)
            for kind, step in self._kinds.items()
        }


class _Step:
    """One kind of step of one call, entered again and again: no allocation for a token."""

    __slots__ = ("_began", "_is_cancelled", "_lease", "count", "kind", "longest_s", "total_s")

    def __init__(self, kind: str, cancelled: threading.Event, lease: Lease | None) -> None:
        self.kind = kind
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0
        self._is_cancelled = cancelled.is_set
        self._lease = lease
        self._began = 0.0

    def __enter__(self) -> None:
        if self._is_cancelled():
            raise Cancelled
        if self._lease is not None:
            self._lease.acquire(self.kind)
            if self._is_cancelled():
                self._lease.release()
                raise Cancelled
        self._began = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        took_s = perf_counter() - self._began
        if self._lease is not None:
            self._lease.release()
        self.count += 1
        self.total_s += took_s
        if took_s > self.longest_s:
            self.longest_s = took_s
