"""The steps of a call: counted, cancelled and leased in one place."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from voicebot_local.engines.steps import CallSteps, Cancelled, Interrupted


class NotedLease:
    """A lease that notes what is asked of it; `wait` is what happens while it is waited for."""

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.noted: list[str] = []
        self._wait = wait

    def begin(self, *, speculative: bool = False) -> None:
        self.noted.append("begun")

    def acquire(self) -> None:
        self._wait()
        self.noted.append("acquired")

    def release(self) -> None:
        self.noted.append("released")

    def rest(self) -> None:
        self.noted.append("rests")

    def interrupt(self) -> None:
        self.noted.append("interrupted")


def test_steps_are_counted_by_kind() -> None:
    steps = CallSteps(threading.Event())
    for kind in ("prefill", "token", "token"):
        with steps(kind):
            pass
    report = steps.report()
    assert {kind: one.number for kind, one in report.items()} == {"prefill": 1, "token": 2}
    assert 0 <= report["token"].longest_s <= report["token"].total_s


def test_a_step_that_fails_is_counted_and_gives_the_lease_back() -> None:
    lease = NotedLease()
    steps = CallSteps(threading.Event(), lease)
    with pytest.raises(ZeroDivisionError), steps("token"):
        raise ZeroDivisionError
    assert lease.noted == ["acquired", "released"]
    assert steps.report()["token"].number == 1


def test_a_cancelled_call_does_no_more_steps() -> None:
    flag = threading.Event()
    lease = NotedLease()
    steps = CallSteps(flag, lease)
    with steps("token"):
        flag.set()  # this one ends as it would
    with pytest.raises(Cancelled), steps("token"):
        pytest.fail("entered")
    assert lease.noted == ["acquired", "released"]


def test_a_cancel_while_waiting_for_the_lease_gives_it_back() -> None:
    flag = threading.Event()
    lease = NotedLease(flag.set)
    steps = CallSteps(flag, lease)
    with pytest.raises(Cancelled), steps("token"):
        pytest.fail("entered")
    assert lease.noted == ["acquired", "released"]
    assert steps.report()["token"].number == 0


def test_an_interrupted_wait_is_a_cancel() -> None:
    def interrupted() -> None:
        raise Interrupted

    lease = NotedLease(interrupted)
    with pytest.raises(Cancelled), CallSteps(threading.Event(), lease)("token"):
        pytest.fail("entered")
    assert lease.noted == []


def test_steps_are_recorded_when_the_device_is_free_again() -> None:
    lease = NotedLease()
    steps = CallSteps(threading.Event(), lease, lambda step: lease.noted.append(step[0]))
    with steps("token"):
        pass
    assert lease.noted == ["acquired", "released", "token"]


def test_an_engine_does_not_swallow_it() -> None:
    assert not issubclass(Cancelled, Exception)
