"""`voicebot-local run` on the local stack: NeMo, llama.cpp and XTTS, each in a process of its own.

The models are small ones that the project makes itself. The recognizer's transcripts can be
checked; the synthesizer's voice means nothing, but it is a sound.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.program import (
    check_death,
    check_latencies,
    check_log,
    converse,
    inputs,
    kill_in_mid_turn,
    processes,
    read_log,
    watched,
)
from tests.engines.xtts_fixture import VOICES, tiny_xtts
from voicebot_local.events import EngineLoaded, Stage
from voicebot_local.paths import CHECKOUT
from voicebot_local.turns.settings import TurnSettings

__all__ = ["tiny_xtts"]

DATA = CHECKOUT / "tests" / "data"
EXPECTED: dict[str, str] = json.loads((DATA / "nemo" / "expected.json").read_text())
PROFILE = """
backend = "local"

[recognizer]
model = "{data}/nemo_tiny.nemo"
device = "cpu"
threads = 1

[chat]
model = "starter/chat.gguf"
context_tokens = 512
max_reply_tokens = 24
temperature = 0
gpu_layers = 0
threads = 1

[synthesizer]
model = "{xtts}"
voice = "{voice}"
device = "cpu"
threads = 1
seed = 1
"""


@pytest.fixture
def local(tiny_xtts: Path, tmp_path: Path) -> Path:
    """A configuration of the local stack with small models."""
    file = tmp_path / "local.toml"
    file.write_text(PROFILE.format(data=DATA, xtts=tiny_xtts, voice=VOICES[0]))
    return file


def spoken(*names: str) -> list[object]:
    return inputs(*(DATA / "nemo" / f"{name}.wav" for name in names))


def test_a_conversation_from_end_to_end(local: Path, tmp_path: Path) -> None:
    record, events = tmp_path / "s.wav", tmp_path / "e.jsonl"
    names = ("joke", "timer")
    done = converse(
        *("--config", local, *spoken(*names), "--record", record, "--events", events),
    )
    assert done.code == 0, done.said
    assert [turn["user"] for turn in done.turns] == [EXPECTED[f"{name}.wav"] for name in names]
    for turn in done.turns:
        assert turn["heard"] == turn["assistant"] != ""
        assert (turn["failed"], turn["interrupted"]) == (False, False)
    log = read_log(events)
    check_log(log)
    loaded = {entry.event.name for entry in log if isinstance(entry.event, EngineLoaded)}
    assert loaded == {"nemo", "llama_cpp", "xtts"}
    assert len(set(processes(log).values())) == 3
    right = soundfile.read(record, dtype="float32")[0][:, 1]
    assert np.abs(right).max() > 0.01
    check_latencies(done.turns, record)


def test_each_engine_may_be_killed_in_mid_turn(local: Path, tmp_path: Path) -> None:
    names = ("joke", "kitchen", "joke", "kitchen", "joke", "kitchen", "joke")
    deaths: dict[int, Stage] = {2: "recognizer", 4: "chat", 6: "synthesizer"}
    # An engine that dies while it drafts a reply costs nothing: the reply is made anew.
    local.write_text(f"{local.read_text()}\n[turn]\nmax_revisions = 0\nread_ahead = false\n")
    arguments = ("--config", local, "--pace", "fast", *spoken(*names))
    with watched(tmp_path / "e.jsonl", *arguments) as run:
        for turn, stage in deaths.items():
            kill_in_mid_turn(run, stage, turn)
        done = run.finish()
    assert done.code == 0, done.said
    assert [turn["turn"] for turn in done.turns if turn["failed"]] == list(deaths)
    for turn, stage in deaths.items():
        check_death(run.entries, done, stage, turn)
    understood = {turn["turn"]: turn["user"] for turn in done.turns}
    assert understood == {
        number: "" if deaths.get(number) == "recognizer" else EXPECTED[f"{name}.wav"]
        for number, name in enumerate(names, 1)
    }
    check_log(run.entries, settings=TurnSettings(max_revisions=0))
