"""`say`, `transcribe` and `chat` with hosted providers, against the simulated cloud."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import soundfile

from tests.cli.test_run_hosted import SPEECH, cloud


def run(command: str, config: Path, *arguments: object, typed: str = "") -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "voicebot_local.cli", command, "--backend", "hosted"),
            *("--config", config, *map(str, arguments)),
        ],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "connected in" in done.stderr
    return done.stdout


def test_each_stage_alone(tmp_path: Path) -> None:
    with cloud(tmp_path) as config:
        out = tmp_path / "a.wav"
        run("say", config, "--out", out, "Good morning, everybody.")
        assert soundfile.info(out).duration > 0.5
        results = [
            json.loads(line) for line in run("transcribe", config, "--json", SPEECH).splitlines()
        ]
        assert results[-1]["final"]
        assert results[-1]["text"]
        (answer,) = [
            json.loads(line) for line in run("chat", config, "--json", typed="hi\n").splitlines()
        ]
        assert answer["assistant"]
