"""The real broker with real processes."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import pytest

from tests.gpu.broker_process import SteppingClient, broker_process
from voicebot_local.engines.steps import Interrupted
from voicebot_local.gpu.lease import BrokerGone, DeviceLease


class RunningBroker:
    """A broker process and the clients that a test starts."""

    def __init__(self, directory: str, limit_s: float = 0.2, kill_s: float = 0.5) -> None:
        self.address = str(Path(directory) / "broker")
        self._running = ExitStack()
        self.process = self._running.enter_context(broker_process(self.address, limit_s, kill_s))
        self.clients: list[SteppingClient] = []

    def client(self, *arguments: str) -> SteppingClient:
        self.clients.append(SteppingClient(self.address, *arguments))
        return self.clients[-1]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self._running.close()


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    # A short path: addresses of local sockets have at most about 100 characters.
    with TemporaryDirectory(prefix="vb") as directory:
        running = RunningBroker(directory)
        try:
            yield running
        finally:
            running.close()


def test_steps_of_different_processes_never_overlap(broker: RunningBroker) -> None:
    clients = [
        broker.client("llm", "0.002"),
        broker.client("tts", "0.003"),
        broker.client("asr", "0.001"),
    ]
    for client in clients:
        client.wait_for(100)
    for client in clients:
        client.close()
    steps = sorted(step for client in clients for step in client.steps)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(steps))


def test_the_others_go_on_when_the_holder_is_killed(broker: RunningBroker) -> None:
    survivor = broker.client("tts", "0.001")
    dice = random.Random(1)
    for _ in range(10):
        victim = broker.client("llm", "0.002")
        victim.wait_for(1)
        sleep(dice.uniform(0, 0.01))
        victim.kill()
        survivor.wait_for(20)


def test_a_hung_holder_is_killed(broker: RunningBroker) -> None:
    hung = broker.client("llm", "0.001", "hang")
    hung.wait_for(9)
    other = broker.client("tts", "0.001")
    other.wait_for(10)
    assert hung.process.wait() == -signal.SIGKILL


def test_a_cancelled_wait_ends_and_the_lease_works_again(broker: RunningBroker) -> None:
    holder = DeviceLease(broker.address, "llm")
    holder.begin()
    holder.acquire()
    waiting = DeviceLease(broker.address, "llm")
    waiting.begin(speculative=True)
    threading.Timer(0.05, waiting.interrupt).start()
    with pytest.raises(Interrupted):
        waiting.acquire()
    holder.release()
    holder.close()
    waiting.begin()
    waiting.acquire()
    waiting.release()
    waiting.close()


def test_an_idle_holder_gives_the_device_back(broker: RunningBroker) -> None:
    idle = DeviceLease(broker.address, "llm")
    idle.begin()
    idle.acquire()
    idle.release()
    other = DeviceLease(broker.address, "tts")
    other.begin()
    other.acquire()
    other.release()
    for lease in (idle, other):
        lease.close()


def test_when_the_broker_dies_waiting_ends_with_an_error(broker: RunningBroker) -> None:
    holder, waiting = DeviceLease(broker.address, "llm"), DeviceLease(broker.address, "tts")
    holder.begin()
    holder.acquire()
    threading.Timer(0.05, lambda: os.kill(broker.process.pid, signal.SIGKILL)).start()
    waiting.begin()
    with pytest.raises(BrokerGone):
        waiting.acquire()
    holder.release()


def test_nobody_serves_a_wrong_address() -> None:
    with pytest.raises(BrokerGone):
        DeviceLease("/nonexistent/broker", "asr")
