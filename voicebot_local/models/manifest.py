"""What can be downloaded: `models/manifest.toml` as objects."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicebot_local import paths
from voicebot_local.errors import ConfigError

Role = Literal["recognizer", "chat", "synthesizer", "turn detector"]
MANIFEST = "manifest.toml"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


class Model(BaseModel):
    """One model. `files` are named as in its repository, and lie below `directory` here.

    `size_gb` is in 10^9 bytes, all files together; `vram_gib` is what it takes of a GPU at the
    settings of the profiles, 0 where it takes none. `sha256` is known of some files only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Role
    repo: str
    revision: str = "main"
    directory: str = ""
    files: tuple[str, ...] = Field(min_length=1)
    sha256: dict[str, str] = {}
    size_gb: float = Field(gt=0)
    vram_gib: float = Field(ge=0)
    languages: str
    licence: str
    licence_url: str
    terms: str = ""
    """The licence in a few lines, where it wants agreement."""
    agree: bool = False
    """Whether the licence wants to be agreed to before the download."""
    profiles: tuple[str, ...] = ()
    note: str = ""

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a name has small letters, digits, dots and hyphens")
        return name

    @field_validator("files", "directory")
    @classmethod
    def _below(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """What a manifest names stays below the directory of the models."""
        for path in (value,) if isinstance(value, str) else value:
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts:
                raise ValueError(f"{path} leads out of the directory of the models")
        return value

    def path(self, file: str) -> str:
        """Where a file of it lies, below the directory of the models, with "/" between."""
        return str(PurePosixPath(self.directory) / file)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where its files lie, likewise."""
        return tuple(self.path(file) for file in self.files)

    @property
    def page(self) -> str:
        """Where people can read about it."""
        return f"https://huggingface.co/{self.repo}"


class Manifest(BaseModel):
    """All of them. Raises nothing by itself; see `read_manifest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: tuple[Model, ...]

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles that some model belongs to."""
        return tuple(dict.fromkeys(name for model in self.model for name in model.profiles))

    def of_profile(self, profile: str) -> tuple[Model, ...]:
        """The models of a profile. Raises ConfigError where there are none."""
        found = tuple(model for model in self.model if profile in model.profiles)
        if not found:
            raise ConfigError(
                f"No model belongs to a profile {profile!r}.",
                f"Profiles with models are: {', '.join(self.profiles)}; the starter needs none.",
            )
        return found

    def by_name(self, names: Sequence[str]) -> tuple[Model, ...]:
        """The models of these names. Raises ConfigError where one is unknown."""
        known = {model.name: model for model in self.model}
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(
                f"There is no model {', '.join(unknown)}.", f"There are: {', '.join(known)}."
            )
        return tuple(known[name] for name in dict.fromkeys(names))

    def at(self, path: Path, root: Path) -> Model | None:
        """The model that a file or directory belongs to, which need not exist."""
        try:
            wanted = PurePosixPath(path.relative_to(root).as_posix())
        except ValueError:
            return None
        for model in self.model:
            inside = [PurePosixPath(file) for file in model.paths]
            if any(wanted == file or wanted in file.parents for file in inside):
                return model
        return None


def read_manifest(root: Path | None = None) -> Manifest:
    """The manifest of the directory `root` (by default where models are kept), where it has one;
    else the one that came with the program. Raises ConfigError for one that is damaged."""
    own = (root or paths.models_dir()) / MANIFEST
    file = own if own.is_file() else paths.CARRIED / "models" / MANIFEST
    try:
        return Manifest.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.", _MEND) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {where}: {first['msg']}.", _MEND) from error


_MEND = "Correct it, or remove it: the program has one of its own."
