"""Each stage of the local stack alone: NeMo, llama.cpp, and XTTS in a voice of one's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import soundfile

from tests.cli.program import called
from tests.cli.test_run_local import DATA, EXPECTED, local
from tests.engines.xtts_fixture import VOICES, tiny_xtts

__all__ = ["local", "tiny_xtts"]


def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    done = called(*arguments, typed=typed)
    assert done.returncode == 0, done.stderr
    return done


def test_the_recognizer(local: Path) -> None:
    done = run("transcribe", "--config", local, DATA / "nemo" / "joke.wav")
    assert done.stdout == f"{EXPECTED['joke.wav']}\n"
    assert "recognizer: nemo on the CPU" in done.stderr
    assert "synthesizer" not in done.stderr


def test_the_chat_model(local: Path) -> None:
    answer = json.loads(run("chat", "--config", local, "--json", typed="hello\n").stdout)
    assert answer["assistant"]


def test_a_voice_of_ones_own(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = json.loads(run("voices", "list", "--config", local, "--json").stdout)
    assert (found["voice"], found["voices"]) == (VOICES[0], sorted(VOICES))
    sample = tmp_path / "sample.wav"
    run("say", "--backend", "starter", "--out", sample, "One two three four five. " * 5)
    run("voices", "add", "anna", sample)
    out = tmp_path / "out.wav"
    run("voices", "play", "Anna", "--config", local, "--out", out, "--text", "Hello.")
    assert soundfile.info(out).samplerate == 24_000
    assert soundfile.info(out).frames > 0
