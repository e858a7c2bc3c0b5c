"""`voicebot-local run` as a program, on the starter stack with everything real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from tests.cli.fake_portaudio import FakePortAudio
from tests.cli.program import PROGRAM, called
from voicebot_local import cli
from voicebot_local.cards import example_recordings
from voicebot_local.events import from_json

STARTER = ("run", "--backend", "starter")
KEYS = {
    "turn",
    "user",
    "assistant",
    "heard",
    "interrupted",
    "failed",
    "voice_to_voice_ms",
    "stages_ms",
    "commit_ms",
    "drafts",
    "draft_right",
    "wasted_pieces",
    "wasted_audio_s",
}


def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return called(*STARTER, *arguments, typed=typed)


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The program, once it listens."""
    with subprocess.Popen(
        [*PROGRAM, *STARTER, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert any(line.startswith("Listening") for line in program.stdout)
        yield program


def test_json_alone_stands_on_stdout(tmp_path: Path) -> None:
    first, second = example_recordings()[:2]
    done = run(
        *("--input", first, "--input", second, "--pace", "fast", "--json"),
        *("--record", tmp_path / "s.wav", "--output", tmp_path / "r.wav"),
        *("--events", tmp_path / "e.jsonl"),
    )
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert [turn["turn"] for turn in turns] == [1, 2]
    for turn in turns:
        assert set(turn) == KEYS
        assert turn["user"]
        assert turn["heard"] == turn["assistant"] != ""
    assert soundfile.info(tmp_path / "s.wav").channels == 2
    assert soundfile.info(tmp_path / "r.wav").channels == 1
    log = [from_json(json.loads(line)) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert [entry.seq for entry in log] == list(range(len(log)))


def test_typed_turns_are_answered_one_after_the_other() -> None:
    done = run("--text", "--json", "--pace", "fast", typed="hello\nwhat can you do\n")
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert [turn["user"] for turn in turns] == ["hello", "what can you do"]
    assert not any(turn["interrupted"] for turn in turns)


def test_the_number_of_turns_can_be_limited() -> None:
    first, second = example_recordings()[:2]
    done = run("--input", first, "--input", second, "--pace", "fast", "--json", "--turns", 1)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)


def test_without_a_sound_card_the_examples_are_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakePortAudio())
    monkeypatch.setattr(sys, "argv", ["voicebot-local", "run", "--pace", "fast"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "There is no microphone and no loudspeaker on this machine." in said
    assert "written to session.wav" in said
    assert said.count("\nBot: ") >= len(example_recordings()) >= 3
    assert soundfile.info(tmp_path / "session.wav").channels == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_user_ends_it_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    record = tmp_path / "s.wav"
    with running("--input", example_recordings()[0], "--record", record) as program:
        program.send_signal(number)
        _, errors = program.communicate(timeout=60)
        assert program.returncode == code
        assert errors == ""
    assert soundfile.info(record).channels == 2


def test_an_event_log_on_a_full_disk_does_not_end_the_conversation() -> None:
    first = example_recordings()[0]
    done = run("--input", first, "--pace", "fast", "--json", "--events", "/dev/full")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "the event log ends here: No space left on device" in done.stderr
