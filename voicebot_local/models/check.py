"""Whether the models that are here are whole: quickly by their sizes, surely by their checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voicebot_local.calling import called_as
from voicebot_local.errors import ModelError
from voicebot_local.models.digest import digests
from voicebot_local.models.lock import LOCK, Lock, LockedFile, read_lock
from voicebot_local.models.manifest import Manifest, Model

State = Literal["whole", "damaged", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file and what was found: "unknown" is one whose checksum nobody has recorded."""

    model: Model
    path: str
    state: State
    why: str = ""


def verify(
    models: Iterable[Model], root: Path, on_bytes: Callable[[str, int], None] = lambda *_: None
) -> Iterator[Checked]:
    """Read every file of the models that are here and compare its checksum; models of which no
    file is here are left out. `on_bytes` is told the path and how much of it was just read."""
    known = read_lock(root).files
    for model in models:
        if not any((root / path).exists() for path in model.paths):
            continue
        for file in model.files:
            path = model.path(file)
            expected = model.sha256.get(file) or (known[path].sha256 if path in known else "")
            yield Checked(model, path, *_state(root / path, path, expected, known, on_bytes))


def _state(
    place: Path,
    path: str,
    expected: str,
    known: dict[str, LockedFile],
    on_bytes: Callable[[str, int], None],
) -> tuple[State, str]:
    if not place.is_file():
        return "missing", "it is not there"
    if not expected:
        return "unknown", f"its checksum is in no {LOCK}"
    size = place.stat().st_size
    if path in known and size != known[path].size:
        return "damaged", f"it has {size} bytes instead of {known[path].size}"
    try:
        found = digests(place, lambda count: on_bytes(path, count))
    except OSError as error:
        return "damaged", f"it cannot be read: {error.strerror or error}"
    if found.sha256 != expected:
        return "damaged", "its checksum is another one"
    return "whole", ""


def require_whole(needed: Iterable[Path], root: Path, manifest: Manifest) -> None:
    """Raise ModelError where a model that is to be loaded does not have the sizes of the lock.

    This takes no time worth speaking of. A file that the lock does not know of is not judged: it
    is the user's own.
    """
    for path in needed:
        for inside, locked in _inside(path, root, read_lock(root)):
            place = root / inside
            size = place.stat().st_size if place.is_file() else None
            if size != locked.size:
                what = "is missing" if size is None else f"has {size} bytes, not {locked.size}"
                model = manifest.at(place, root)
                name = model.name if model else "NAME"
                raise ModelError(
                    f"The model file {place} {what}.",
                    f"Get it anew: {called_as()} models download --again {name}",
                )


def _inside(path: Path, root: Path, lock: Lock) -> Iterator[tuple[str, LockedFile]]:
    """What the lock knows of a file, or of the files in a directory."""
    if not path.is_relative_to(root):
        return
    wanted = path.relative_to(root)
    for inside, locked in lock.files.items():
        if Path(inside) == wanted or wanted in Path(inside).parents:
            yield inside, locked


def how_to_get(missing: Iterable[Path], root: Path, manifest: Manifest) -> str:
    """The command that brings the missing files; "" where the manifest knows none of them."""
    models = [manifest.at(path, root) for path in missing]
    names = list(dict.fromkeys(model.name for model in models if model is not None))
    if not names:
        return ""
    return f"{called_as()} models download {' '.join(names)}"
