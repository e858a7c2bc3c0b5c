"""A tenant's right to the device: asked for before each step, kept while nobody else wants it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from voicebot_local.engines.steps import Interrupted
from voicebot_local.gpu.queue import TENANTS, Tenant
from voicebot_local.gpu.wire import SPECULATIVE, UNPARKS, Kind, Record, RecordReader


class BrokerGone(ConnectionError):
    """The broker's process has ended."""


class DeviceLease:
    """One client of the broker. `acquire` and `release` belong to one thread.

    While nobody competes, both are a lock and a look at two flags. A second thread listens to the
    broker; it gives the device back by itself when it is asked for between two steps. A grant is
    good for one step at least.
    """

    def __init__(
        self,
        address: str,
        tenant: Tenant,
        conversation: int = 0,
        period_s: float = 0.0,
        on_room: Callable[[bool], None] | None = None,
    ) -> None:
        """`period_s`: of a recognizer's chunk. Raises BrokerGone where nobody serves `address`.

        `on_room`: of an engine whose weights can be parked, and are not on the device yet; called
        by the listening thread with whether they are to be there. It must not wait.
        """
        self._period_s = period_s
        self._on_room = on_room
        self.unparks = False
        """What is asked for from now on is room for the weights as well; see `Request.unparks`."""
        self._speculative = False
        # `_stepping` is held while the device computes; `_state` for an instant, inside it.
        self._stepping = threading.Lock()
        self._state = threading.Lock()
        self._woken = threading.Semaphore(0)
        self._asked = 0
        self._held = self._revoked = self._wanted = self._interrupted = self._gone = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise BrokerGone(f"no broker serves {address}") from error
        parks = float(on_room is not None)
        self._send(Record(Kind.HELLO, TENANTS.index(tenant), conversation, os.getpid(), parks))
        threading.Thread(target=self._listen, name="device lease", daemon=True).start()

    def begin(self, *, speculative: bool = False) -> None:
        """A call begins: its steps are of this class, and earlier interruptions are void."""
        self._speculative = speculative
        self._interrupted = False

    def acquire(self) -> None:
        """Wait until the device is ours. Raises Interrupted and BrokerGone."""
        self._stepping.acquire()
        if self._held:
            if not self._revoked:
                return
            self._give_back()
        self._stepping.release()
        self._wanted = True
        try:
            self._wait_for_grant()
        finally:
            self._wanted = False

    def release(self) -> None:
        """The step is over, and the device has finished it."""
        if self._revoked:
            self._give_back()
        self._stepping.release()

    def rest(self) -> None:
        """No step follows at once: give the device back."""
        with self._stepping:
            if self._held:
                self._give_back()

    def interrupt(self) -> None:
        """Make a waiting `acquire` raise Interrupted; may be called by any thread."""
        self._interrupted = True
        self._woken.release()

    def urge(self) -> None:
        """What is waited for is not speculative any more; may be called by any thread."""
        if self._wanted and self._speculative:
            self._speculative = False
            self._ask()

    def rests(self, *, over: bool) -> None:
        """Of an engine that can park: it has nothing to do; its call is `over`, or waits."""
        self._send(Record(Kind.RESTS, flag=over))

    def parked(self) -> None:
        """Of an engine that can park: its weights are off the device."""
        self._send(Record(Kind.PARKED))

    def close(self) -> None:
        """Leave the broker."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _wait_for_grant(self) -> None:
        """Returns with `_stepping` held."""
        with self._state:
            self._asked += 1
        self._ask()
        while True:
            self._woken.acquire()
            self._stepping.acquire()
            if self._held:
                return
            self._stepping.release()
            if self._gone:
                raise BrokerGone("the broker is gone")
            if self._interrupted:
                self._withdraw()
                raise Interrupted

    def _ask(self) -> None:
        flag = SPECULATIVE * self._speculative | UNPARKS * self.unparks
        self._send(Record(Kind.REQUEST, flag, 0, self._asked, monotonic(), self._period_s))

    def _withdraw(self) -> None:
        with self._state:
            self._asked += 1  # A grant that is on its way is for nobody.
            self._held = False
        self._send(Record(Kind.WITHDRAW))

    def _give_back(self) -> None:
        """Only while `_stepping` is held."""
        self._held = self._revoked = False
        self._send(Record(Kind.RELEASED))

    def _send(self, record: Record) -> None:
        try:
            self._socket.sendall(record.encode())
        except OSError:
            self._gone = True
            self._woken.release()

    def _listen(self) -> None:
        reader = RecordReader()
        while not self._gone:
            try:
                data = self._socket.recv(4096)
            except OSError:
                data = b""
            for record in reader.feed(data):
                if record.kind is Kind.GRANT:
                    self._on_grant(record.number)
                elif record.kind is Kind.REVOKE and record.flag:
                    self._rest_if_idle()
                elif record.kind is Kind.REVOKE:
                    self._on_revoke()
                elif record.kind in (Kind.PARK, Kind.UNPARK) and self._on_room is not None:
                    self._on_room(record.kind is Kind.UNPARK)
            self._gone = self._gone or not data
        self._woken.release()
        self._socket.close()

    def _on_grant(self, asked: int) -> None:
        with self._state:
            if asked != self._asked:
                return
            self._held, self._revoked = True, False
        self._woken.release()

    def _on_revoke(self) -> None:
        self._revoked = True
        if self._wanted:  # The step that was granted has not begun; it is given back after it.
            return
        with self._stepping:
            if self._held and self._revoked:
                self._give_back()

    def _rest_if_idle(self) -> None:
        if self._wanted or not self._stepping.acquire(blocking=False):
            return
        if self._held:
            self._give_back()
        self._stepping.release()
