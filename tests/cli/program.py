"""`voicebot-local run` as a program of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from voicebot_local.bench.measure import measure_file
from voicebot_local.events import (
    Apologized,
    ClauseReady,
    DeviceSteps,
    EngineDied,
    EngineLoaded,
    Entry,
    Event,
    PlayoutStarted,
    SpeechProduced,
    SpeechStarted,
    Stage,
    StageFailed,
    TurnCommitted,
    TurnFinished,
    from_json,
)
from voicebot_local.gpu.trace import examine
from voicebot_local.paths import examples_dir
from voicebot_local.session import APOLOGY
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.replay import replay
from voicebot_local.turns.settings import TurnSettings

PROGRAM = [sys.executable, "-m", "voicebot_local.cli"]
COMMAND = [*PROGRAM, "run"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
EXAMPLES: list[dict[str, Any]] = tomllib.loads(
    (examples_dir() / "conversation.toml").read_text("utf-8")
)["turn"]
LONGEST_S = 170
HUNG_S = 60.0
"""A step of a test's tiny model takes milliseconds; on a busy machine, somewhat more (s)."""
BUSY_HAND_OVER_S = 0.05
"""A message between processes takes less; on a busy machine it waits for a core (s)."""
ALL_BYTES = 600_000_000
"""What the starter stack may take in all."""
Memory: TypeAlias = dict[psutil.Process, int]
TENANT: dict[Stage, str] = {"recognizer": "asr", "chat": "llm", "synthesizer": "tts"}
IDLE_SINCE: dict[Stage, type[Event]] = {
    "recognizer": SpeechProduced,
    "chat": TurnFinished,
    "synthesizer": TurnFinished,
}
"""From here on in a turn, an engine has nothing to do until the next turn."""
BUSY_FROM: dict[Stage, type[Event]] = {
    "recognizer": SpeechStarted,
    "chat": TurnCommitted,
    "synthesizer": ClauseReady,
}
"""From here on in a turn, it has."""


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended: its exit code, the turns on stdout, the words on stderr."""

    code: int
    turns: list[dict[str, Any]]
    said: str


def converse(
    *arguments: object, within: Sequence[str] = (), environment: Mapping[str, str] = {}
) -> Done:
    """Run with `--json` to the end; `within` is a command to run it in."""
    done = subprocess.run(
        [*within, *COMMAND, "--json", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    return Done(
        done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr
    )


def called(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    """The program has run to its end, with `typed` on its standard input."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def question() -> tuple[Path, str]:
    """A recording with one voice at 16 kHz that the starter stack understands, and its words."""
    turn = next(
        turn
        for turn in EXAMPLES
        if (turn["rate"], "capital" in turn["transcript"]) == (16_000, True)
    )
    return examples_dir() / turn["file"], turn["transcript"]


def inputs(*files: Path) -> list[object]:
    """The flags for these recordings."""
    return [part for file in files for part in ("--input", file)]


def read_log(path: Path) -> list[Entry]:
    return [from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def check_log(
    entries: Sequence[Entry], turns: int = 0, settings: TurnSettings | None = None
) -> None:
    """The log is whole, decides the same again, and no rule about the device is broken."""
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    for observation, logged, made in replay(
        entries, TurnMachine(settings or TurnSettings(), turns)
    ):
        assert made == logged, observation
    report = examine(entries, step_limit_s=HUNG_S, hand_over_s=BUSY_HAND_OVER_S)
    assert report.violations == []


def check_latencies(turns: Sequence[dict[str, Any]], recording: Path) -> None:
    """What `--json` says is what the recording shows, turn by turn."""
    told = [turn["voice_to_voice_ms"] for turn in turns]
    seen = [turn.latency_s * 1000 for turn in measure_file(recording)]
    assert len(told) == len(seen), (told, seen)
    for one, other in zip(told, seen, strict=True):
        assert abs(one - other) <= 20, (told, seen)


def memory(program: psutil.Process) -> Memory:
    """Resident bytes of the program and of its child processes, the program first."""
    found = [program, *program.children(recursive=True)]
    return {process: process.memory_info().rss for process in found}


def processes(entries: Sequence[Entry]) -> dict[str, int]:
    """The process of each tenant of the device, as its latest steps say."""
    return {
        entry.event.tenant: entry.event.process
        for entry in entries
        if isinstance(entry.event, DeviceSteps)
    }


@dataclass(slots=True)
class Watched:
    """A running program whose event log is read as it grows. End it with `finish`."""

    program: subprocess.Popen[str]
    path: Path
    entries: list[Entry] = field(default_factory=list)
    _read: int = 0

    def wait_for(self, kind: type[Event], turn: int) -> None:
        """Wait until the log has had an event of `kind` in turn `turn`."""
        if any(_is(entry, kind, turn) for entry in self.entries):
            return
        for entry in self.follow():
            if _is(entry, kind, turn):
                return
        said = self.program.communicate(timeout=120)[1]
        raise AssertionError(f"the program ended without {kind.__name__} in turn {turn}: {said}")

    def follow(self) -> Iterator[Entry]:
        """Entries as they come, until the program has ended. Those that are not taken wait."""
        while True:
            ended = self.program.poll() is not None
            with self.path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read += len(line)
                    self.entries.append(from_json(json.loads(line)))
                    yield self.entries[-1]
            if ended:
                return
            time.sleep(0.005)

    def finish(self) -> Done:
        """The end of the program, and the rest of its log."""
        out, said = self.program.communicate(timeout=120)
        for _ in self.follow():
            pass
        return Done(self.program.returncode, [json.loads(line) for line in out.splitlines()], said)


def _is(entry: Entry, kind: type[Event], turn: int) -> bool:
    return isinstance(entry.event, kind) and getattr(entry.event, "turn", turn) == turn


@contextmanager
def watched(path: Path, *arguments: object) -> Iterator[Watched]:
    """The program, with `--json` and its event log in `path`; killed where it was not finished."""
    path.touch()
    with subprocess.Popen(
        [*COMMAND, "--json", "--events", str(path), *map(str, arguments)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield Watched(program, path)
        finally:
            program.kill()


def kill_in_mid_turn(run: Watched, stage: Stage, turn: int) -> None:
    """Kill the engine of `stage`, as `kill -9` does, while it has work in turn `turn`.

    It is frozen while it has nothing to do, after the turn before, and killed once it has been
    given work: so it cannot be done before.
    """
    run.wait_for(IDLE_SINCE[stage], turn - 1)
    process = processes(run.entries)[TENANT[stage]]
    os.kill(process, signal.SIGSTOP)
    try:
        run.wait_for(BUSY_FROM[stage], turn)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def check_death(entries: Sequence[Entry], done: Done, stage: Stage, turn: int) -> None:
    """Turn `turn` failed because the engine of `stage` was killed in it; the next one worked.

    The apology is printed in any case, and spoken unless it was the synthesizer that died.
    """
    events = [entry.event for entry in entries]
    deaths = [event for event in events if isinstance(event, EngineDied) and event.stage == stage]
    assert [("killed by signal 9" in death.reason, death.restarting) for death in deaths] == [
        (True, True)
    ]
    failures = [event for event in events if isinstance(event, StageFailed) and event.turn == turn]
    assert [failure.stage for failure in failures] == [stage]
    apology = next(
        event for event in events if isinstance(event, Apologized) and event.turn == turn
    )
    assert apology.stage == stage
    spoken = PlayoutStarted in {type(event) for event in events if _tag(event) == _tag(apology)}
    assert spoken == (stage != "synthesizer")
    told = {line["turn"]: line for line in done.turns}
    assert (told[turn]["failed"], told[turn]["assistant"]) == (True, APOLOGY)
    assert told[turn]["heard"] == (APOLOGY if spoken else "")
    assert f"The {stage} failed in this turn" in done.said
    after = told[turn + 1]
    assert not after["failed"]
    assert after["user"]
    assert after["heard"] == after["assistant"] != ""
    loads = [event for event in events if isinstance(event, EngineLoaded) and event.stage == stage]
    assert len(loads) == 2


def _tag(event: Event) -> tuple[int, int] | None:
    if isinstance(event, Apologized | PlayoutStarted):
        return event.turn, event.revision
    return None
