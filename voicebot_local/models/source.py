"""Where models come from, as the download sees it: the hub, or a directory with the same files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from voicebot_local.models.manifest import Model


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at its source; `size` in bytes, `commit` "" where that is unknown.

    Of the checksums, the first that is not "" is the one that counts; `checked` names where it
    comes from, "" where there is none.
    """

    model: Model
    file: str
    commit: str
    size: int
    sha256: str = ""
    git_sha1: str = ""
    checked: str = ""

    @property
    def path(self) -> str:
        """Where it belongs, below the directory of the models."""
        return self.model.path(self.file)

    @property
    def key(self) -> str:
        """Changes when its content does: what was fetched of another content is of no use."""
        return (self.sha256 or self.git_sha1)[:16] or f"{self.size}-{self.commit[:12]}"


class Cut(Exception):
    """The connection broke, or the source asks for patience: the same may work later.

    `reason` is told to a person; `wait_s` is how long the source asks to wait, 0 where it does not.
    """

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Stream:
    """A file's content from byte `start` on, which may be earlier than was asked for."""

    start: int
    pieces: Iterator[bytes]


class Source(Protocol):
    """Where files come from. Both methods raise ModelError, and Cut where trying again may help."""

    def look_up(self, model: Model, commit: str) -> tuple[RemoteFile, ...]:
        """What `model` is made of, at `commit` or, where that is "", at its newest."""

    def open(self, file: RemoteFile, start: int) -> AbstractContextManager[Stream]:
        """Read a file from byte `start` on; called in several threads at once."""
