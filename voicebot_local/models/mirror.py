"""A directory with the files of models: a copy on a disk, for machines without the hub.

It is laid out like the directory of the models of another machine, or like the hub: `OWNER/NAME/`
with the files of a repository in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicebot_local.errors import ModelError
from voicebot_local.models.lock import Lock, read_lock
from voicebot_local.models.manifest import Model
from voicebot_local.models.source import RemoteFile, Stream

_AT_ONCE = 1 << 20


class Mirror:
    """A `Source` in a directory. Raises ModelError where it is none."""

    def __init__(self, directory: Path, here: Lock) -> None:
        """`here` is the lock of the models that are here: it may know the checksums, too."""
        if not directory.is_dir():
            raise ModelError(f"There is no directory {directory}.", "Correct --from.")
        self._directory = directory
        self._here = here
        self._there = read_lock(directory)

    def look_up(self, model: Model, commit: str) -> tuple[RemoteFile, ...]:
        """See `Source`; `commit` makes no difference."""
        places = [self._find(model, file) for file in model.files]
        missing = [file for file, place in zip(model.files, places, strict=True) if place is None]
        if missing:
            like = self._directory / model.repo / missing[0]
            raise ModelError(
                f"{self._directory} lacks {', '.join(missing)} of {model.name}.",
                f"Put it at {self._directory / model.path(missing[0])} or at {like}.",
            )
        locked = self._there.models.get(model.name)
        known = {**self._here.files, **self._there.files}
        found = []
        for file, place in zip(model.files, places, strict=True):
            assert place is not None
            entry = known.get(model.path(file))
            sha256 = model.sha256.get(file) or (entry.sha256 if entry else "")
            checked = "manifest" if file in model.sha256 else "mirror" if entry else ""
            found.append(
                RemoteFile(
                    model,
                    file,
                    locked.commit if locked else commit,
                    size=place.stat().st_size,
                    sha256=sha256,
                    checked=checked,
                )
            )
        return tuple(found)

    @contextmanager
    def open(self, file: RemoteFile, start: int) -> Iterator[Stream]:
        """See `Source`."""
        place = self._find(file.model, file.file)
        try:
            if place is None:
                raise FileNotFoundError("it is gone")
            stream = place.open("rb")
        except OSError as error:
            raise ModelError(
                f"{file.file} cannot be read in {self._directory}: {error.strerror or error}."
            ) from error
        with stream:
            stream.seek(start)
            yield Stream(start, iter(lambda: stream.read(_AT_ONCE), b""))

    def _find(self, model: Model, file: str) -> Path | None:
        candidates = (self._directory / model.path(file), self._directory / model.repo / file)
        return next((place for place in candidates if place.is_file()), None)
