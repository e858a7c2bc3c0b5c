"""Turns that are typed instead of spoken, at a terminal or through a pipe."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Protocol, TextIO

import anyio

from voicebot_local.events import Entry, SessionStarted, TurnDiscarded, TurnFinished

READ_BYTES = 4096


class Typable(Protocol):
    """What takes the turns: a session."""

    def type(self, text: str) -> None: ...
    def end_input(self) -> None: ...


class TypedTurns:
    """Hands each line of `stream` to the session as a turn.

    A line from a terminal is handed on at once and interrupts a reply, as speech would. Lines from
    a pipe or a file are all there before the first reply: each waits for the end of the turn
    before it. The end of the stream is the end of the input.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._interrupts = stream.isatty()
        self._free = anyio.Event()

    def entry(self, entry: Entry) -> None:
        """A reader of the event log: learns when a turn is over."""
        if isinstance(entry.event, SessionStarted | TurnFinished | TurnDiscarded):
            self._free.set()

    async def feed(self, session: Typable) -> None:
        """Feed the session until the stream ends."""
        async for line in _lines(self._stream):
            await self._free.wait()
            if not self._interrupts:
                self._free = anyio.Event()
            session.type(line)
        await self._free.wait()
        session.end_input()


async def _lines(stream: TextIO) -> AsyncIterator[str]:
    """The lines that say something, as they come; a thread would outlive the conversation."""
    descriptor, rest = stream.fileno(), b""
    while True:
        try:
            await anyio.wait_readable(descriptor)
        except PermissionError:  # A file on disk is always ready, and cannot be waited for.
            await anyio.lowlevel.checkpoint()
        data = os.read(descriptor, READ_BYTES)
        *complete, rest = (rest + data).split(b"\n") if data else [rest, b""]
        for line in complete:
            if text := line.decode("utf-8", "replace").strip():
                yield text
        if not data:
            return
