"""A broker that can stop arbitrating, so that one loaded stack is measured with it and without.

While it does not, everybody who asks for the device has it at once and keeps it for as long as it
likes, all at the same time: what an engine pays is one question at the beginning of each call.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from voicebot_local.gpu.arbiter import Arbiter, Grant, Order
from voicebot_local.gpu.broker import MOST_CLIENTS, Broker
from voicebot_local.gpu.queue import Outlook, Request
from voicebot_local.gpu.wire import Kind, Record, from_optional

SWITCH = 0xFFFF
"""The conversation whose outlook is the switch: speculative means free for all."""
LIMIT_S, KILL_S = 10.0, 60.0
"""Generous: what is late here is to be measured, not ended."""


class SwitchedArbiter(Arbiter):
    """An arbiter that can be told to let all of them contend."""

    def __init__(self, limit_s: float, kill_s: float) -> None:
        super().__init__(limit_s, kill_s)
        self._free = False
        self._computing: set[int] = set()

    def look_ahead(self, conversation: int, outlook: Outlook, now: float) -> list[Order]:
        if conversation != SWITCH:
            return super().look_ahead(conversation, outlook, now)
        if self._computing or self.waiting:
            raise RuntimeError("the arbitration was switched while engines were at work")
        self._free = outlook.speculative
        return []

    def request(self, request: Request, now: float) -> list[Order]:
        if not self._free:
            return super().request(request, now)
        self._computing.add(request.client)
        return [Grant(request.client)]

    def withdraw(self, client: int, now: float) -> list[Order]:
        self._computing.discard(client)
        return super().withdraw(client, now)

    def release(self, client: int, now: float) -> list[Order]:
        self._computing.discard(client)
        return super().release(client, now)

    def gone(self, client: int, now: float) -> list[Order]:
        self._computing.discard(client)
        return super().gone(client, now)


class Switch:
    """The session's side: tells the deadlines, and whether to arbitrate."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.connect(address)

    def arbitrate(self, *, arbitrate: bool) -> None:
        """Only while no engine is at work: the broker ends otherwise, and the engines with it."""
        self._connection.send(Record(Kind.OUTLOOK, int(not arbitrate), SWITCH).encode())

    def look_ahead(self, outlook: Outlook) -> None:
        """As the broker of a session is told it."""
        x, y = from_optional(outlook.audio_until), from_optional(outlook.text_until)
        self._connection.send(Record(Kind.OUTLOOK, int(outlook.speculative), x=x, y=y).encode())


@contextmanager
def open_switch() -> Iterator[Switch]:
    """Such a broker in its process, for the block."""
    with TemporaryDirectory(prefix="voicebot-") as directory:
        address = str(Path(directory) / "broker")
        command = [sys.executable, "-m", "scripts.contention_broker", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            process.stdout.readline()
            try:
                yield Switch(address)
            finally:
                process.stdin.close()


def main() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(sys.argv[1])
        listener.listen(MOST_CLIENTS)
        print("ready", flush=True)
        Broker(listener, SwitchedArbiter(LIMIT_S, KILL_S), sys.stdin.fileno()).serve()


if __name__ == "__main__":
    main()
