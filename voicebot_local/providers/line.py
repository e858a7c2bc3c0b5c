"""A WebSocket to a service, kept open and warm over a conversation.

It is reconnected with backoff where that can help, and nothing is ever sent again after that: what
was under way on a lost connection fails, and the next call finds a fresh one. Needs asyncio.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.errors import ProtocolViolation, ProviderError, ProviderTimeout
from voicebot_local.events import EngineDied, EngineLoaded
from voicebot_local.providers.hosted import (
    BACKOFF_S,
    SLOW_RETRY_S,
    Busy,
    Report,
    Service,
    Wakeup,
    again,
)
from voicebot_local.providers.line_call import Call, Dialect, JsonObject

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FAREWELL_S = 1.0
_PING_S = 10.0
_MOST_BYTES = 16 * 2**20
_PASSING = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013})
"""Close codes after which a new connection may do better."""


class Line:
    """One service's WebSocket. `run` keeps it open, `call` uses it, one call at a time."""

    def __init__(self, service: Service, dialect: Dialect, report: Report) -> None:
        self.service = service
        self._dialect = dialect
        self._report = report
        self._socket: ClientConnection | None = None
        self._call: Call | None = None
        self._greeting: Call | None = None
        self._dropped = False
        self._last_error: ProviderError | None = None
        self._given_up = False
        self._known_dead = False
        self._tries = 0
        self._failures = 0
        self._last_used = 0.0
        self._hurry = Wakeup()
        self._changed = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect, then stay connected until cancelled; `started` once the first one is ready.

        Raises the ProviderError of a first connection that fails for good.
        """
        first = True
        began = anyio.current_time()

        def ready() -> None:
            nonlocal first
            if first or self._known_dead:
                self._say_loaded(anyio.current_time() - began)
            if first:
                first = False
                task_status.started()

        while True:
            began = anyio.current_time()
            error: ProviderError | None
            try:
                async with self._open() as socket:
                    error = await self._serve(socket, ready)
            except ProviderError as failed:
                error = failed
            self._tries += 1
            if anyio.current_time() - began > SLOW_RETRY_S:
                self._failures = 0
            if error is None:  # Nobody used it for long.
                await self._hurry.wait(float("inf"))
            if error is None or self._dropped:
                self._dropped = False
                continue
            self._failures += 1
            self._last_error = error
            self._announce()
            if not error.retryable or (first and self._failures > len(BACKOFF_S)):
                if first:
                    raise error
                self._say_died(error, restarting=False)
                self._given_up = True
                self._announce()
                await anyio.sleep_forever()
            if not first and self._failures > 1:
                self._say_died(error, restarting=True)
            await self._pause()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Call]:
        """Use the connection; waits for one that is being made. Raises ProviderError."""
        if self._call is not None:
            raise RuntimeError(f"{self.service.name} serves one call at a time")
        call = Call(self, await self._ready())
        self._call = call
        try:
            yield call
            self._failures = 0
        finally:
            self._call = None
            self._last_used = anyio.current_time()
            call.close()

    def drop(self, socket: ClientConnection) -> None:
        """Abandon a connection at once."""
        if socket is self._socket:
            self._socket = None
            self._dropped = True
        socket.transport.abort()

    def lost(self, closed: Any) -> ProviderError:
        """The error for a `ConnectionClosed`."""
        code, reason = 1006, ""
        if closed.rcvd is not None:
            code, reason = closed.rcvd.code, self.service.clean(closed.rcvd.reason)
        own = self._dialect.closed(code, reason)
        if own is not None:
            return own
        why = f": {reason}" if reason else ""
        return self.service.unavailable(
            f"broke off the connection ({code}{why})", retryable=code in _PASSING
        )

    async def _ready(self) -> ClientConnection:
        """The connection. Fails with the next attempt, where several have failed already."""
        tries = self._tries
        if self._socket is None:
            self._hurry.wake()
        with anyio.move_on_after(self.service.config.connect_timeout_s):
            while True:
                hopeless = self._failures > len(BACKOFF_S) and self._tries > tries
                if self._last_error is not None and (self._given_up or hopeless):
                    raise again(self._last_error)
                if self._socket is not None:
                    return self._socket
                await self._changed.wait()
        if self._last_error is not None:
            raise again(self._last_error)
        raise self._too_slow()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[ClientConnection]:
        """A connection, greeted. Raises ProviderError where there is none to be had."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

        url, headers = self._dialect.address()
        config = self.service.config
        try:
            socket = await connect(
                url,
                additional_headers=dict(headers),
                compression=None,
                ssl=_tls() if url.startswith("wss:") else None,
                proxy=None if config.is_here else True,
                open_timeout=config.connect_timeout_s,
                close_timeout=FAREWELL_S,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                max_size=_MOST_BYTES,
                logger=_silent(),
            )
        except InvalidStatus as refused:
            raise self._refused(refused.response) from None
        except TimeoutError:
            raise self._too_slow() from None
        except (OSError, EOFError, InvalidHandshake, InvalidURI) as error:
            reason = self.service.clean(error) or type(error).__name__
            raise self.service.unavailable(
                f"cannot be reached at {config.host}: {reason}",
                "Check the network, and `base_url` in the configuration.",
            ) from None
        opened = anyio.current_time()
        try:
            yield socket
        finally:
            if self._socket is socket:
                self._socket = None
            with anyio.move_on_after(FAREWELL_S, shield=True):
                await self._say_goodbye(socket)
            socket.transport.abort()
            self._dialect.over(anyio.current_time() - opened)

    async def _say_goodbye(self, socket: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            if (farewell := self._dialect.farewell()) is not None:
                await socket.send(json.dumps(farewell))
        await socket.close()

    async def _serve(
        self, socket: ClientConnection, ready: Callable[[], None]
    ) -> ProviderError | None:
        """Greet, then read until the connection ends; returns why, None after long idleness."""
        ended: list[ProviderError | None] = []
        async with owned_tasks() as tasks:

            async def read() -> None:
                ended.append(await self._read(socket))
                tasks.cancel_scope.cancel()

            async def keep() -> None:
                await self._keep(socket)
                ended.append(None)
                tasks.cancel_scope.cancel()

            greeting = Call(self, socket)
            self._greeting = greeting
            tasks.start_soon(read)
            try:
                await self._dialect.greet(greeting)
            finally:
                self._greeting = None
                greeting.close()
            self._socket, self._last_error = socket, None
            self._last_used = anyio.current_time()
            self._announce()
            ready()
            tasks.start_soon(keep)
        return ended[0] if ended else None

    async def _read(self, socket: ClientConnection) -> ProviderError:
        from websockets.exceptions import ConnectionClosed

        error: ProviderError | None = None
        while error is None:
            try:
                message = _parsed(await socket.recv())
            except ConnectionClosed as closed:
                error = self.lost(closed)
                break
            if message is None:
                name = self.service.name
                error = ProtocolViolation(self.service.provider, f"{name} sent no JSON object.")
                break
            error = self._dialect.failure(message)
            call = self._greeting or self._call
            if error is None and call is not None:
                await call.deliver(message)
        if self._socket is socket:
            self._socket = None
        for call in (self._greeting, self._call):
            if call is not None:
                call.break_off(error)
        return error

    async def _keep(self, socket: ClientConnection) -> None:
        """Keep the connection from being closed as idle; returns when it has been idle enough."""
        from websockets.exceptions import ConnectionClosed

        dialect = self._dialect
        while True:
            await anyio.sleep(dialect.keepalive_s)
            if self._call is not None:
                continue
            idle_s = anyio.current_time() - self._last_used
            if dialect.idle_close_s and idle_s >= dialect.idle_close_s:
                self._socket = None
                self._hurry.clear()
                return
            with suppress(ConnectionClosed):
                if (message := dialect.keepalive()) is not None:
                    await socket.send(json.dumps(message))

    async def _pause(self) -> None:
        """Wait before the next try."""
        wait_s = getattr(self._last_error, "retry_after_s", 0.0)
        if self._failures <= len(BACKOFF_S):
            await anyio.sleep(max(wait_s, BACKOFF_S[self._failures - 1]))
        else:
            await anyio.sleep(BACKOFF_S[-1])
            await self._hurry.wait(max(wait_s, SLOW_RETRY_S))

    def _refused(self, response: Any) -> ProviderError:
        status = response.status_code
        if status in (401, 403):
            return self.service.refused_key()
        if status == 429:
            return Busy.of(self.service, response.headers.get("Retry-After"))
        said = self.service.clean((response.body or b"").decode("utf-8", "replace"))
        return self.service.unavailable(
            f"refused the connection (HTTP {status}{': ' if said else ''}{said})",
            "Check `base_url` and the model in the configuration." if status < 500 else "",
            retryable=status >= 500,
        )

    def _too_slow(self) -> ProviderTimeout:
        service = self.service
        return ProviderTimeout(
            service.provider,
            f"{service.name} ({service.config.host}) was not connected after "
            f"{service.config.connect_timeout_s:g} s.",
            "Check the network.",
        )

    def _say_loaded(self, load_s: float) -> None:
        self._known_dead = False
        service = self.service
        self._report(EngineLoaded(service.stage, service.provider, service.device, load_s))

    def _say_died(self, error: ProviderError, *, restarting: bool) -> None:
        if not self._known_dead or not restarting:
            self._known_dead = True
            service = self.service
            self._report(EngineDied(service.stage, service.provider, error.message, restarting))

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _parsed(raw: str | bytes) -> JsonObject | None:
    try:
        message = json.loads(raw)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


@cache
def _silent() -> logging.Logger:
    """What the library would write while debugging has the key in it."""
    silent = logging.getLogger("voicebot_local.websocket")
    silent.setLevel(logging.WARNING)
    return silent


@cache
def _tls() -> ssl.SSLContext:
    """Shared by all lines: reading the certificates takes tens of milliseconds."""
    return ssl.create_default_context()
