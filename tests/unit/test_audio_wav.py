"""Recordings that stay playable: after a kill, on a full disk, over four gigabytes."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot_local.audio.card import Block
from voicebot_local.audio.playout import Playout
from voicebot_local.audio.recorder import ReplyRecorder, SessionRecorder
from voicebot_local.audio.wav import HEADER_BYTES, WavWriter, wav_header
from voicebot_local.errors import InputError

RATE = 16_000


def ramp(count: int) -> np.ndarray:
    return np.linspace(-0.9, 0.9, count, dtype=np.float32)


def write_times(times: int, wav: WavWriter, block: np.ndarray) -> None:
    for _ in range(times):
        wav.write(block)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """What a full disk is to a program: no file grows over `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_can_be_read(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "out.wav"
    sound = ramp(20_000)
    with WavWriter(path, RATE, channels) as wav:
        for start in range(0, 20_000, 320):
            block = sound[start : start + 320]
            wav.write(*[block * (1 - 2 * channel) for channel in range(channels)])
    back, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    assert soundfile.info(path).subtype == "PCM_16"
    for channel in range(channels):
        np.testing.assert_allclose(back[:, channel], sound * (1 - 2 * channel), atol=1e-4)


def test_wild_samples_are_clipped_and_not_wrapped(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with WavWriter(path, RATE, 1) as wav:
        wav.write(np.array([1.5, -7, np.nan, np.inf, -np.inf], np.float32))
    back, _ = soundfile.read(path, dtype="int16")
    assert back.tolist() == [32767, -32767, 0, 32767, -32767]


def test_nothing_written_is_an_empty_recording(tmp_path: Path) -> None:
    WavWriter(tmp_path / "out.wav", RATE, 2).close()
    assert soundfile.info(tmp_path / "out.wav").frames == 0


def test_a_killed_program_leaves_a_playable_file(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    program = f"""
import numpy as np, pathlib, sys, time
from voicebot_local.audio.wav import WavWriter
wav = WavWriter(pathlib.Path({str(path)!r}), {RATE}, 2)
sound = np.full(320, .25, np.float32)
for _ in range(110):
    wav.write(sound, sound)
print("written", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        os.kill(child.pid, signal.SIGKILL)
    back, _ = soundfile.read(path)
    assert len(back) == 2 * RATE  # of 2.2 s: whole half seconds
    assert path.stat().st_size == HEADER_BYTES + 4 * len(back)
    np.testing.assert_allclose(back, 0.25, atol=1e-4)


def test_a_full_disk_is_reported_once_and_the_file_stays_playable(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    wav = WavWriter(path, RATE, 1)
    block = ramp(800)
    with largest_file(100_000):
        with pytest.raises(InputError, match=r"stopped after 3\.0 s: .*largest size") as caught:
            write_times(200, wav, block)
        assert caught.value.mend
        wav.write(block)
        wav.flush()
        wav.close()
    back, _ = soundfile.read(path, dtype="float32")
    assert len(back) == wav.frames == 3 * RATE
    np.testing.assert_allclose(back, np.tile(block, 60), atol=1e-4)
    assert path.stat().st_size == HEADER_BYTES + 2 * len(back)


def test_a_disk_that_is_full_at_the_end_is_reported_by_close(tmp_path: Path) -> None:
    wav = WavWriter(tmp_path / "out.wav", RATE, 1)
    wav.write(ramp(4_000))
    with largest_file(1_000), pytest.raises(InputError, match=r"stopped after 0\.0 s"):
        wav.close()
    wav.close()
    assert soundfile.info(tmp_path / "out.wav").frames == 0


def test_a_full_disk_at_the_start(tmp_path: Path) -> None:
    with largest_file(10), pytest.raises(InputError, match="cannot be written"):
        WavWriter(tmp_path / "out.wav", RATE, 1)
    if Path("/dev/full").exists():
        with pytest.raises(InputError, match="the disk is full"):
            WavWriter(Path("/dev/full"), RATE, 1)


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its directory does not exist") as caught:
        WavWriter(tmp_path / "none" / "out.wav", RATE, 2)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOENT
    with pytest.raises(InputError, match="it is a directory"):
        WavWriter(tmp_path, RATE, 2)


def test_a_wrong_number_of_channels_is_a_mistake(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "out.wav", RATE, 2) as wav, pytest.raises(ValueError, match="1 cha"):
        wav.write(ramp(10))


@pytest.mark.parametrize("frames", [2**30 - 20, 2**30 - 19, 2**30, 2**32])
def test_over_four_gigabytes_it_is_rf64(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "long.wav"
    header = wav_header(RATE, 2, frames)
    assert len(header) == HEADER_BYTES
    assert header[:4] == (b"RF64" if frames > 2**30 - 19 else b"RIFF")
    with path.open("wb") as file:  # sparse: it takes no room on the disk
        file.write(header)
        file.truncate(HEADER_BYTES + 4 * frames)
    info = soundfile.info(path)
    assert (info.frames, info.channels, info.samplerate) == (frames, 2, RATE)


def blocks(script: str) -> list[Block]:
    """Ten-sample blocks of a conversation: W writes 15 samples, B begins a reply, C closes it,
    F flushes, `.` ticks, L ticks after 7 samples were lost."""
    playout, made, position, reply, level = Playout(1_000), [], 0, 0, 0.0
    for step in script:
        if step == "B":
            reply, level = playout.begin(), level + 0.1
        elif step == "W":
            playout.write(reply, np.full(15, level, np.float32))
        elif step == "C":
            playout.close(reply)
        elif step == "F":
            playout.flush()
        else:
            lost = 7 if step == "L" else 0
            position += lost
            heard = np.full(10, 0.01 * (len(made) + 1), np.float32)
            made.append(Block(position, heard, playout.pull(10), lost))
            position += 10
    return made


def test_a_session_is_two_channels_on_the_cards_clock(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path / "s.wav", RATE)
    made = blocks(".BW..CL.")
    for block in made:
        recorder.write(block)
    recorder.close()
    back, _ = soundfile.read(tmp_path / "s.wav", dtype="float32")
    assert len(back) == made[-1].position + 10
    for block in made:
        part = back[block.position : block.position + 10]
        np.testing.assert_allclose(part[:, 0], block.heard, atol=1e-4)
        np.testing.assert_allclose(part[:, 1], block.played.samples, atol=1e-4)
    assert not back[made[3].position - 7 : made[3].position].any()


def test_replies_alone_follow_each_other(tmp_path: Path) -> None:
    recorder = ReplyRecorder(tmp_path / "r.wav", rate=20)
    for block in blocks("...B..W..CL.BWW.F...B.CBW..C..."):
        recorder.write(block)
    recorder.close()
    back, _ = soundfile.read(tmp_path / "r.wav", dtype="float32")
    expected = [0.1] * 15 + [0] * 5 + [0] * 10 + [0.2] * 10 + [0] * 10 + [0.4] * 15 + [0] * 5
    np.testing.assert_allclose(back, expected, atol=1e-4)
