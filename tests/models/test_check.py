"""Checking what is here: by checksum, and quickly before it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.places import FILES, WEIGHTS, Told, manifest, root
from voicebot_local.config import load_config, require_stack
from voicebot_local.errors import ModelError
from voicebot_local.models.check import how_to_get, require_whole, verify
from voicebot_local.models.download import download, look_up, missing_of
from voicebot_local.models.lock import LOCK, Lock, read_lock
from voicebot_local.models.manifest import Manifest
from voicebot_local.models.mirror import Mirror

__all__ = ["manifest", "root"]


@pytest.fixture
def here(root: Path, manifest: Manifest, tmp_path: Path) -> Path:
    """The directory of the models with all of them in it."""
    for path, content in FILES.items():
        (tmp_path / "disk" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / path).write_bytes(content)
    source = Mirror(tmp_path / "disk", Lock())
    download(look_up(manifest.model, source, root).files, source, root, Told())
    return root


def states(root: Path, manifest: Manifest) -> dict[str, str]:
    return {each.path: each.state for each in verify(manifest.model, root)}


def test_whole(here: Path, manifest: Manifest) -> None:
    read: dict[str, int] = {}

    def on_bytes(path: str, count: int) -> None:
        read[path] = read.get(path, 0) + count

    found = list(verify(manifest.model, here, on_bytes))
    assert {each.state for each in found} == {"whole"}
    assert read == {path: len(content) for path, content in FILES.items()}


def test_one_bit_is_seen(here: Path, manifest: Manifest) -> None:
    (here / "speaker/model.pth").write_bytes(bytes([WEIGHTS[-1] ^ 1]) + WEIGHTS[::-1][1:])
    assert states(here, manifest) == {
        "thinker.gguf": "whole",
        "speaker/config.json": "whole",
        "speaker/model.pth": "damaged",
    }


def test_missing_and_unknown_files(here: Path, manifest: Manifest) -> None:
    (here / "speaker/config.json").unlink()
    (here / LOCK).unlink()
    assert states(here, manifest) == {
        "thinker.gguf": "unknown",
        "speaker/config.json": "missing",
        "speaker/model.pth": "unknown",
    }


def test_what_is_not_here_is_not_judged(root: Path, manifest: Manifest) -> None:
    assert list(verify(manifest.model, root)) == []


def test_a_file_of_another_size_is_not_loaded(here: Path, manifest: Manifest) -> None:
    needed = [here / "thinker.gguf", here / "speaker"]
    require_whole(needed, here, manifest)
    (here / "speaker/model.pth").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelError, match=f"has {len(WEIGHTS) - 1} bytes, not") as caught:
        require_whole(needed, here, manifest)
    assert caught.value.mend.endswith("models download --again speaker")
    (here / "speaker/model.pth").unlink()
    with pytest.raises(ModelError, match="is missing"):
        require_whole(needed, here, manifest)
    require_whole([here / "thinker.gguf"], here, manifest)
    assert [model.name for model in missing_of(manifest.model, here)] == ["speaker"]


def test_a_users_own_file_is_not_judged(here: Path, manifest: Manifest, tmp_path: Path) -> None:
    (here / "mine.gguf").write_bytes(b"mine")
    (tmp_path / "mine.gguf").write_bytes(b"mine")
    require_whole([here / "mine.gguf", tmp_path / "mine.gguf"], here, manifest)


def test_the_command_that_brings_what_is_missing(root: Path, manifest: Manifest) -> None:
    said = how_to_get([root / "speaker", root / "thinker.gguf"], root, manifest)
    assert said.endswith("models download speaker thinker")
    assert how_to_get([root / "mine.gguf"], root, manifest) == ""


def test_a_damaged_lock_is_told(root: Path) -> None:
    (root / LOCK).write_text("{")
    with pytest.raises(ModelError, match="is damaged") as caught:
        read_lock(root)
    assert "Remove it" in caught.value.mend


def test_run_refuses_a_model_that_is_not_whole(here: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[chat]\nmodel = "thinker.gguf"\n')
    config = load_config("starter", file)
    require_stack(config)
    (here / "thinker.gguf").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelError, match=r"thinker\.gguf has"):
        require_stack(config)
