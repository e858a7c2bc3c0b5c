"""`voicebot-local run` on sounds that are no clean speech, on a long file, and on a full disk."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import soxr

from tests.cli.program import ALL_BYTES, Watched, converse, inputs, memory, question, watched
from voicebot_local.events import RecordingFailed, SessionStarted, TurnFinished, VoiceActivity
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

STARTER = ("--backend", "starter", "--pace", "fast")
QUESTION, WORDS = question()
SPOKEN, RATE = soundfile.read(QUESTION, dtype="float32")
GROWTH_BYTES = 6_000_000
"""What the allocator may add to a process that keeps nothing."""


def noise(seconds: float, peak: float, *, pink: bool = False) -> Samples:
    rng = np.random.default_rng(1)
    sound = rng.normal(size=round(seconds * RATE))
    if pink:
        spectrum = np.fft.rfft(sound)
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20.0))
        sound = np.fft.irfft(spectrum, len(sound))
    return (sound * peak / np.abs(sound).max()).astype(np.float32)


def clicks(seconds: float) -> Samples:
    sound = np.zeros(round(seconds * RATE), np.float32)
    for start in range(0, len(sound) - 40, RATE // 3):
        sound[start : start + 40] = 0.9
    return sound


ODD: dict[str, Samples] = {
    "silence": np.zeros(3 * RATE, np.float32),
    "loud white noise": noise(4, 0.99),
    "loud pink noise": noise(4, 0.99, pink=True),
    "faint noise": noise(3, 0.01),
    "clicks": clicks(4),
    "a hum": (0.5 * np.sin(np.arange(3 * RATE) * 2 * np.pi * 50 / RATE)).astype(np.float32),
    "ten samples": np.full(10, 0.5, np.float32),
    "overdriven": np.sign(noise(2, 1.0, pink=True)),
}


def test_what_is_no_speech_is_not_answered(tmp_path: Path) -> None:
    files = []
    for name, sound in ODD.items():
        files.append(tmp_path / f"{name}.wav")
        soundfile.write(files[-1], sound, RATE)
    done = converse(*STARTER, *inputs(*files))
    assert done.code == 0, done.said
    assert [(turn["user"], turn["assistant"]) for turn in done.turns] == []


def test_any_rate_width_and_number_of_channels_is_heard(tmp_path: Path) -> None:
    """The upper half of speech is missing on a telephone: it is answered, but may be misheard."""
    telephone, studio, old = (tmp_path / f"{name}.wav" for name in ("phone", "studio", "old"))
    soundfile.write(telephone, soxr.resample(SPOKEN, RATE, 8_000), 8_000, "ULAW")
    voice = soxr.resample(SPOKEN, RATE, 48_000)
    soundfile.write(studio, np.stack([voice, 0.5 * voice], axis=1), 48_000, "PCM_24")
    soundfile.write(old, soxr.resample(SPOKEN, RATE, 22_050), 22_050, "PCM_U8")
    done = converse(*STARTER, *inputs(telephone, studio, old))
    assert done.code == 0, done.said
    said = [turn["user"] for turn in done.turns]
    assert said[-2:] == [WORDS, WORDS]
    assert len(said) == 3
    assert all(turn["heard"] for turn in done.turns)


def test_a_long_recording_takes_no_more_memory(tmp_path: Path) -> None:
    """Ten minutes of near silence in which somebody speaks four times."""
    long = tmp_path / "long.wav"
    hiss = noise(60, 0.001)
    with soundfile.SoundFile(long, "w", RATE, 1) as file:
        for minute in range(10):
            sound = hiss.copy()
            if minute % 3 == 0:
                sound[5 * RATE :][: len(SPOKEN)] += SPOKEN
            file.write(sound)
    with watched(tmp_path / "e.jsonl", *STARTER, "--input", long) as run:
        used = memory_by_minute(run)
        done = run.finish()
    assert done.code == 0, done.said
    assert [turn["user"] for turn in done.turns] == [WORDS] * 4
    assert len(used) == 10
    for sizes in zip(*used, strict=True):
        assert max(sizes[2:]) - sizes[1] < GROWTH_BYTES, used
    assert max(total for _, total in used) < ALL_BYTES


def memory_by_minute(run: Watched) -> list[tuple[int, int]]:
    """Memory of the main process, and of all processes, after each minute of the recording."""
    used: list[tuple[int, int]] = []
    for entry in run.follow():
        event = entry.event
        if isinstance(event, VoiceActivity):
            minutes = (event.position + RATE) / RECOGNIZER_RATE / 60
            if minutes >= len(used) + 1 and run.program.poll() is None:
                sizes = list(memory(psutil.Process(run.program.pid)).values())
                used.append((sizes[0], sum(sizes)))
    return used


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_full_disk_ends_the_recording_alone(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: it is reached in the same call."""
    record, output = tmp_path / "s.wav", tmp_path / "o.wav"
    files = ("--record", record, "--output", output, *inputs(*[QUESTION] * 3))
    with watched(tmp_path / "e.jsonl", *STARTER, *files) as run:
        run.wait_for(SessionStarted, 0)
        limit = 200_000
        resource.prlimit(run.program.pid, resource.RLIMIT_FSIZE, (limit, limit))
        done = run.finish()
    assert done.code == 0, done.said
    failed = [entry for entry in run.entries if isinstance(entry.event, RecordingFailed)]
    assert failed
    for file in (record, output):  # The replies may be so short that it is their last piece.
        assert f"Recording to {file} stopped after" in done.said
        assert 1 < soundfile.info(file).duration < 5
    finished = [entry for entry in run.entries if isinstance(entry.event, TurnFinished)]
    assert len(finished) == len(done.turns) == 3
    assert all(turn["heard"] for turn in done.turns)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full")
@pytest.mark.parametrize("option", ["--record", "--output"])
def test_a_disk_that_is_full_from_the_start(tmp_path: Path, option: str) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, ODD["silence"], RATE)
    done = converse(*STARTER, "--input", silence, option, "/dev/full")
    assert (done.code, done.turns) == (2, [])
    assert done.said.splitlines() == [
        "voicebot-local: The recording /dev/full cannot be written: the disk is full.",
        "Make room on the disk or name another file.",
    ]
