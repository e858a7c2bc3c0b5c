"""A spoken conversation through the real sound-card code, and devices that go in the middle.

Opt-in (`pytest --run-soundcard`): it needs PulseAudio, and takes its time as speech does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.program import (
    ENVIRONMENT,
    Watched,
    check_log,
    question,
    watched,
)
from tests.soundcard.pulse import Pulse, sound_server
from voicebot_local.events import CardBack, CardLost, SessionStarted, TurnFinished

pytestmark = [pytest.mark.soundcard, pytest.mark.timeout(90)]
DEVICES = ("--input-device", "testmic", "--output-device", "testspeaker")


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulse]:
    with sound_server(tmp_path) as server:
        for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH", "XDG_RUNTIME_DIR"):
            monkeypatch.setitem(ENVIRONMENT, name, server.environment[name])
        yield server


def ask(pulse: Pulse, run: Watched, turn: int) -> None:
    """Ask the question aloud, and wait for the end of the answer."""
    pulse.speak(question()[0])
    run.wait_for(TurnFinished, turn)


def audible_s(file: Path) -> float:
    """Seconds of sound above -50 dBFS, in pieces of 20 ms."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    count = rate // 50
    pieces = mono[: len(mono) // count * count].reshape(-1, count)
    return float(np.count_nonzero(np.sqrt((pieces**2).mean(axis=1)) > 10 ** (-50 / 20))) / 50


def test_a_conversation_aloud(pulse: Pulse, tmp_path: Path) -> None:
    arguments = ("--backend", "starter", "--turns", 2, *DEVICES)
    record, ear = tmp_path / "session.wav", tmp_path / "ear.wav"
    with pulse.listening(ear), watched(tmp_path / "e.jsonl", *arguments, "--record", record) as run:
        run.wait_for(SessionStarted, 0)
        ask(pulse, run, 1)
        ask(pulse, run, 2)
        done = run.finish()
    assert done.code == 0, done.said
    _, words = question()
    assert [turn["user"] for turn in done.turns] == [words, words]
    assert all("Paris" in turn["heard"] for turn in done.turns)
    assert not any(turn["interrupted"] or turn["failed"] for turn in done.turns)
    assert "ALSA" not in done.said
    check_log(run.entries, turns=2)
    # Both replies left the loudspeaker, as the session's own recording has them.
    samples, rate = soundfile.read(record, dtype="float32")
    soundfile.write(tmp_path / "played.wav", samples[:, 1], rate)
    assert audible_s(ear) == pytest.approx(audible_s(tmp_path / "played.wav"), rel=0.15)
    assert audible_s(ear) > 2


def test_devices_that_go_in_the_middle_and_come_back(pulse: Pulse, tmp_path: Path) -> None:
    arguments = ("--backend", "starter", "--turns", 2, *DEVICES)
    with watched(tmp_path / "e.jsonl", *arguments) as run:
        run.wait_for(SessionStarted, 0)
        ask(pulse, run, 1)
        pulse.stop()
        run.wait_for(CardLost, 0)
        pulse.start()
        run.wait_for(CardBack, 0)
        ask(pulse, run, 2)
        done = run.finish()
    assert done.code == 0, done.said
    assert [turn["failed"] for turn in done.turns] == [False, False]
    assert "Paris" in done.turns[1]["heard"]
    assert "is gone" in done.said
    assert "is back" in done.said
    check_log(run.entries, turns=2)


def test_what_is_said_aloud_is_heard(pulse: Pulse, tmp_path: Path) -> None:
    ear = tmp_path / "ear.wav"
    command = [sys.executable, "-m", "voicebot_local.cli", "say", "--backend", "starter"]
    with pulse.listening(ear):
        done = subprocess.run(
            [*command, "--output-device", "testspeaker", "What is the capital of France?"],
            env=pulse.environment | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "ALSA" not in done.stderr
    assert 1 < audible_s(ear) < 3
