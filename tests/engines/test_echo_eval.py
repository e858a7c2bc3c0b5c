"""Simulated rooms with the real detector, recognizer and synthesizer in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from voicebot_local.bench.echo.rooms import ROOMS
from voicebot_local.bench.echo.scenes import make_scene, measure
from voicebot_local.bench.echo.ways import nothing, program


def test_the_detector_finds_the_user_and_not_the_assistant() -> None:
    scene = make_scene(ROOMS["desk"], 0, 30)
    erle_db, false_per_min, found, _ = measure(scene, program, 0.25)
    assert erle_db > 20
    assert false_per_min == 0
    assert len(found) == len(scene.spans)
    _, without, _, _ = measure(scene, nothing, 0.25)
    assert without > 20


def test_a_session_in_a_room(tmp_path: Path) -> None:
    file = tmp_path / "echo.json"
    command = [sys.executable, "-m", "voicebot_local.cli", "echo-eval", "--room", "desk"]
    command += ["--user-db", "0", "--minutes", "0.6", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    (session,) = json.loads(file.read_text())["sessions"]
    assert session["assistant_s"] > 20
    assert (session["self_interruptions"], session["false_turns"]) == (0, 0)
    assert session["stopped"] == session["interruptions"] == 1


def test_an_unknown_room_is_told_at_once() -> None:
    command = [sys.executable, "-m", "voicebot_local.cli", "echo-eval", "--room", "cave"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "cave" in done.stderr
    assert "desk" in done.stderr
