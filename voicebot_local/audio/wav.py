"""Writing 16-bit WAV files that stay playable whatever happens to the program or the disk."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

FLUSH_S = 0.5
"""How much sound is lost at most when the program is killed."""
HEADER_BYTES = 80
RIFF_LIMIT = 0xFFFFFFFF
"""The most bytes that a RIFF header can count; a longer file is RF64."""


def wav_header(rate: int, channels: int, frames: int) -> bytes:
    """The 80 bytes before the samples of a 16-bit WAV file.

    A file of over 4 GB is RF64 (EBU Tech 3306): its sizes stand in a `ds64` chunk, for which every
    file reserves the room as a `JUNK` chunk, so a growing file turns from one into the other.
    """
    data = frames * channels * 2
    riff = data + HEADER_BYTES - 8
    fmt = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * channels * 2, 2 * channels, 16
    )
    if riff <= RIFF_LIMIT:
        start = struct.pack("<4sI4s4sI28x", b"RIFF", riff, b"WAVE", b"JUNK", 28)
        return start + fmt + struct.pack("<4sI", b"data", data)
    start = struct.pack(
        "<4sI4s4sIQQQI", b"RF64", RIFF_LIMIT, b"WAVE", b"ds64", 28, riff, data, frames, 0
    )
    return start + fmt + struct.pack("<4sI", b"data", RIFF_LIMIT)


class WavWriter:
    """A WAV file that grows as sound comes: `--record` has two channels, `--output` one.

    Sound reaches the file every half second, header included, so a killed program leaves a
    playable file. Raises InputError where the file cannot be made.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.path = path
        self.rate = rate
        self.channels = channels
        self._frames = 0
        self._pending: list[bytes] = []
        self._pending_frames = 0
        try:
            # Unbuffered: a buffer would fail again, and raise, when the full disk's file is closed.
            self._file: BinaryIO | None = path.open("wb", buffering=0)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._write_at(0, wav_header(rate, channels, 0))
        except OSError as error:
            self._file.close()
            raise _unwritable(path, error) from error

    @property
    def frames(self) -> int:
        """Frames (one sample of each channel) that are safe in the file."""
        return self._frames

    @property
    def frames_written(self) -> int:
        """Frames that were taken, those that still wait to be flushed included."""
        return self._frames + self._pending_frames

    def write(self, *channels: Samples) -> None:
        """Append one block: an array for each channel, all of one length; clipped to -1..1.

        Raises InputError once, when the disk is full or the file fails otherwise: the file is then
        closed and playable up to there, and everything written later is dropped silently.
        """
        if len(channels) != self.channels:
            raise ValueError(f"{len(channels)} channels for a file of {self.channels}")
        if self._file is None:
            return
        frames = np.stack(channels, axis=1)
        numbers = np.rint(np.clip(np.nan_to_num(frames), -1, 1) * 32767)
        self._pending.append(numbers.astype("<i2").tobytes())
        self._pending_frames += len(frames)
        if self._pending_frames >= FLUSH_S * self.rate:
            self.flush()

    def flush(self) -> None:
        """Bring everything into the file now. Raises InputError like `write`."""
        if self._file is None or not self._pending:
            return
        end = HEADER_BYTES + self._frames * self.channels * 2
        frames = self._frames + self._pending_frames
        try:
            self._write_at(end, b"".join(self._pending))
            self._write_at(0, wav_header(self.rate, self.channels, frames))
        except OSError as error:
            self._give_up(end)
            raise InputError(
                f"Recording to {self.path} stopped after {self._frames / self.rate:.1f} s: "
                f"{_reason(error)}.",
                "What was recorded is playable; make room on the disk or name another file.",
            ) from error
        self._frames = frames
        self._pending, self._pending_frames = [], 0

    def close(self) -> None:
        """Bring the rest into the file and close it. Raises InputError like `write`."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_at(self, position: int, data: bytes) -> None:
        assert self._file is not None
        self._file.seek(position)
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            if not written:
                raise OSError(errno.EIO, "nothing was written")
            rest = rest[written:]

    def _give_up(self, end: int) -> None:
        """Leave the file as it was after the last good flush. The header is rewritten in place,
        which needs no room; where even that fails, the old one still stands."""
        assert self._file is not None
        file, self._file = self._file, None
        self._pending, self._pending_frames = [], 0
        try:
            file.seek(0)
            file.write(wav_header(self.rate, self.channels, self._frames))
            file.truncate(end)
        except OSError:
            pass  # The caller reports the first failure; this one adds nothing to it.
        finally:
            file.close()


def _unwritable(path: Path, error: OSError) -> InputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return InputError(
        f"The recording {path} cannot be written: {_reason(error)}.",
        "Make room on the disk or name another file."
        if full
        else "Name a file in a directory that exists and that you may write to.",
    )


def _reason(error: OSError) -> str:
    reasons = {
        errno.ENOENT: "its directory does not exist",
        errno.EISDIR: "it is a directory",
        errno.EACCES: "permission is missing",
        errno.EPERM: "permission is missing",
        errno.EROFS: "the disk is read-only",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your disk quota is used up",
        errno.EFBIG: "the file has reached the largest size allowed",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))
