"""`say`, `transcribe`, `chat` and `devices` as a person meets them, on the real starter stack."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import soundfile

from tests.cli.fake_portaudio import FakePortAudio
from tests.cli.program import PROGRAM, called
from voicebot_local import cli, config
from voicebot_local.cards import example_recordings
from voicebot_local.engines import client

STARTER = ("--backend", "starter")


def test_what_is_said_into_a_file_is_understood_again(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    done = called("say", *STARTER, "--out", file, "what", "is", "the", "capital", "of", "france")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    info = soundfile.info(file)
    assert (info.samplerate, info.channels) == (22_050, 1)
    assert f"{info.duration:.1f} s of speech are in {file}." in done.stderr
    done = called("transcribe", *STARTER, file)
    assert (done.returncode, done.stdout) == (0, "what is the capital of france\n")


def test_a_text_on_stdin_is_said(tmp_path: Path) -> None:
    done = called("say", *STARTER, "-", "--out", tmp_path / "a.wav", typed="One. Two.\nThree.\n")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "a.wav").duration > 1


def test_transcripts_as_json() -> None:
    stereo = next(path for path in example_recordings() if "stereo" in path.name)
    done = called("transcribe", *STARTER, "--json", stereo)
    assert done.returncode == 0, done.stderr
    *partial, final = [json.loads(line) for line in done.stdout.splitlines()]
    assert partial
    assert not any(each["final"] for each in partial)
    assert (final["final"], final["text"]) == (True, "tell me a joke")
    assert [word["text"] for word in final["words"]] == ["tell", "me", "a", "joke"]
    times = [time for word in final["words"] for time in (word["start_s"], word["end_s"])]
    assert times == sorted(times)
    assert final["start_s"] <= times[0] < times[-1] <= soundfile.info(stereo).duration


def test_words_with_their_times() -> None:
    done = called("transcribe", *STARTER, "--words", example_recordings()[0])
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(lines[0].split())
    assert float(lines[1].split()[0]) < float(lines[1].split()[1])


def test_silence_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", [0.0] * 16_000, 16_000)
    done = called("transcribe", *STARTER, tmp_path / "a.wav")
    assert (done.returncode, done.stdout) == (0, "")
    assert "No speech was found" in done.stderr


def test_a_chat_through_pipes() -> None:
    done = called("chat", *STARTER, "--json", typed="hello\n\nwhat is the capital of france\n")
    assert done.returncode == 0, done.stderr
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert (first["user"], second["user"]) == ("hello", "what is the capital of france")
    assert "Paris" in second["assistant"]
    assert second["took_ms"] >= second["first_text_ms"] > 0


def test_only_the_stages_engine_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is anything of the other stages needed: their models are missing here."""
    loaded: list[str] = []
    load = client.LocalEngine._load

    def noting(self: client.LocalEngine, *arguments: object) -> object:
        loaded.append(self.spec.stage)
        return load(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(client.LocalEngine, "_load", noting)
    file = tmp_path / "mine.toml"
    file.write_text('[chat]\nmodel = "/none.gguf"\n[recognizer]\ndictionary = "/none"\n')
    for key in ("espeak", "pocketsphinx", "llama_cpp"):
        name = key if key == "espeak" else "no_such_library"
        monkeypatch.setitem(config.LIBRARIES, key, "espeakng_loader" if key == name else name)
    arguments = ["say", *STARTER, "--config", str(file), "--out", str(tmp_path / "a.wav"), "Hi."]
    monkeypatch.setattr(sys, "argv", ["voicebot-local", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, loaded) == (0, ["synthesizer"]), capsys.readouterr().err


REFUSED = [
    (("say", *STARTER, " "), 2, "There is nothing to say."),
    (("say", *STARTER, "--voice", "xx-yy", "--out", "a.wav", "Hi."), 2, "no voice 'xx-yy'"),
    (("say", *STARTER, "--out", "no/such/a.wav", "Hi."), 2, "cannot be written"),
    (("say", "--backend", "hosted", "--out", "a.wav", "Hi."), 2, "ELEVENLABS_API_KEY is not set"),
    (("transcribe", *STARTER, "none.wav"), 2, "There is no file none.wav"),
    (("transcribe", "--backend", "clod", "none.wav"), 2, "'clod' is unknown"),
    (("chat", "--persona", "none.txt"), 2, "none.txt cannot be read"),
    (("chat", "--config", "none.toml"), 2, "There is no configuration file none.toml"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_work_is_told(
    arguments: Sequence[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    monkeypatch.setattr(sys, "argv", ["voicebot-local", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (code, "")
    assert words in said.err
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) >= 2, "there is no mend"


def test_an_output_on_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "config", "show", "--backend", "starter"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "The disk that is written to is full." in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_chat_and_its_engine() -> None:
    with subprocess.Popen(
        [*PROGRAM, "chat", *STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("hello\n")
        program.stdin.flush()
        assert program.stdout.readline().strip()
        children = psutil.Process(program.pid).children(recursive=True)
        assert children
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
        assert program.returncode == 130
        assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def devices(
    monkeypatch: pytest.MonkeyPatch, fake: FakePortAudio, *arguments: str
) -> int | str | None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(sys, "argv", ["voicebot-local", "devices", *arguments])
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_devices_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakePortAudio(("Built-in", 2, 2), ("USB headset", 1, 2), ("Screen", 0, 8))
    fake.default.device = (1, 0)
    assert devices(monkeypatch, fake) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert lines[2].index("* 1 ch") < lines[2].index("2 ch")
    assert lines[1].count("*") == lines[2].count("*") == 1
    assert max(map(len, lines)) <= 80


def test_devices_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert devices(monkeypatch, FakePortAudio(("Microphone", 1, 0)), "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["system"], found["inputs"]) == ("Microphone", "ALSA", 1)
    assert 48_000 in found["input_rates"]
    assert found["output_rates"] == []


def test_no_devices(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert devices(monkeypatch, FakePortAudio()) == 0
    assert "no sound device" in capsys.readouterr().out
    assert devices(monkeypatch, FakePortAudio(), "--test") == 1
    assert "There is no loudspeaker on this machine." in capsys.readouterr().err
