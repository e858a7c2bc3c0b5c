"""`voicebot-local bench` and `compare` as programs, on the starter stack, not in real time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import ENVIRONMENT
from voicebot_local.bench.overhead import measure_overhead
from voicebot_local.bench.recordings import find_turns
from voicebot_local.paths import examples_dir


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voicebot_local.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=ENVIRONMENT,
    )


@pytest.fixture
def one_turn(tmp_path: Path) -> Path:
    """A directory with one recorded turn, and its words beside it."""
    turn = find_turns(examples_dir())[2]
    directory = tmp_path / "turns"
    directory.mkdir()
    shutil.copy(turn.path, directory / "joke.wav")
    (directory / "joke.txt").write_text(turn.transcript)
    return directory


def test_two_stacks_are_measured_and_reported(one_turn: Path, tmp_path: Path) -> None:
    slower = tmp_path / "patient.toml"
    slower.write_text('backend = "starter"\n[turn]\nend_silence_s = 0.9\n')
    done = program(
        *("bench", one_turn, "--backend", "starter", "--config", slower, "--config", slower),
        *("--pace", "fast", "--json", tmp_path / "r.json", "--csv", "-", "--html"),
        *(tmp_path / "r.html", "--keep", tmp_path / "kept"),
    )
    assert done.returncode == 0, done.stderr
    assert "Not in real time" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    results = json.loads((tmp_path / "r.json").read_text())
    assert [stack["name"] for stack in results["stacks"]] == ["patient (1)", "patient (2)"]
    for turn in results["turns"]:
        assert turn["turn"] == "joke"
        assert turn["cold"]
        assert turn["answered"]
        assert turn["transcript"]
        assert turn["stages_ms"]["turn_decision"] >= 800
        assert turn["voice_to_voice_ms"] > turn["stages_ms"]["turn_decision"] - 50
    names = set(results["sessions"][0]["processes"])
    assert {"session", "recognizer", "chat", "synthesizer"} <= names
    assert "<html" in (tmp_path / "r.html").read_text()

    recording = tmp_path / "kept" / "1-patient--1-" / "s.wav"
    again = program("bench", "--measure-only", recording, "--json", "-")
    assert again.returncode == 0, again.stderr
    (turn,) = json.loads(again.stdout)["turns"]
    kept = results["turns"][0]["voice_to_voice_ms"]
    assert turn["voice_to_voice_ms"] == pytest.approx(kept, abs=5)


def test_one_engine_alone(one_turn: Path) -> None:
    done = program("bench", one_turn, "--backend", "starter", "--stage", "tts", "--json", "-")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["findings"]
    assert found["engine"] == "espeak"
    assert [text["words"] for text in found["texts"]] == [2, 5, 10, 20, 40]


def test_the_program_alone() -> None:
    found = measure_overhead(turns=2, idle_s=2.0)
    assert found.decision_ms is not None
    assert found.drafted_ms is not None
    assert found.decision_ms.count == found.drafted_ms.count == 2
    assert set(found.idle_shares) == {"session", "engines and broker"}
    assert found.vad_share > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bench", "missing"), "There are no recorded turns in missing"),
        (("bench", "--labels", "x.txt"), "--labels belongs to --measure-only"),
        (("bench", "--overhead", "--stage", "asr"), "exclude each other"),
        (("bench", "--measure-only", "none.wav"), "There is no file none.wav"),
        (("bench", "--baseline", "none.json"), "The baseline none.json cannot be read"),
        (("bench", "--html", "no/where.html"), "its directory does not exist"),
        (("compare", "starter", "nothing"), "nothing is neither a backend nor"),
    ],
)
def test_what_is_wrong_is_said_at_once(arguments: tuple[str, ...], said: str) -> None:
    done = program(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
