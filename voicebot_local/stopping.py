"""Ctrl-C: the first ends the conversation cleanly and at once, the second kills the program."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import anyio

EXIT_INTERRUPTED = 130


class Stop:
    """Whether the user wants the program to end, and what to cancel then."""

    def __init__(self) -> None:
        self.signal = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scope: anyio.CancelScope | None = None

    def cancels(self, scope: anyio.CancelScope) -> None:
        """From now on the first signal cancels `scope`, of the running event loop."""
        self._loop, self._scope = asyncio.get_running_loop(), scope
        if self.signal:
            scope.cancel()

    def raise_if_asked(self) -> None:
        """Raise KeyboardInterrupt after Ctrl-C, SystemExit after a request to terminate."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            raise SystemExit(128 + self.signal)

    def on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A signal has come; runs between any two steps of the main thread."""
        if self.signal:
            # Engines end with the program: their standard input is closed with it.
            os._exit(EXIT_INTERRUPTED)
        self.signal = number
        if self._loop is not None and self._scope is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._scope.cancel)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Catch Ctrl-C and requests to terminate for the block."""
    stop = Stop()
    caught = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.on_signal) for number in caught]
    try:
        yield stop
    finally:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)
