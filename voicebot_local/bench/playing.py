"""Plays recordings to the program as its user would run it: a child process, in real time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicebot_local.bench.resources import ResourceWatch
from voicebot_local.bench.stacks import Stack
from voicebot_local.errors import VoicebotError

LOOK_S = 0.1
"""How often processes are looked at (s)."""
LOOK_AT_DEVICE_S = 1.0
ENDS_S = 10.0
"""How long a program that is told to end may take (s)."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a session left behind: its recording, its event log, and what it took."""

    record: Path
    events: Path
    resources: ResourceWatch


def play(
    stack: Stack,
    recordings: Sequence[Path],
    directory: Path,
    pace: str = "realtime",
    on_turns: Callable[[int], None] = lambda _: None,
) -> Played:
    """Run a session over `recordings` and wait for its end; its files go to `directory`.

    `on_turns` learns how many turns are over. Raises VoicebotError where the program fails; the
    program ends with this one.
    """
    record, events, errors = (directory / name for name in ("s.wav", "e.jsonl", "errors.txt"))
    command = [sys.executable, "-m", "voicebot_local.cli", "run", *stack.flags, "--json"]
    command += ["--record", str(record), "--events", str(events), "--pace", pace]
    for path in recordings:
        command += ["--input", str(path)]
    output = directory / "turns.jsonl"
    with output.open("wb") as out, errors.open("wb") as err:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            resources = _watch(program, events, output, on_turns)
        finally:
            _end(program)
    if program.returncode:
        raise _failed(stack, program.returncode, errors)
    return Played(record, events, resources)


def _watch(
    program: subprocess.Popen[bytes], events: Path, output: Path, on_turns: Callable[[int], None]
) -> ResourceWatch:
    resources = ResourceWatch(program.pid)
    converses, device_due = False, 0.0
    while program.poll() is None:
        if not converses and _has_begun(events):
            converses = True
            resources.conversation_begins()
        resources.look()
        if (now := time.monotonic()) >= device_due:
            resources.look_at_device()
            on_turns(output.read_bytes().count(b"\n"))
            device_due = now + LOOK_AT_DEVICE_S
        time.sleep(LOOK_S)
    return resources


def _has_begun(events: Path) -> bool:
    try:
        return '"SessionStarted"' in events.read_text("utf-8", "replace")
    except FileNotFoundError:
        return False


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is not None:
        return
    program.terminate()
    try:
        program.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _failed(stack: Stack, code: int, errors: Path) -> VoicebotError:
    lines = [line for line in errors.read_text("utf-8", "replace").splitlines() if line.strip()]
    said = [line.removeprefix("voicebot-local: ") for line in lines]
    first = next(
        (n for n, line in enumerate(lines) if line.startswith("voicebot-local: ")),
        max(0, len(lines) - 1),
    )
    why = said[first] if said else f"it ended with {code}"
    return VoicebotError(
        f"The stack {stack.name} could not be run: {why}", " ".join(said[first + 1 :])
    )
