"""Checksums of files: the hub's two kinds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    """`sha256` is what the hub gives for large files, `git_sha1` (of git's blob) for small ones."""

    sha256: str
    git_sha1: str


def digests(file: Path, on_bytes: Callable[[int], None] = lambda _: None) -> Digests:
    """Both checksums of a file, read once; `on_bytes` is told how far it is, piece by piece, and
    may raise to stop it. Raises OSError."""
    whole = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    small = file.stat().st_size <= _GIT_MOST
    with file.open("rb") as stream:
        while piece := stream.read(_AT_ONCE):
            whole.update(piece)
            if small:
                blob.update(piece)
            on_bytes(len(piece))
    return Digests(whole.hexdigest(), blob.hexdigest() if small else "")


_GIT_MOST = 64 << 20
"""Larger files are never kept in git itself, so their second checksum is not wanted."""
