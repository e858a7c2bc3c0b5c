"""Typed turns: from a pipe they wait for each other, at a terminal they interrupt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from voicebot_local.events import Entry, SessionStarted, TurnFinished
from voicebot_local.typing_in import TypedTurns

STARTED = Entry(0, 0.0, SessionStarted("silence", 24_000, "starter"))
FINISHED = Entry(1, 1.0, TurnFinished(1, "completed"))


@dataclass
class Recorded:
    """Stands for the session: finishes a turn when told to."""

    said: list[str] = field(default_factory=list)
    ended: bool = False

    def type(self, text: str) -> None:
        self.said.append(text)

    def end_input(self) -> None:
        self.ended = True

    async def has_heard(self, *lines: str) -> None:
        with anyio.fail_after(5):
            while len(self.said) < len(lines):
                await anyio.sleep(0.01)
        await anyio.wait_all_tasks_blocked()
        assert self.said == list(lines)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.mark.anyio
async def test_lines_of_a_pipe_wait_for_the_turn_before(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, "hello\n\n  how are you \ncaf\u00e9".encode())
    os.close(write)
    session = Recorded()
    with os.fdopen(read) as stream:
        typed = TypedTurns(stream)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(typed.feed, session)
            await anyio.wait_all_tasks_blocked()
            assert session.said == []
            typed.entry(STARTED)
            await session.has_heard("hello")
            typed.entry(FINISHED)
            await session.has_heard("hello", "how are you")
            typed.entry(FINISHED)
            await session.has_heard("hello", "how are you", "caf\u00e9")
            assert not session.ended
            typed.entry(FINISHED)
    assert session.said == ["hello", "how are you", "caf\u00e9"]
    assert session.ended


@pytest.mark.anyio
async def test_a_file_on_disk_can_be_read_too(tmp_path: Path) -> None:
    file = tmp_path / "turns.txt"
    file.write_text("one\ntwo\n")
    session = Recorded()
    with file.open() as stream:
        typed = TypedTurns(stream)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(typed.feed, session)
            for _ in range(3):
                typed.entry(FINISHED)
                await anyio.wait_all_tasks_blocked()
    assert (session.said, session.ended) == (["one", "two"], True)


@pytest.mark.anyio
async def test_a_terminal_interrupts() -> None:
    leader, follower = os.openpty()
    session = Recorded()
    with os.fdopen(follower) as stream:
        typed = TypedTurns(stream)
        typed.entry(STARTED)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(typed.feed, session)
            os.write(leader, b"one\ntwo\n")
            await session.has_heard("one", "two")
            tasks.cancel_scope.cancel()
    os.close(leader)
    assert session.said == ["one", "two"]
