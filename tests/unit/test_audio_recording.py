"""Reading the user's recordings: every kind there is, and one clear sentence for each bad one."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot_local.audio.recording import Recording, check_recording, unreadable
from voicebot_local.errors import InputError


def tone(rate: int, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype("f4")


def read_all(path: Path, rate: int, count: int = 480) -> np.ndarray:
    blocks = []
    with Recording(path, rate) as recording:
        while not recording.ended:
            blocks.append(recording.read(count))
        assert len(recording.read(count)) == 0
    assert {len(block) for block in blocks[:-1]} <= {count}
    return np.concatenate(blocks)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.tile(tone(rate)[:, None], channels), rate)
    out = read_all(path, 24_000)
    assert len(out) == pytest.approx(12_000, abs=1)
    expected = tone(24_000)[: len(out)]
    assert np.abs(out - expected)[1000:-1000].max() < 2e-3
    assert out.dtype == np.float32


@pytest.mark.parametrize(
    ("container", "width"),
    [
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "PCM_32"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("WAV", "ULAW"),
        ("WAVEX", "PCM_16"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
def test_any_container_and_width(tmp_path: Path, container: str, width: str) -> None:
    path = tmp_path / "in.raw"  # the name says nothing
    soundfile.write(path, tone(16_000), 16_000, format=container, subtype=width)
    info = check_recording(path)
    assert (info.rate, info.channels) == (16_000, 1)
    assert info.duration_s == pytest.approx(0.5, abs=0.1)
    out = read_all(path, 16_000)
    assert np.sqrt(np.mean(out[2000:6000] ** 2)) == pytest.approx(0.354, abs=0.02)


@pytest.mark.parametrize("container", ["MP3", "FLAC"])
def test_bit_by_bit_is_the_same_as_at_once(tmp_path: Path, container: str) -> None:
    path = tmp_path / "in"
    soundfile.write(path, tone(16_000, 2), 16_000, format=container)
    at_once, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(read_all(path, 16_000), at_once, atol=1e-6)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.tile([[0.5, -0.1]], (100, 1)), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_all(path, 16_000), 0.2, atol=1e-6)


def test_floats_out_of_range_are_tamed(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    wild = np.array([2.0, -3.0, np.nan, np.inf, -np.inf, 0.25], np.float32)
    soundfile.write(path, wild, 16_000, subtype="FLOAT")
    assert read_all(path, 16_000).tolist() == [1, -1, 0, 1, -1, 0.25]


@pytest.mark.parametrize("length", [1, 479, 480, 481, 4095, 4096, 4097, 8192])
def test_every_length_comes_out_whole(tmp_path: Path, length: int) -> None:
    path = tmp_path / "in.wav"
    sound = np.linspace(-0.5, 0.5, length, dtype=np.float32)
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_all(path, 16_000), sound, atol=1e-6)
    assert len(read_all(path, 48_000)) == 3 * length


def message_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        check_recording(path)
    with pytest.raises(InputError):
        Recording(path, 16_000)
    assert caught.value.mend
    assert str(path) in caught.value.message
    return caught.value.message


def test_no_such_file(tmp_path: Path) -> None:
    assert "There is no file" in message_of(tmp_path / "none.wav")


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in message_of(tmp_path)


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in message_of(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["text.wav", "text.raw", "text.txt", "text.mp3"])
def test_not_audio(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"hello, this is no sound at all\n" * 50)
    assert "is not audio" in message_of(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.touch()
    assert "is empty" in message_of(path)


def test_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    assert "is empty" in message_of(path)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_wav_file_that_was_cut_off(tmp_path: Path, container: str, share: float) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(16_000), 16_000, format=container)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "is cut off" in message_of(path)
    assert "16000 bytes" in message_of(path)


@pytest.mark.parametrize("container", ["FLAC", "MP3"])
def test_another_file_that_was_cut_off(tmp_path: Path, container: str) -> None:
    path = tmp_path / "in"
    soundfile.write(path, tone(16_000, 3), 16_000, format=container)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "is cut off" in message_of(path)


def test_a_header_cut_in_two(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(16_000), 16_000)
    path.write_bytes(path.read_bytes()[:30])
    assert "is not audio" in message_of(path)


def test_a_stream_that_could_not_know_its_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = path.read_bytes()
    path.write_bytes(data[:40] + struct.pack("<I", 0xFFFFFFFF) + data[44:])
    assert len(read_all(path, 16_000)) == 8_000


def test_chunks_before_the_sound_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = path.read_bytes()
    path.write_bytes(data[:12] + b"LIST" + struct.pack("<I", 5) + b"hello\0" + data[12:])
    assert len(read_all(path, 16_000)) == 8_000
    path.write_bytes(path.read_bytes()[:-2000])
    assert "is cut off" in message_of(path)


def test_a_rate_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = path.read_bytes()
    path.write_bytes(data[:24] + struct.pack("<I", 7) + data[28:])
    assert "sample rate of 7 Hz" in message_of(path)


def test_no_permission() -> None:
    error = unreadable(Path("a.wav"), PermissionError(errno.EACCES, "Permission denied"))
    assert "permission is missing" in error.message
    assert "chmod u+r a.wav" in error.mend
    assert "Input/output" in unreadable(Path("a"), OSError(errno.EIO, "Input/output error")).message


def test_damage_inside_is_reported_when_it_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "in.flac"
    noise = np.random.default_rng(0).standard_normal(160_000) * 0.1
    soundfile.write(path, noise, 16_000, format="FLAC")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged inside"):
        read_all(path, 16_000)


def test_an_hour_takes_no_more_memory_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    soundfile.write(path, np.zeros(1), 8_000, subtype="PCM_16")
    frames = 3600 * 8_000
    header = bytearray(path.read_bytes()[:44])
    struct.pack_into("<I", header, 4, 36 + 2 * frames)
    struct.pack_into("<I", header, 40, 2 * frames)
    with path.open("wb") as file:  # sparse: it takes no room on the disk
        file.write(header)
        file.truncate(44 + 2 * frames)
    with Recording(path, 24_000) as recording:
        assert recording.info.duration_s == 3600
        for _ in range(500):
            assert len(recording.read(480)) == 480
            assert len(recording._ready) < 20_000
