"""A whole download: what is missing, whether it fits on the disk, several files at once."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from voicebot_local.errors import ModelError
from voicebot_local.models.fetch import PARTS, Fetch, Progress, Stopped, bytes_here
from voicebot_local.models.lock import LockedFile, LockedModel, read_lock, write_lock
from voicebot_local.models.manifest import Model
from voicebot_local.models.source import Cut, RemoteFile, Source

AT_ONCE = 4
"""Files that are fetched side by side."""
SPARE_BYTES = 200_000_000
"""What a disk should have left over."""
LOOK_UPS = 4
_SETTLE_S = 2.0
"""How long Ctrl-C waits for the threads to end by themselves."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a download has to do, known before its first byte.

    `files` are to be fetched, or found to be here already; `here` are the names of the models
    that nothing is missing of.
    """

    files: tuple[RemoteFile, ...]
    here: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all `files`."""
        return sum(file.size for file in self.files)


def missing_of(models: Sequence[Model], root: Path) -> tuple[Model, ...]:
    """The models that are not here whole, by the lock: a file that it does not know of, or of
    another size, counts as missing. Reads no content."""
    known = read_lock(root).files
    return tuple(
        model
        for model in models
        if not all(_is_as_locked(root, path, known.get(path)) for path in model.paths)
    )


def _is_as_locked(root: Path, path: str, locked: LockedFile | None) -> bool:
    place = root / path
    return locked is not None and place.is_file() and place.stat().st_size == locked.size


def look_up(
    models: Sequence[Model],
    source: Source,
    root: Path,
    *,
    update: bool = False,
    again: bool = False,
    pause: Callable[[float], object] = time.sleep,
) -> Needs:
    """Ask the source about the models. One that was downloaded before stays at its commit, unless
    `update`; with `again` what is here is fetched all the same. Raises ModelError."""
    lock = read_lock(root)
    files: list[RemoteFile] = []
    here: list[str] = []
    for model in models:
        locked = lock.models.get(model.name)
        same = locked is not None and locked.repo == model.repo and not update
        found = _patiently(source, model, locked.commit if locked and same else "", pause)
        wanted = [file for file in found if again or not _is_here(file, root, lock.files)]
        files += wanted
        if not wanted:
            here.append(model.name)
    return Needs(tuple(files), tuple(here))


def _patiently(
    source: Source, model: Model, commit: str, pause: Callable[[float], object]
) -> tuple[RemoteFile, ...]:
    wait_s = 1.0
    for attempt in range(1, LOOK_UPS + 1):
        try:
            return source.look_up(model, commit)
        except Cut as cut:
            if attempt == LOOK_UPS:
                raise ModelError(
                    f"{model.repo} could not be looked up: {cut.reason}.",
                    "Check the network, HTTPS_PROXY and HF_ENDPOINT and try again, or use a copy "
                    "of the files on this machine: --from DIR.",
                ) from None
            pause(max(wait_s, min(cut.wait_s, 30.0)))
            wait_s *= 2
    raise AssertionError


def _is_here(file: RemoteFile, root: Path, known: dict[str, LockedFile]) -> bool:
    locked = known.get(file.path)
    if not _is_as_locked(root, file.path, locked):
        return False
    assert locked is not None
    same = locked.size == file.size
    return same and (not file.sha256 or locked.sha256 == file.sha256)


def require_room(
    needs: Needs,
    root: Path,
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> None:
    """Raise ModelError where the disk has no room for what is to come."""
    coming = sum(file.size - bytes_here(file, root) for file in needs.files)
    left = free(next(path for path in (root, *root.parents) if path.exists()))
    if coming and left < coming + SPARE_BYTES:
        raise ModelError(
            f"The download needs {coming / 1e9:.2f} GB and {root} has {left / 1e9:.2f} GB free.",
            "Free some of that disk, or keep the models elsewhere: export VOICEBOT_MODELS=DIR.",
        )


class OneAtATime:
    """Held while models come into the directory `root`; another download there waits for it.

    `on_wait` is called where there is one.
    """

    def __init__(self, root: Path, on_wait: Callable[[], None]) -> None:
        self._root = root
        self._on_wait = on_wait

    def __enter__(self) -> None:
        parts = self._root / PARTS
        try:
            parts.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(parts / "lock")
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                self._on_wait()
                self._lock.acquire()
        except OSError as error:
            raise ModelError(
                f"{self._root} cannot be written: {error.strerror or error}.",
                "Keep the models elsewhere: export VOICEBOT_MODELS=DIR.",
            ) from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def download(files: Iterable[RemoteFile], source: Source, root: Path, progress: Progress) -> None:
    """Fetch the files, several at once; each one is in the lock as soon as it is in its place.

    Raises the first ModelError, after which the others stop, too; and KeyboardInterrupt. What has
    arrived is kept in both cases.
    """
    stop = threading.Event()
    work: queue.SimpleQueue[RemoteFile] = queue.SimpleQueue()
    for file in sorted(files, key=lambda file: -file.size):
        work.put(file)
    crew = _Crew(work, Fetch(source, root, progress, stop), root, stop)
    # Daemons: a thread that is stuck in a read does not keep the program from ending.
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(_SETTLE_S / AT_ONCE)
        raise
    if crew.errors:
        raise crew.errors[0]


class _Crew:
    """What the threads of a download share."""

    def __init__(
        self,
        work: queue.SimpleQueue[RemoteFile],
        fetch: Fetch,
        root: Path,
        stop: threading.Event,
    ) -> None:
        self._work = work
        self._fetch = fetch
        self._root = root
        self._stop = stop
        self._writing = threading.Lock()
        self.errors: list[Exception] = []

    def work(self) -> None:
        """Fetch file after file until there are none left or something goes wrong."""
        while not self._stop.is_set():
            try:
                file = self._work.get_nowait()
            except queue.Empty:
                return
            try:
                self._record(file, self._bring(file))
            except Stopped:
                return
            except Exception as error:
                # Told by the thread that waits for all of them; the others need not go on.
                self.errors.append(error)
                self._stop.set()

    def _bring(self, file: RemoteFile) -> LockedFile:
        place = self._root / file.path
        if place.is_file() and read_lock(self._root).files.get(file.path) is None:
            found = self._fetch.look(file)
            if found is None:
                raise ModelError(
                    f"{place} is there, and is not {file.file} of {file.model.repo}.",
                    "Move it away, then run the same command again.",
                )
            return found
        return self._fetch.fetch(file)

    def _record(self, file: RemoteFile, locked: LockedFile) -> None:
        entry = LockedModel(
            repo=file.model.repo,
            commit=file.commit,
            date=datetime.now(UTC).date().isoformat(),
            files={file.path: locked},
        )
        with self._writing:
            write_lock(self._root, read_lock(self._root).with_file(file.model.name, entry))
