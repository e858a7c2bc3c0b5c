"""The broker's process: `python -m voicebot_local.gpu.broker SOCKET LIMIT_S KILL_S [POLICY]`.

It carries messages between the clients and the arbiter, sleeps while nobody competes, and ends with
its standard input, which is its parent's. It imports nothing but the standard library, so it starts
in a few hundredths of a second and takes little memory.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

from voicebot_local.gpu.arbiter import Arbiter, Grant, Kill, Order, Overdue, Rest, Revoke
from voicebot_local.gpu.queue import TENANTS, Outlook, Policy, Request, Tenant
from voicebot_local.gpu.room import Park, Unpark
from voicebot_local.gpu.wire import SPECULATIVE, UNPARKS, Kind, Record, RecordReader, optional

MOST_CLIENTS = 64


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    number: int
    reader: RecordReader = field(default_factory=RecordReader)
    tenant: Tenant | None = None
    process: int = 0
    conversation: int = 0
    asked: int = 0


class Broker:
    """Serves a listening socket until `stop` becomes readable."""

    def __init__(self, listener: socket.socket, arbiter: Arbiter, stop: int) -> None:
        self._listener = listener
        self._arbiter = arbiter
        self._stop = stop
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(stop, selectors.EVENT_READ)

    def serve(self) -> None:
        """Returns when the program that started the broker is gone or closes its input."""
        while True:
            now = monotonic()
            wakes_at = self._arbiter.wakes_at(now)
            timeout = None if wakes_at is None else max(0.0, wakes_at - now)
            ready = self._selector.select(timeout)
            if not ready:
                self._carry_out(self._arbiter.tick(monotonic()))
            for key, _ in ready:
                if key.fd == self._stop:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd in self._clients:
                    self._receive(self._clients[key.fd])

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if len(self._clients) >= MOST_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        client = _Client(connection, connection.fileno())
        self._clients[client.number] = client
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.connection.recv(4096)
            records = list(client.reader.feed(data))
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, records = b"", []
        for record in records:
            self._carry_out(self._heard(client, record))
        if not data:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.number, None) is not None:
            self._selector.unregister(client.connection)
            client.connection.close()
            self._carry_out(self._arbiter.gone(client.number, monotonic()))

    def _heard(self, client: _Client, record: Record) -> list[Order]:
        now = monotonic()
        match record.kind:
            case Kind.HELLO:
                client.tenant = TENANTS[record.flag]
                client.process, client.conversation = record.number, record.small
                if record.x:
                    return self._arbiter.join(client.number, client.tenant, now)
            case Kind.REQUEST if client.tenant is not None:
                client.asked = record.number
                request = Request(
                    client.number,
                    client.tenant,
                    record.x,
                    client.conversation,
                    record.y,
                    bool(record.flag & SPECULATIVE),
                    bool(record.flag & UNPARKS),
                )
                return self._arbiter.request(request, now)
            case Kind.WITHDRAW:
                return self._arbiter.withdraw(client.number, now)
            case Kind.RELEASED:
                return self._arbiter.release(client.number, now)
            case Kind.RESTS:
                return self._arbiter.rests(client.number, now, over=bool(record.flag))
            case Kind.PARKED:
                return self._arbiter.parked(client.number, now)
            case Kind.OUTLOOK:
                outlook = Outlook(optional(record.x), optional(record.y), bool(record.flag))
                return self._arbiter.look_ahead(record.small, outlook, now)
            case _:
                pass
        return []

    def _carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            client = self._clients.get(order.client)
            if client is None:
                continue
            match order:
                case Grant():
                    self._send(client, Record(Kind.GRANT, number=client.asked))
                case Revoke():
                    self._send(client, Record(Kind.REVOKE))
                case Rest():
                    self._send(client, Record(Kind.REVOKE, flag=1))
                case Park():
                    self._send(client, Record(Kind.PARK))
                case Unpark():
                    self._send(client, Record(Kind.UNPARK))
                case Overdue():
                    self._tell_sessions(Kind.OVERDUE, client, order.after_s)
                case Kill():
                    self._tell_sessions(Kind.KILLED, client, order.after_s)
                    try:
                        os.kill(client.process, signal.SIGKILL)
                    except ProcessLookupError:
                        self._drop(client)

    def _tell_sessions(self, kind: Kind, late: _Client, after_s: float) -> None:
        tenant = TENANTS.index(cast(Tenant, late.tenant))
        for client in list(self._clients.values()):
            if client.tenant is None:
                self._send(client, Record(kind, tenant, 0, late.process, after_s))

    def _send(self, client: _Client, record: Record) -> None:
        with suppress(OSError):  # Its end, which is about to be read, says the same.
            client.connection.send(record.encode())


def main() -> None:
    """Serve at SOCKET, which must not exist yet; ends with standard input."""
    address, limit_s, kill_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    policy = cast(Policy, sys.argv[4] if len(sys.argv) > 4 else "slack")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(MOST_CLIENTS)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        Broker(listener, Arbiter(limit_s, kill_s, policy), sys.stdin.fileno()).serve()


if __name__ == "__main__":
    main()
