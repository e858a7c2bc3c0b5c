"""Where an engine runs: in a child process (`process_link`) or in a thread here (`thread_link`).

A link carries frames both ways. Sending never waits, so that leaving a call never does.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Protocol, TypeAlias

import anyio
from anyio import (
    BrokenResourceError,
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    from_thread,
    lowlevel,
    to_thread,
)
from anyio.abc import Process

from voicebot_local.engines.protocol import Frame, FrameParser, encode
from voicebot_local.engines.serving import ClientGone, Desk, DeviceLost
from voicebot_local.engines.tasks import owned_tasks

logger = logging.getLogger(__name__)

CLOSING_S = 2.5
"""How long a child may take to end by itself once it is told so; the worker's own limit is 2 s."""

LAST_LINES = 30
"""How many lines of what a child wrote on standard error are kept for when it dies."""

_LONGEST_LINE = 2_000


class Link(Protocol):
    """A running engine, seen as a pair of pipes."""

    def post(self, frame: Frame) -> None:
        """Send a frame, in order, without waiting. Raises ValueError where it is too long."""
        ...

    async def receive(self) -> list[Frame]:
        """The next frames; none when the engine is gone. Raises ProtocolViolation."""
        ...

    def kill(self) -> None:
        """End it at once, whatever it is doing; `receive` then finds it gone."""
        ...

    async def how_it_ended(self) -> str:
        """For people, in brackets: "killed by signal 9". Waits for its end."""
        ...

    def last_words(self) -> str:
        """The last line it wrote for people, or nothing."""
        ...


OpenLink: TypeAlias = Callable[[str], AbstractAsyncContextManager[Link]]
"""Starts an engine's process or thread; the argument is its name for people and logs."""


@asynccontextmanager
async def process_link(name: str) -> AsyncIterator[Link]:
    """Start a worker process; leaving the block ends it, by force if need be."""
    child_end, our_end = os.pipe()
    try:
        process = await anyio.open_process(
            [sys.executable, "-P", "-m", "voicebot_local.engines.worker", _parent_to_die_with()],
            stdin=child_end,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C in the terminal is for the program alone
        )
    except BaseException:
        os.close(our_end)
        raise
    finally:
        os.close(child_end)
    link = ProcessLink(process, our_end, name)
    async with owned_tasks() as tasks:
        tasks.start_soon(link.write)
        tasks.start_soon(link.drain_stderr)
        tasks.start_soon(link.watch_for_exit)
        try:
            yield link
        finally:
            with CancelScope(shield=True):
                await link.close()
            tasks.cancel_scope.cancel()


class ProcessLink:
    """A worker process. Its three coroutine methods that never return run as tasks."""

    def __init__(self, process: Process, stdin: int, name: str) -> None:
        """`stdin` is the pipe to its standard input, which is ours to close."""
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(stdin, False)
        self._process = process
        self._stdin, self._stdout, self._stderr = stdin, process.stdout, process.stderr
        self._name = name
        self._parser = FrameParser(name)
        # Unbounded by type, bounded by use: a call's inputs keep to INPUT_WINDOW.
        self._outbox: deque[bytes] = deque()
        self._posted = anyio.Event()
        self._killed = False
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def pid(self) -> int:
        return self._process.pid

    def post(self, frame: Frame) -> None:
        # Written here and now: a task that writes would cost each stage of a reply its turn.
        self._outbox.append(encode(frame))
        if len(self._outbox) == 1:
            self._write_some()
        if self._outbox:
            self._posted.set()

    async def write(self) -> None:
        """Write what the pipe had no room for."""
        while True:
            await self._posted.wait()
            self._posted = anyio.Event()
            try:
                while self._outbox:
                    if self._stdin < 0:  # Closed before this task came to its turn.
                        return
                    await anyio.wait_writable(self._stdin)
                    self._write_some()
            except ClosedResourceError:
                return  # by `close`

    def _write_some(self) -> None:
        """Write of the oldest that waits what the pipe has room for."""
        data = self._outbox.popleft()
        try:
            rest = data[os.write(self._stdin, data) :]
        except BlockingIOError:
            rest = data
        except OSError:
            return  # it died; the reading side is told, and says so
        if rest:
            self._outbox.appendleft(rest)

    async def receive(self) -> list[Frame]:
        while True:
            try:
                data = await self._stdout.receive()
            except (EndOfStream, BrokenResourceError, ClosedResourceError):
                return []
            if frames := self._parser.feed(data):
                return frames

    async def drain_stderr(self) -> None:
        """Shielded, so that a child with much to say can say it and end; `close` ends this."""
        rest = b""
        with CancelScope(shield=True):
            while True:
                try:
                    data = await self._stderr.receive()
                except (EndOfStream, BrokenResourceError, ClosedResourceError):
                    return
                *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
                rest = rest[-_LONGEST_LINE:]
                for raw in lines:
                    if line := raw[:_LONGEST_LINE].decode("utf-8", "replace").rstrip():
                        self._lines.append(line)
                        logger.debug("%s: %s", self._name, line)

    async def watch_for_exit(self) -> None:
        # Normally the pipe's end says it. A process that the engine forked may hold the pipe open.
        await self._process.wait()
        await anyio.sleep(0.5)
        await self._stdout.aclose()

    def kill(self) -> None:
        """Kill it and whatever it started, which may outlive it."""
        if self._killed:
            return
        self._killed = True
        with suppress(ProcessLookupError):  # nothing of it is left
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    async def how_it_ended(self) -> str:
        with anyio.move_on_after(CLOSING_S):
            await self._process.wait()
        self.kill()
        status = await self._process.wait()
        await lowlevel.checkpoint()  # lets the last lines on standard error in
        return f"killed by signal {-status}" if status < 0 else f"exit code {status}"

    def last_words(self) -> str:
        return self._lines[-1] if self._lines else ""

    async def close(self) -> None:
        """The end of its standard input tells it to go."""
        with anyio.move_on_after(CLOSING_S):
            anyio.notify_closing(self._stdin)
            os.close(self._stdin)
            self._stdin = -1  # The number may soon be another file's.
            await self._process.wait()
        self.kill()
        await self._process.aclose()


def _environment() -> dict[str, str]:
    """The child finds this very package, however the program was started."""
    here = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    return dict(os.environ, PYTHONPATH=os.pathsep.join([here, path] if path else [here]))


def _parent_to_die_with() -> str:
    """See `worker.py`: trio starts processes from threads that end when they have been idle."""
    on_asyncio = "asyncio" in lowlevel.current_token().backend_class.__module__
    return str(os.getpid() if on_asyncio else 0)


@asynccontextmanager
async def thread_link(name: str) -> AsyncIterator[Link]:
    """The same engine in a thread of this process, for tests: it cannot be killed."""
    link = ThreadLink(name)
    async with owned_tasks() as tasks:
        tasks.start_soon(link.work)
        try:
            yield link
        finally:
            link.kill()


class ThreadLink:
    """A worker thread; `work` runs as a task."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._give, self._frames = anyio.create_memory_object_stream[Frame](64)
        self._token = lowlevel.current_token()
        self._working = CancelScope(shield=True)
        self._desk = Desk(self._emit)
        self._parser = FrameParser(name)

    def _emit(self, frame: Frame) -> None:
        try:
            from_thread.run(self._give.send, frame, token=self._token)
        except (BrokenResourceError, ClosedResourceError) as error:
            raise ClientGone from error

    async def work(self) -> None:
        """One thread for as long as the link lives: it owns the engine."""

        def serve() -> None:
            try:
                self._desk.serve()
            except (ClientGone, DeviceLost) as end:
                logger.debug("%s: its thread ends: %r", self._name, end)

        with self._working, self._give:
            # A thread that is stuck in an engine cannot be ended; `kill` leaves it behind.
            await to_thread.run_sync(
                serve, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )

    def post(self, frame: Frame) -> None:
        # By way of bytes, so that what a process would not take is not taken here.
        for arrived in self._parser.feed(encode(frame)):
            self._desk.put(arrived)

    async def receive(self) -> list[Frame]:
        try:
            return [await self._frames.receive()]
        except (EndOfStream, BrokenResourceError, ClosedResourceError):
            return []

    def kill(self) -> None:
        """It ends with its step; one that does not end is left behind after a while."""
        self._desk.close()
        self._give.close()
        self._frames.close()
        self._working.deadline = min(self._working.deadline, anyio.current_time() + CLOSING_S)

    async def how_it_ended(self) -> str:
        return "its thread ended"

    def last_words(self) -> str:
        return ""
