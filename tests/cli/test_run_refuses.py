"""`voicebot-local run` with input that cannot work: one sentence, the mend, the exit code."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.fake_portaudio import FakePortAudio
from voicebot_local import cli, paths
from voicebot_local.errors import DeviceError
from voicebot_local.providers import registry

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program; its exit code, and what it wrote to stderr. No model may be loaded."""

    def never(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(registry, "local_engine", never)

    def run(*arguments: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["voicebot-local", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert said.out == ""
        code = ended.value.code
        assert isinstance(code, int)
        return code, said.err.splitlines()

    return run


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    file = tmp_path / "speech.wav"
    soundfile.write(file, np.zeros(16_000, np.float32), 16_000)
    return file


def test_no_such_recording(run: Run, tmp_path: Path) -> None:
    code, said = run("run", "--input", tmp_path / "none.wav")
    assert code == 2
    assert said[0].startswith(f"voicebot-local: There is no file {tmp_path}/none.wav")
    assert len(said) == 2


def test_a_recording_that_is_no_audio(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "letter.wav"
    file.write_text("Dear Sir or Madam, this is not a sound. " * 20)
    code, said = run("run", "--input", file)
    assert code == 2
    assert "is not audio" in said[0]
    assert "ffmpeg" in said[1]


def test_a_second_recording_is_checked_too(run: Run, speech: Path, tmp_path: Path) -> None:
    code, said = run("run", "--input", speech, "--input", tmp_path / "none.wav")
    assert (code, "none.wav" in said[0]) == (2, True)


@pytest.mark.parametrize("option", ["--record", "--output", "--events"])
def test_an_output_that_cannot_be_written(
    run: Run, speech: Path, tmp_path: Path, option: str
) -> None:
    code, said = run(
        "run", "--backend", "starter", "--input", speech, option, tmp_path / "no" / "x"
    )
    assert code == 2
    assert "cannot be written" in said[0]
    assert len(said) == 2


def test_an_unknown_backend(run: Run) -> None:
    code, said = run("run", "--backend", "clod")
    assert code == 2
    assert "auto, starter, local, hosted" in said[0]


def test_a_hosted_backend_without_a_key(
    run: Run, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSEMBLYAI_API_KEY", raising=False)
    code, said = run("run", "--backend", "hosted", "--input", speech)
    assert (code, "ASSEMBLYAI_API_KEY is not set" in said[0]) == (2, True)
    assert "https://www.assemblyai.com/" in said[1]


def test_a_hosted_backend_offline(run: Run, speech: Path) -> None:
    code, said = run("run", "--backend", "hosted", "--offline", "--input", speech)
    assert (code, "is hosted, but the session is offline" in said[0]) == (2, True)
    assert "--no-offline" in said[1]


def test_a_misspelt_key(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[turn]\nend_silense_s = 1\n")
    code, said = run("run", "--config", file)
    assert code == 2
    assert f"{file}:2: turn.end_silense_s is no key" in said[0]
    assert said[1] == "Did you mean turn.end_silence_s?"


def test_a_missing_model(
    run: Run, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "models_dir", lambda: tmp_path / "models")
    code, said = run("run", "--backend", "local", "--input", speech)
    assert code == 1
    assert "A model is missing" in said[0]
    assert "voicebot-local models download nemotron-streaming llama-3.1-8b xtts-v2" in said[1]


def test_no_such_device(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakePortAudio(("Built-in", 1, 2))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    code, said = run("run", "--backend", "starter", "--input-device", "nosuch")
    assert code == 1
    assert said == [
        'voicebot-local: There is no microphone "nosuch".',
        "There are: 0 Built-in (ALSA).",
    ]


def test_a_device_that_was_named_is_not_replaced_by_recordings(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakePortAudio())
    code, said = run("run", "--backend", "starter", "--output-device", "3")
    assert (code, "There is no" in said[0]) == (1, True)


def test_text_and_recordings_exclude_each_other(run: Run, speech: Path) -> None:
    code, said = run("run", "--backend", "starter", "--text", "--input", speech)
    assert (code, "exclude each other" in said[0]) == (2, True)


def test_a_persona_file_that_is_not_there(run: Run, speech: Path) -> None:
    code, said = run("run", "--backend", "starter", "--input", speech, "--persona", "none.txt")
    assert (code, "none.txt cannot be read" in said[0]) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--inptu", "x"), "--input"),
        (("run", "--turns", "many"), "--turns"),
        (("run", "--pace", "slow"), "--pace"),
        (("rnu",), "rnu"),
    ],
)
def test_flags_that_make_no_sense(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, said = run(*arguments)
    assert code == 2
    assert words in said[-1]


def test_an_error_of_the_program_itself_asks_for_a_report(
    run: Run, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("impossible")

    monkeypatch.setattr(importlib.import_module("voicebot_local.cli.run"), "load", fails)
    code, said = run("run")
    assert code == 1
    assert "RuntimeError: impossible" in said[0]
    assert "--debug" in said[1]


def test_debug_shows_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["voicebot-local", "run", "--backend", "clod", "--debug"])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "clod" in said


def test_the_first_error_of_ours_is_the_one_that_is_told() -> None:
    ours = DeviceError("The microphone is gone.")
    group = ExceptionGroup("", [RuntimeError("x"), ExceptionGroup("", [ours])])
    assert cli.first_cause(group) is ours


def test_output_that_nobody_reads_ends_it_quietly() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voicebot_local.cli", "run", "--backend", "starter", "--text"],
        input="hello\n",
        stdout=_closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "error" not in done.stderr


def _closed_pipe() -> int:
    """The writing end of a pipe that has no reader."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing
