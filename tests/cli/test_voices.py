"""`voices` as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from voicebot_local.cards import example_recordings


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voicebot_local.cli", "voices", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_voices_are_listed_heard_added_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    starter = ("--backend", "starter")
    sample = tmp_path / "sample.wav"
    done = run("play", "en-gb", *starter, "--out", sample)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(sample).duration > 3
    done = run("add", "british", sample)
    assert done.returncode == 0, done.stderr
    assert "is kept in" in done.stdout
    found = json.loads(run("list", *starter, "--json").stdout)
    assert (found["provider"], found["voice"]) == ("espeak", "en-us")
    assert [each["name"] for each in found["own"]] == ["british"]
    assert "en-gb" in found["voices"]
    assert "Your own, for XTTS: british" in run("list", *starter).stdout
    done = run("add", "telephone", next(p for p in example_recordings() if "telephone" in p.name))
    assert (done.returncode, "as a telephone has" in done.stderr) == (2, True)
    assert run("remove", "british").returncode == 0
    done = run("remove", "british")
    assert (done.returncode, "You have no voice 'british'" in done.stderr) == (2, True)
