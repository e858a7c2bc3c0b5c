"""The steps of a call: counted, cancelled and leased in one place."""

from __future__ import annotations

import threading

import pytest

from voicebot_local.engines.steps import CallSteps, Cancelled


class NotedLease:
    """A lease that notes what is asked of it."""

    def __init__(self, cancel_on: int = -1, flag: threading.Event | None = None) -> None:
        self.noted: list[str] = []
        self._cancel_on = cancel_on
        self._flag = flag

    def acquire(self, kind: str) -> None:
        if len(self.noted) == self._cancel_on and self._flag is not None:
            self._flag.set()
        self.noted.append(kind)

    def release(self) -> None:
        self.noted.append("released")


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
    assert lease.noted == ["token", "released"]
    assert steps.report()["token"].number == 1


def test_a_cancelled_call_does_no_more_steps() -> None:
    flag = threading.Event()
    lease = NotedLease()
    steps = CallSteps(flag, lease)
    with steps("token"):
        flag.set()  # this one ends as it would
    with pytest.raises(Cancelled), steps("token"):
        pytest.fail("entered")
    assert lease.noted == ["token", "released"]


def test_a_cancel_while_waiting_for_the_lease_gives_it_back() -> None:
    flag = threading.Event()
    lease = NotedLease(cancel_on=0, flag=flag)
    steps = CallSteps(flag, lease)
    with pytest.raises(Cancelled), steps("token"):
        pytest.fail("entered")
    assert lease.noted == ["token", "released"]
    assert steps.report()["token"].number == 0


def test_an_engine_does_not_swallow_it() -> None:
    assert not issubclass(Cancelled, Exception)
