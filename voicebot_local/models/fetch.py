"""One file from its source to its place: resumed where it stopped, checked, put there whole."""

from __future__ import annotations

import errno
import glob
import threading
from pathlib import Path
from typing import Protocol

from voicebot_local.errors import ModelError
from voicebot_local.models.digest import Digests, digests
from voicebot_local.models.lock import LockedFile
from voicebot_local.models.manifest import Model
from voicebot_local.models.source import Cut, RemoteFile, Source

PARTS = ".downloads"
"""Where, below the directory of the models, files lie that have not arrived whole."""
MOST_TRIES = 6
"""So many failures in a row, without a byte between them, end it."""
LONGEST_WAIT_S = 30.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Progress(Protocol):
    """Is told how a file comes along; called in several threads."""

    def begin(self, file: RemoteFile, have: int) -> None:
        """It begins, `have` bytes being here already; again where it has to begin anew."""

    def advance(self, file: RemoteFile, count: int) -> None:
        """So many bytes more have arrived or, after `check`, were read."""

    def wait(self, file: RemoteFile, why: str, wait_s: float) -> None:
        """It is tried again in `wait_s` seconds."""

    def check(self, file: RemoteFile) -> None:
        """All has arrived; it is read once more for its checksum."""

    def done(self, file: RemoteFile) -> None:
        """It is in its place."""


class Stopped(Exception):
    """The download was told to stop; what has arrived stays for the next time."""


class Fetch:
    """Fetches files into the directory `root`. `stop` ends all of it within a moment.

    `first_wait_s` is the wait after a first failure; later ones double it.
    """

    def __init__(
        self,
        source: Source,
        root: Path,
        progress: Progress,
        stop: threading.Event,
        first_wait_s: float = 1.0,
    ) -> None:
        self._source = source
        self._root = root
        self._progress = progress
        self._stop = stop
        self._first_wait_s = first_wait_s

    def fetch(self, file: RemoteFile) -> LockedFile:
        """Bring one file into its place. Raises ModelError, and Stopped."""
        part = part_of(file, self._root)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._complete(file, part)
            found = self._check(file, part)
            place = self._root / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        except OSError as error:
            raise self._disk_error(error) from error
        self._progress.done(file)
        return LockedFile(size=file.size, sha256=found.sha256, checked=file.checked)

    def look(self, file: RemoteFile) -> LockedFile | None:
        """What lies in its place already, if it is that file; None if it is another. Reads it."""
        place = self._root / file.path
        if place.stat().st_size != file.size:
            return None
        self._progress.begin(file, 0)
        self._progress.check(file)
        found = digests(place, lambda count: self._count(file, count))
        if _wrong(file, found):
            return None
        self._progress.done(file)
        return LockedFile(size=file.size, sha256=found.sha256, checked=file.checked)

    def _complete(self, file: RemoteFile, part: Path) -> None:
        """Append to `part` until it has all bytes, with patience."""
        have = _size(part)
        if have > file.size:
            part.unlink()
            have = 0
        self._progress.begin(file, have)
        failures = 0
        while have < file.size or not part.exists():
            try:
                self._append(file, part, have)
                cut = Cut("the connection ended early")
            except Cut as error:
                cut = error
            now = _size(part)
            failures = 1 if now > have else failures + 1
            have = now
            if have < file.size:
                self._wait(file, cut, failures)

    def _append(self, file: RemoteFile, part: Path, have: int) -> None:
        with self._source.open(file, have) as stream:
            if stream.start not in (0, have):
                raise Cut("the answer begins in the wrong place")
            # Unbuffered: what was counted is on the disk, whatever ends this process.
            with part.open("r+b" if have else "wb", buffering=0) as out:
                out.seek(stream.start)
                if stream.start < have:
                    out.truncate()
                    self._progress.begin(file, stream.start)
                left = file.size - stream.start
                for piece in stream.pieces:
                    if len(piece) > left:
                        out.truncate(0)
                        raise ModelError(
                            f"{file.file} is longer at its source than its {file.size} bytes.",
                            "It may just have been replaced there; try again in a while.",
                        )
                    _write(out, piece)
                    left -= len(piece)
                    self._count(file, len(piece))

    def _wait(self, file: RemoteFile, cut: Cut, failures: int) -> None:
        if failures >= MOST_TRIES:
            raise ModelError(
                f"{file.file} could not be fetched: {cut.reason}, {failures} times in a row.",
                "What has arrived is kept: run the same command again when the network is back.",
            )
        wait_s = min(LONGEST_WAIT_S, max(cut.wait_s, self._first_wait_s * 2 ** (failures - 1)))
        self._progress.wait(file, cut.reason, wait_s)
        if self._stop.wait(wait_s):
            raise Stopped

    def _check(self, file: RemoteFile, part: Path) -> Digests:
        self._progress.check(file)
        found = digests(part, lambda count: self._count(file, count))
        if _wrong(file, found):
            part.unlink()
            raise ModelError(
                f"{file.file} arrived damaged: its checksum is not the one of the source.",
                "It was removed; run the same command again.",
            )
        return found

    def _count(self, file: RemoteFile, count: int) -> None:
        self._progress.advance(file, count)
        if self._stop.is_set():
            raise Stopped

    def _disk_error(self, error: OSError) -> ModelError:
        if error.errno in _FULL:
            return ModelError(
                f"The disk of {self._root} is full.",
                "Free some of it and run the same command again: it goes on from here.",
            )
        return ModelError(
            f"{error.filename or self._root} cannot be written: {error.strerror or error}.",
            "See that the directory of the models is yours and writable.",
        )


def part_of(file: RemoteFile, root: Path) -> Path:
    """Where `file` lies until it has arrived whole."""
    return root / PARTS / f"{file.key}-{Path(file.file).name}.part"


def parts(model: Model, root: Path) -> list[Path]:
    """What lies here of files of `model` that have not arrived whole, of whatever content."""
    names = [Path(file).name for file in model.files]
    return [part for name in names for part in (root / PARTS).glob(f"*-{glob.escape(name)}.part")]


def bytes_here(file: RemoteFile, root: Path) -> int:
    """How much of `file` has arrived in an earlier attempt."""
    return min(file.size, _size(part_of(file, root)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write(out: object, piece: bytes) -> None:
    """All of `piece`: an unbuffered file may take a part of it."""
    rest = memoryview(piece)
    while rest:
        rest = rest[out.write(rest) :]  # type: ignore[attr-defined]


def _wrong(file: RemoteFile, found: Digests) -> bool:
    if file.sha256:
        return found.sha256 != file.sha256
    return bool(file.git_sha1) and found.git_sha1 != file.git_sha1
