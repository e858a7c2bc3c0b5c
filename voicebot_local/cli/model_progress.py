"""How far a download is: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from voicebot_local.models.fetch import Progress as FetchProgress
from voicebot_local.models.source import RemoteFile

NAME_WIDTH = 18
LINE_EVERY_S = 10.0


@contextmanager
def download_progress(console: Console, files: Sequence[RemoteFile]) -> Iterator[FetchProgress]:
    """What to tell a download of `files`, for the block."""
    if not console.is_terminal:
        yield LineProgress(console)
        return
    with bars(console) as progress:
        yield BarProgress(progress, files)


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """Bars with bytes, speed and time left; they fit in 80 columns."""
    columns = (
        TextColumn("{task.description}", table_column=None),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, expand=True, speed_estimate_period=10) as progress:
        yield progress


def short(name: str) -> str:
    """A file's name in `NAME_WIDTH` characters: both ends, for the middle tells the least."""
    if len(name) <= NAME_WIDTH:
        return name.ljust(NAME_WIDTH)
    return f"{name[:8]}…{name[-(NAME_WIDTH - 9) :]}"


class BarProgress:
    """One bar a file and, where there are several, one for all."""

    def __init__(self, progress: Progress, files: Sequence[RemoteFile]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._coming: set[str] = set()
        """Files that are arriving, not being checked."""
        self._lock = threading.Lock()
        self._all: TaskID | None = None
        if len(files) > 1:
            total = sum(file.size for file in files)
            self._all = progress.add_task(short("all"), total=total)
        self._arrived = dict.fromkeys((file.path for file in files), 0)

    def begin(self, file: RemoteFile, have: int) -> None:
        """See `fetch.Progress`."""
        task = self._task(file)
        # What is here already says nothing about the speed of what comes.
        self._progress.reset(task, completed=have, total=file.size, description=_name(file))
        with self._lock:
            first = not any(self._arrived.values())
            self._coming.add(file.path)
            self._arrived[file.path] = have
            arrived = sum(self._arrived.values())
        if self._all is not None and first:
            self._progress.reset(self._all, completed=arrived)
        elif self._all is not None:
            self._progress.update(self._all, completed=arrived)

    def advance(self, file: RemoteFile, count: int) -> None:
        """See `fetch.Progress`."""
        self._progress.update(self._task(file), advance=count)
        with self._lock:
            coming = file.path in self._coming
            if coming:
                self._arrived[file.path] += count
        if coming and self._all is not None:
            self._progress.update(self._all, advance=count)

    def wait(self, file: RemoteFile, why: str, wait_s: float) -> None:
        """See `fetch.Progress`."""
        self._progress.console.print(f"{file.file}: {why}; trying again in {wait_s:.0f} s")

    def check(self, file: RemoteFile) -> None:
        """See `fetch.Progress`."""
        with self._lock:
            self._coming.discard(file.path)
        self._progress.reset(
            self._task(file), completed=0, total=file.size, description=short("checking")
        )

    def done(self, file: RemoteFile) -> None:
        """See `fetch.Progress`."""
        self._progress.update(self._task(file), completed=file.size, description=_name(file))

    def _task(self, file: RemoteFile) -> TaskID:
        with self._lock:
            if file.path not in self._tasks:
                self._tasks[file.path] = self._progress.add_task(_name(file), total=file.size)
            return self._tasks[file.path]


@dataclass
class _Told:
    have: int
    began: int
    since: float
    at: float


class LineProgress:
    """Lines for a log: when a file begins, every ten seconds, and when it is there."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._files: dict[str, _Told] = {}

    def begin(self, file: RemoteFile, have: int) -> None:
        """See `fetch.Progress`."""
        now = time.monotonic()
        self._files[file.path] = _Told(have, have, now, now)
        rest = f", {megabytes(have)} of them are here already" if have else ""
        self._say(f"{file.file}: {megabytes(file.size)}{rest}")

    def advance(self, file: RemoteFile, count: int) -> None:
        """See `fetch.Progress`."""
        told = self._files[file.path]
        told.have += count
        now = time.monotonic()
        if now - told.at < LINE_EVERY_S:
            return
        told.at = now
        speed = max(1.0, (told.have - told.began) / (now - told.since))
        left_s = max(0.0, (file.size - told.have) / speed)
        self._say(
            f"{file.file}: {100 * told.have // max(1, file.size)} %, "
            f"{speed / 1e6:.1f} MB/s, {left_s:.0f} s left"
        )

    def wait(self, file: RemoteFile, why: str, wait_s: float) -> None:
        """See `fetch.Progress`."""
        self._say(f"{file.file}: {why}; trying again in {wait_s:.0f} s")

    def check(self, file: RemoteFile) -> None:
        """See `fetch.Progress`."""
        now = time.monotonic()
        self._files[file.path] = _Told(0, 0, now, now)

    def done(self, file: RemoteFile) -> None:
        """See `fetch.Progress`."""
        self._say(f"{file.file}: here, checksum {'right' if file.checked else 'recorded'}")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def megabytes(size: float) -> str:
    """For people: "4.92 GB", "8.7 MB"."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _name(file: RemoteFile) -> str:
    return short(file.file.rpartition("/")[2])
