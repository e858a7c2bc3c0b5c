"""What a client of the broker does with what the broker says, word by word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from voicebot_local.gpu.lease import DeviceLease
from voicebot_local.gpu.wire import SIZE, Kind, Record, RecordReader

Pair = tuple[DeviceLease, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A lease, and the broker's end of its connection."""
    with TemporaryDirectory(prefix="vb") as directory:
        address = str(Path(directory) / "broker")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(address)
            listener.listen(1)
            lease = DeviceLease(address, "tts")
            connection, _ = listener.accept()
        with connection:
            assert heard(connection).kind is Kind.HELLO
            yield lease, connection
            lease.close()


def heard(connection: socket.socket) -> Record:
    """The next thing the client says."""
    connection.settimeout(10)
    (record,) = RecordReader().feed(connection.recv(SIZE, socket.MSG_WAITALL))
    return record


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.1)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return True


def granted(pair: Pair) -> None:
    """The lease holds the device and is in a step."""
    lease, connection = pair

    def grant() -> None:
        connection.sendall(Record(Kind.GRANT, number=heard(connection).number).encode())

    broker = threading.Thread(target=grant)
    broker.start()
    lease.begin()
    lease.acquire()
    broker.join()


def test_one_that_computes_is_not_disturbed_by_the_question_whether_it_idles(pair: Pair) -> None:
    lease, connection = pair
    granted(pair)
    connection.sendall(Record(Kind.REVOKE, flag=1).encode())
    assert silent(connection)
    lease.release()
    assert silent(connection)
    lease.acquire()
    lease.release()
    assert silent(connection)


def test_one_that_idles_gives_the_device_back(pair: Pair) -> None:
    lease, connection = pair
    granted(pair)
    lease.release()
    connection.sendall(Record(Kind.REVOKE, flag=1).encode())
    assert heard(connection).kind is Kind.RELEASED


def test_asked_for_the_device_it_is_given_back_after_the_step(pair: Pair) -> None:
    lease, connection = pair
    granted(pair)
    connection.sendall(Record(Kind.REVOKE).encode())
    assert silent(connection)
    lease.release()
    assert heard(connection).kind is Kind.RELEASED
