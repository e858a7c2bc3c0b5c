"""An engine's weights, on the device or parked in the machine's memory, as the broker has room.

The engine moves them in steps, so that each piece of it is arbitrated, and traced, like any other
work. It happens only where the engine has nothing to do: before a call, while a call waits for its
next input, and after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from voicebot_local.engines.steps import CallSteps, Cancelled, TimedStep
from voicebot_local.providers.base import Steps

if TYPE_CHECKING:
    from voicebot_local.gpu.lease import DeviceLease


class ParkingEngine(Protocol):
    """What an engine must be able to do. Each part of a move is a step, "park" or "unpark".

    A move that a step ends by raising leaves the weights parked.
    """

    def park(self, steps: Steps) -> None: ...

    def unpark(self, steps: Steps) -> None: ...


class Parking:
    """Moves the weights of one engine. All but `order` and `urge` belong to its owner thread."""

    def __init__(self, lease: DeviceLease, record: Callable[[TimedStep], None]) -> None:
        self._lease = lease
        self._record = record
        self._engine: ParkingEngine | None = None
        self._parked = True
        self._ordered: bool | None = None

    def order(self, unpark: bool) -> None:
        """The broker's wish; `obey` carries it out. May be called by any thread."""
        self._ordered = unpark

    def urge(self) -> None:
        """A call has come that waits for the weights. May be called by any thread."""
        self._lease.urge()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """The engine is loaded in the block, which waits until there is room for it."""
        self._lease.begin()
        with self._asking_for_room():
            self._lease.acquire()
        self._lease.release()
        self._lease.rest()
        yield
        self._parked = False

    def measure(self, engine: ParkingEngine, *, at_home: bool) -> dict[str, str | int | float]:
        """Park and unpark once, right after the load: how long each takes, in seconds.

        `at_home`: the weights stay on the device while nobody speaks.
        """
        self._engine = engine
        began = monotonic()
        engine.park(self._steps())
        parked = monotonic()
        engine.unpark(self._steps())
        took: dict[str, str | int | float] = {
            "park_s": parked - began,
            "unpark_s": monotonic() - parked,
        }
        if not at_home:
            self._park()
        self._lease.rest()
        self._lease.rests(over=True)
        return took

    def ensure(self, steps: Steps) -> None:
        """Have the weights on the device. Raises Cancelled, and then they are parked."""
        if not self._parked:
            return
        assert self._engine is not None
        try:
            with self._asking_for_room():
                self._engine.unpark(steps)
        except BaseException:
            self._leave()
            raise
        self._parked = False

    def rests(self, *, over: bool) -> None:
        """The engine has nothing to do: its call is `over`, or waits for its next input."""
        self._lease.rests(over=over)

    def obey(self) -> bool:
        """Do what the broker has asked for, if anything; False where that was interrupted."""
        unpark, self._ordered = self._ordered, None
        if unpark is None or unpark != self._parked:
            return True
        self._lease.begin(speculative=unpark)
        try:
            if unpark:
                self.ensure(self._steps())
                self._lease.rest()
                self._lease.rests(over=True)
            else:
                self._park()
        except Cancelled:
            self._ordered = unpark if self._ordered is None else self._ordered
            return False
        return True

    def _park(self) -> None:
        assert self._engine is not None
        self._engine.park(self._steps())
        self._leave()

    def _leave(self) -> None:
        """The weights are off the device; it may go to the other engine."""
        self._parked = True
        self._lease.rest()
        self._lease.parked()

    @contextmanager
    def _asking_for_room(self) -> Iterator[None]:
        self._lease.unparks = True
        try:
            yield
        finally:
            self._lease.unparks = False

    def _steps(self) -> CallSteps:
        return CallSteps(threading.Event(), self._lease, self._record)
