"""Copies from a directory, without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.places import FILES, SMALL, WEIGHTS, Told, check_whole, manifest, root
from voicebot_local.errors import ModelError
from voicebot_local.models.download import download, look_up
from voicebot_local.models.fetch import part_of
from voicebot_local.models.lock import Lock, read_lock, write_lock
from voicebot_local.models.manifest import Manifest
from voicebot_local.models.mirror import Mirror

__all__ = ["manifest", "root"]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A disk with the models, laid out like the directory of the models."""
    for path, content in FILES.items():
        (tmp_path / "disk" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / path).write_bytes(content)
    return tmp_path / "disk"


def copy(mirror: Path, root: Path, manifest: Manifest) -> Told:
    source, told = Mirror(mirror, read_lock(root)), Told()
    download(look_up(manifest.model, source, root).files, source, root, told)
    return told


def test_a_directory_like_that_of_the_models(mirror: Path, root: Path, manifest: Manifest) -> None:
    copy(mirror, root, manifest)
    check_whole(root)
    assert {file.checked for file in read_lock(root).files.values()} == {""}


def test_a_directory_like_the_hub(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    place = tmp_path / "hub" / "someone"
    for name, content in (
        ("thinker/thinker.gguf", WEIGHTS),
        ("speaker/config.json", SMALL),
        ("speaker/model.pth", WEIGHTS[::-1]),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    copy(tmp_path / "hub", root, manifest)
    check_whole(root)


def test_the_checksums_of_the_other_machine_count(
    mirror: Path, root: Path, manifest: Manifest, tmp_path: Path
) -> None:
    copy(mirror, root, manifest)
    write_lock(mirror, read_lock(root))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy(mirror, elsewhere, manifest)
    assert {file.checked for file in read_lock(elsewhere).files.values()} == {"mirror"}
    (elsewhere / "thinker.gguf").unlink()
    (mirror / "thinker.gguf").write_bytes(WEIGHTS[:-1] + b"?")
    with pytest.raises(ModelError, match="arrived damaged"):
        copy(mirror, elsewhere, manifest)
    assert not (elsewhere / "thinker.gguf").exists()


def test_a_copy_goes_on_where_it_stopped(mirror: Path, root: Path, manifest: Manifest) -> None:
    source = Mirror(mirror, Lock())
    (file,) = look_up(manifest.by_name(["thinker"]), source, root).files
    part = part_of(file, root)
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:1000])
    assert "thinker.gguf from 1000" in copy(mirror, root, manifest).lines
    check_whole(root)


def test_what_is_missing_is_named_with_its_place(
    mirror: Path, root: Path, manifest: Manifest
) -> None:
    (mirror / "speaker" / "model.pth").unlink()
    with pytest.raises(ModelError, match=r"lacks model\.pth of speaker") as caught:
        copy(mirror, root, manifest)
    assert str(mirror / "speaker" / "model.pth") in caught.value.mend
    assert str(mirror / "someone" / "speaker" / "model.pth") in caught.value.mend


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no directory") as caught:
        Mirror(tmp_path / "none", Lock())
    assert "--from" in caught.value.mend
