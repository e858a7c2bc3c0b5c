"""The tiny XTTS models that tests use, made once and kept in pytest's cache directory.

Import the fixtures where they are needed; they leave torch out of the process that runs the tests.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from voicebot_local.paths import CHECKOUT

SCRIPT = CHECKOUT / "scripts" / "make_fixtures" / "xtts_tiny.py"
VOICES = ("Test Voice", "Second Voice")


def make_tiny_xtts(directory: Path, *, endless: bool = False) -> Path:
    """Make a tiny XTTS in `directory` unless it is there; returns `directory`.

    It speaks for about 1.6 s whatever the text; the `endless` one for as long as it is let.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Tests run in two processes at once, and each may be the first that needs it.
    with FileLock(f"{directory}.lock"):
        if not (directory / "model.pth").is_file():
            _make(directory, endless=endless)
    return directory


def _make(directory: Path, *, endless: bool) -> None:
    with tempfile.TemporaryDirectory(dir=directory.parent) as made:
        command = [sys.executable, "-m", "scripts.make_fixtures.xtts_tiny", f"{made}/xtts"]
        done = subprocess.run(
            [*command, "--endless"] if endless else command,
            cwd=CHECKOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        shutil.rmtree(directory, ignore_errors=True)
        Path(made, "xtts").rename(directory)


@pytest.fixture(scope="session")
def tiny_xtts(request: pytest.FixtureRequest) -> Path:
    """A model that stops by itself. Do not write into it."""
    return make_tiny_xtts(_kept(request) / "speaks")


@pytest.fixture(scope="session")
def endless_xtts(request: pytest.FixtureRequest) -> Path:
    """A model that is only stopped. Do not write into it."""
    return make_tiny_xtts(_kept(request) / "endless", endless=True)


def _kept(request: pytest.FixtureRequest) -> Path:
    versions = [importlib.metadata.version(name) for name in ("coqui-tts", "torch")]
    key = hashlib.sha256(SCRIPT.read_bytes() + repr(versions).encode()).hexdigest()[:16]
    cache = request.config.cache
    assert cache is not None
    return cache.mkdir(f"xtts-tiny-{key}")
