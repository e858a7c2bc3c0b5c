"""What an engine calls around each piece of device work: the one place where a call is interrupted.

It is also the one place where a device shared by several engines is asked for and given back: the
`lease`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Protocol, TypeAlias


class Cancelled(BaseException):
    """The caller left the call; the engine unwinds to where the call began.

    A BaseException, as asyncio's CancelledError is, so that an engine's `except Exception`, which
    turns a library's errors into its own, lets it through. `finally` blocks run as ever.
    """


class Interrupted(Exception):
    """Somebody called `Lease.interrupt` while the device was waited for."""


class Lease(Protocol):
    """The right to use a device that others use too."""

    def begin(self, *, speculative: bool = False) -> None:
        """A call begins; `speculative` work gets the device when nobody else wants it."""
        ...

    def acquire(self) -> None:
        """Wait until the device is ours. Raises Interrupted."""
        ...

    def release(self) -> None:
        """The device has finished our step."""
        ...

    def rest(self) -> None:
        """No step follows at once: give the device back."""
        ...

    def interrupt(self) -> None:
        """End a wait; any thread may call it."""
        ...


TimedStep: TypeAlias = tuple[str, float, float, float]
"""A step: (kind, queued, started, ended), in seconds of `time.monotonic`."""


class StepReport(NamedTuple):
    """How many steps of one kind there were (`number`), and what they took."""

    number: int
    total_s: float
    longest_s: float


class CallSteps:
    """The `Steps` of one call (see `providers/base.py`), which also keeps count of them.

    Not for use by two threads at once. Steps do not nest.
    """

    def __init__(
        self,
        cancelled: threading.Event,
        lease: Lease | None = None,
        record: Callable[[TimedStep], None] | None = None,
    ) -> None:
        """`record` is called after each step, when the device is free again."""
        self._cancelled = cancelled
        self._lease = lease
        self._record = record
        self._kinds: dict[str, _Step] = {}

    def __call__(self, kind: str) -> _Step:
        """The context of one step of this kind; entering it may raise Cancelled."""
        step = self._kinds.get(kind)
        if step is None:
            step = self._kinds[kind] = _Step(kind, self._cancelled, self._lease, self._record)
        return step

    def report(self) -> dict[str, StepReport]:
        """For each kind: how many, and what they took without the waits for the lease."""
        return {
            kind: StepReport(step.count, step.total_s, step.longest_s)
            for kind, step in self._kinds.items()
        }


class _Step:
    """One kind of step of one call, entered again and again: no allocation for a token."""

    __slots__ = (
        "_is_cancelled",
        "_lease",
        "_queued",
        "_record",
        "_started",
        "count",
        "kind",
        "longest_s",
        "total_s",
    )

    def __init__(
        self,
        kind: str,
        cancelled: threading.Event,
        lease: Lease | None,
        record: Callable[[TimedStep], None] | None,
    ) -> None:
        self.kind = kind
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0
        self._is_cancelled = cancelled.is_set
        self._lease = lease
        self._record = record
        self._queued = self._started = 0.0

    def __enter__(self) -> None:
        if self._is_cancelled():
            raise Cancelled
        self._queued = monotonic()
        if self._lease is not None:
            try:
                self._lease.acquire()
            except Interrupted:
                raise Cancelled from None
            if self._is_cancelled():
                self._lease.release()
                raise Cancelled
        self._started = monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = monotonic()
        if self._lease is not None:
            self._lease.release()
        took_s = ended - self._started
        self.count += 1
        self.total_s += took_s
        if took_s > self.longest_s:
            self.longest_s = took_s
        if self._record is not None:
            self._record((self.kind, self._queued, self._started, ended))
