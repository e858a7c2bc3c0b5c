"""What was downloaded, and its checksums: `manifest.lock` beside the models."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voicebot_local.errors import ModelError

LOCK = "manifest.lock"


class LockedFile(BaseModel):
    """A file as it was when it had arrived whole: `size` in bytes, `sha256` in hexadecimal.

    `checked` says what the checksum was held against: "hub", "manifest", "mirror", or "" where
    nobody knew it and it is what arrived.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str
    checked: str = ""


class LockedModel(BaseModel):
    """A model as it was downloaded; `files` by their paths below the directory of the models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    commit: str
    date: str
    files: dict[str, LockedFile]


class Lock(BaseModel):
    """All of them, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, LockedModel] = {}

    @property
    def files(self) -> dict[str, LockedFile]:
        """Every file, by its path below the directory of the models."""
        return {path: file for model in self.models.values() for path, file in model.files.items()}

    def with_file(self, name: str, model: LockedModel) -> Lock:
        """The same with what `model` says of its files beside what was known of others of it."""
        before = self.models.get(name)
        files = before.files if before else {}
        joined = model.model_copy(update={"files": {**files, **model.files}})
        return Lock(models={**self.models, name: joined})

    def without(self, name: str) -> Lock:
        """The same without a model."""
        return Lock(models={key: value for key, value in self.models.items() if key != name})


def read_lock(root: Path) -> Lock:
    """The lock of the directory `root`; an empty one where it has none. Raises ModelError."""
    file = root / LOCK
    try:
        return Lock.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Lock()
    except (OSError, ValidationError) as error:
        raise ModelError(
            f"{file} cannot be read: it is damaged.",
            "Remove it; `voicebot-local models download` then checks the files against the hub.",
        ) from error


def write_lock(root: Path, lock: Lock) -> None:
    """Write the lock, all or nothing."""
    write_whole(root / LOCK, lock.model_dump(mode="json"))


def write_whole(file: Path, value: object) -> None:
    """Write `value` as JSON so that a reader finds the old file or the new one, never a part."""
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
