"""Reading the user's recordings: any format libsndfile knows, any rate, width and channel count."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
import soxr

from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

READ_FRAMES = 4096
"""Frames taken from the file at a time: the memory that an hour needs."""
UNKNOWN_LENGTH = 0x7FFFF000
"""Data sizes from here on are what programs write that stream and cannot know the length."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
CONVERT = "Convert it with `ffmpeg -i FILE new.wav`, or give another recording."


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording is, before it is read: its own rate, channels and length."""

    path: Path
    rate: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        return self.frames / self.rate


def check_recording(path: Path) -> RecordingInfo:
    """Make sure that a recording can be read to its end, without reading it.

    Raises InputError: no such file, a directory, no permission, not audio, empty, cut off.
    """
    with _open(path) as file:
        if file.frames <= 0:
            raise _empty(path)
        if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
            raise InputError(
                f"{path} claims a sample rate of {file.samplerate} Hz, which no recording has.",
                CONVERT,
            )
        _check_wav_length(path)
        try:
            file.seek(file.frames - 1)
            complete = len(file.read(1)) == 1
        except soundfile.SoundFileError:
            complete = False
        if not complete:
            raise InputError(
                f"{path} is cut off: it ends before the {file.frames / file.samplerate:.1f} s of "
                "sound that its beginning promises.",
                CONVERT,
            )
        return RecordingInfo(path, file.samplerate, file.channels, file.frames)


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """`soundfile` seeks to where it already is after each read, if it can; in an MP3 file that
    damages the sound, for a decoder needs what lies before."""

    def seekable(self) -> bool:
        return False


class Recording:
    """One recording as mono float32 at `rate`, in -1..1, read bit by bit.

    The channels are averaged. Raises InputError like `check_recording`, and from `read` where the
    file turns out to be damaged inside.
    """

    def __init__(self, path: Path, rate: int) -> None:
        self.info = check_recording(path)
        self.rate = rate
        self._file = _open(path, _Sequential)
        self._convert: Callable[[Samples, bool], Samples] | None = None
        if self.info.rate != rate:
            stream = soxr.ResampleStream(self.info.rate, rate, 1, dtype="float32")
            self._convert = stream.resample_chunk
        self._ready: Samples = np.zeros(0, np.float32)
        self._ended = False

    def read(self, count: int) -> Samples:
        """The next `count` samples; fewer where the recording ends, none afterwards."""
        while len(self._ready) < count and not self._ended:
            self._ready = np.concatenate((self._ready, self._more()))
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken

    @property
    def ended(self) -> bool:
        """True when everything was read."""
        while not len(self._ready) and not self._ended:
            self._ready = self._more()
        return self._ended and not len(self._ready)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _more(self) -> Samples:
        try:
            frames = self._file.read(READ_FRAMES, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise InputError(f"{self.info.path} is damaged inside: {error}.", CONVERT) from error
        self._ended = len(frames) < READ_FRAMES
        mono = np.nan_to_num(frames.mean(axis=1, dtype=np.float32), posinf=1, neginf=-1)
        if self._convert is not None:
            mono = self._convert(np.ascontiguousarray(mono), self._ended)
        return np.asarray(np.clip(mono, -1, 1), np.float32)


def _open(
    path: Path, reader: type[soundfile.SoundFile] = soundfile.SoundFile
) -> soundfile.SoundFile:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is not a file.", CONVERT)
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise unreadable(path, error) from error
    if os.fstat(descriptor).st_size == 0:
        os.close(descriptor)
        raise _empty(path)
    try:
        # By descriptor: a name would make soundfile guess, and ask for more, by its ending.
        return reader(descriptor, closefd=True)
    except soundfile.SoundFileError as error:
        raise InputError(
            f"{path} is not audio, or of a kind that cannot be read.",
            "Give a WAV, FLAC, OGG, MP3 or AIFF file; `ffmpeg -i FILE new.wav` makes one.",
        ) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """What a person is told where a file of theirs cannot be opened for reading."""
    if error.errno == errno.ENOENT:
        return InputError(f"There is no file {path}.", "Check the name and the directory.")
    if error.errno == errno.EISDIR:
        return InputError(f"{path} is a directory, not a recording.", "Name a file in it.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return InputError(
            f"{path} cannot be read: permission is missing.",
            f"Allow it with `chmod u+r {path}`, or run as its owner.",
        )
    return InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the file.")


def _empty(path: Path) -> InputError:
    return InputError(f"{path} is empty: there is no sound in it.", "Give another recording.")


def _check_wav_length(path: Path) -> None:
    """libsndfile reads what there is of a cut-off WAV file and says nothing."""
    promised, present = _wav_data_sizes(path)
    if present < promised < UNKNOWN_LENGTH:
        share = 100 * present / promised
        raise InputError(
            f"{path} is cut off: its header promises {promised} bytes of sound and {present} are "
            f"there ({share:.0f} %).",
            "Copy or record it again; `ffmpeg -i FILE new.wav` saves what is there.",
        )


def _wav_data_sizes(path: Path) -> tuple[int, int]:
    """Bytes of sound that a WAV header promises, and that are there; zeros for other formats."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
            return 0, 0
        long_size = 0
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"ds64":
                body = file.read(length)
                long_size = struct.unpack("<Q", body[8:16])[0] if len(body) >= 16 else 0
                continue
            if name == b"data":
                promised = long_size if start[:4] == b"RF64" and long_size else length
                return promised, size - file.tell()
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0, 0
