"""Fifty turns on the local stack's real engines, some interrupted, and what the trace proves."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import soundfile

from tests.cli.program import check_log, converse, read_log
from tests.cli.test_run_local import DATA, EXPECTED, local
from tests.engines.xtts_fixture import tiny_xtts
from voicebot_local.gpu.trace import examine

__all__ = ["local", "tiny_xtts"]

TURNS = 50
RATE = 16_000


def one_recording(path: Path, dice: random.Random) -> list[str]:
    """All turns in one file, each 0.9 to 3.5 s after the one before: some fall into a reply."""
    sound: list[np.ndarray] = []
    said: list[str] = []
    for _ in range(TURNS):
        name = dice.choice(sorted(EXPECTED))
        samples, rate = soundfile.read(DATA / "nemo" / name, dtype="float32")
        assert rate == RATE
        quiet = np.zeros(round(dice.uniform(0.9, 3.5) * RATE), np.float32)
        sound += [samples, quiet]
        said.append(EXPECTED[name])
    soundfile.write(path, np.concatenate(sound), RATE)
    return said


def test_the_trace_of_fifty_turns_shows_no_violation(local: Path, tmp_path: Path) -> None:
    recording, events = tmp_path / "fifty.wav", tmp_path / "e.jsonl"
    said = one_recording(recording, random.Random(5))
    done = converse("--config", local, "--pace", "fast", "--input", recording, "--events", events)
    assert done.code == 0, done.said
    log = read_log(events)
    check_log(log)
    report = examine(log)
    assert report.overlap_s == 0
    assert {step.tenant for step in report.steps} == {"asr", "llm", "tts"}
    interrupted = sum(turn["interrupted"] for turn in done.turns)
    assert interrupted >= 5
    # What is said before a reply is audible continues the turn: nothing is lost, nothing twice.
    heard = " ".join(turn["user"] for turn in done.turns)
    assert len(heard.split()) == len(" ".join(said).split())
