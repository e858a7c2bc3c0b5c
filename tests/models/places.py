"""A hub with two small models, a directory for them, and what a download tells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.hub import Hub
from voicebot_local.models.manifest import Manifest, read_manifest
from voicebot_local.models.source import RemoteFile

WEIGHTS = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(16_000))
"""Half a megabyte of which no part is like another."""
SMALL = b'{"name": "small"}'
MANIFEST = """
[[model]]
name = "thinker"
role = "chat"
repo = "someone/thinker"
files = ["thinker.gguf"]
size_gb = 0.0005
vram_gib = 1
languages = "en"
licence = "Apache-2.0"
licence_url = "https://example.org/apache"
profiles = ["local"]
note = "for tests"

[[model]]
name = "speaker"
role = "synthesizer"
repo = "someone/speaker"
directory = "speaker"
files = ["config.json", "model.pth"]
size_gb = 0.0005
vram_gib = 1
languages = "en"
licence = "Strictly Non-Commercial"
licence_url = "https://example.org/nc"
agree = true
terms = "Never for money."
profiles = ["local"]
note = "for tests"
"""
FILES = {"thinker.gguf": WEIGHTS, "speaker/config.json": SMALL, "speaker/model.pth": WEIGHTS[::-1]}
"""By the place where they belong."""


def make_hub() -> Hub:
    return Hub(
        {
            "someone/thinker": {"thinker.gguf": WEIGHTS, "README.md": b"read me"},
            "someone/speaker": {"config.json": SMALL, "model.pth": WEIGHTS[::-1]},
        }
    )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub, running, and the client allowed to ask it: the tests' network is this machine."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with make_hub().serve() as served:
        yield served


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the models, with the manifest."""
    directory = tmp_path / "models"
    directory.mkdir()
    (directory / "manifest.toml").write_text(MANIFEST)
    monkeypatch.setenv("VOICEBOT_MODELS", str(directory))
    return directory


@pytest.fixture
def manifest(root: Path) -> Manifest:
    return read_manifest(root)


@dataclass
class Told:
    """Keeps what a download tells of itself."""

    lines: list[str] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)

    def begin(self, file: RemoteFile, have: int) -> None:
        self.lines.append(f"{file.path} from {have}")
        self.bytes[file.path] = have

    def advance(self, file: RemoteFile, count: int) -> None:
        self.bytes[file.path] += count

    def wait(self, file: RemoteFile, why: str, wait_s: float) -> None:
        self.lines.append(f"{file.path} waits: {why}")

    def check(self, file: RemoteFile) -> None:
        self.lines.append(f"{file.path} arrived with {self.bytes[file.path]}")

    def done(self, file: RemoteFile) -> None:
        self.lines.append(f"{file.path} done")


def check_whole(root: Path, *paths: str) -> None:
    """Those files are in their places with their content, and no part is left over."""
    for path in paths or FILES:
        assert (root / path).read_bytes() == FILES[path]
    assert list((root / ".downloads").glob("*.part")) == []
