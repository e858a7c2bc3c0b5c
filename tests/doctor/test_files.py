"""Models and disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.places import WEIGHTS, Told, manifest, root
from voicebot_local.config import Config, load_config
from voicebot_local.doctor.files import check_disk, check_models
from voicebot_local.models.download import download, look_up
from voicebot_local.models.lock import Lock
from voicebot_local.models.manifest import Manifest
from voicebot_local.models.mirror import Mirror

__all__ = ["manifest", "root"]


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Config:
    """The starter with another chat model, which is not here yet."""
    file = tmp_path / "mine.toml"
    file.write_text('[chat]\nmodel = "thinker.gguf"\n')
    return load_config("starter", file)


@pytest.fixture
def here(root: Path, manifest: Manifest, tmp_path: Path) -> Path:
    """The directory of the models with that model in it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "thinker.gguf").write_bytes(WEIGHTS)
    source = Mirror(tmp_path / "disk", Lock())
    found = look_up(manifest.by_name(["thinker"]), source, root)
    download(found.files, source, root, Told())
    return root


def test_a_missing_model(config: Config, root: Path, manifest: Manifest) -> None:
    found = check_models(config, root, manifest)
    assert (found.status, found.summary) == ("red", "missing: thinker.gguf")
    assert found.mend.endswith("models download thinker")


def test_whole(config: Config, here: Path, manifest: Manifest) -> None:
    found = check_models(config, here, manifest)
    assert (found.status, found.summary) == ("green", "all here, 1 checksums right")


def test_cut_short(config: Config, here: Path, manifest: Manifest) -> None:
    (here / "thinker.gguf").write_bytes(WEIGHTS[:-1])
    found = check_models(config, here, manifest)
    assert (found.status, "models download --again thinker" in found.mend) == ("red", True)


def test_one_bit(config: Config, here: Path, manifest: Manifest) -> None:
    (here / "thinker.gguf").write_bytes(WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1]))
    found = check_models(config, here, manifest)
    assert (found.status, found.summary) == ("red", "damaged: thinker.gguf")
    assert found.mend.endswith("models download --again thinker")


def test_large_files_are_judged_by_their_size(
    config: Config, here: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebot_local.doctor.files.READ_AT_MOST", 1000)
    found = check_models(config, here, manifest)
    assert (found.status, "models verify" in found.summary) == ("green", True)


def test_what_came_with_the_program_and_what_is_the_users_own(
    config: Config, root: Path, manifest: Manifest
) -> None:
    starter = check_models(load_config("starter"), root, manifest)
    assert (starter.status, "came with the program" in starter.summary) == ("green", True)
    (root / "thinker.gguf").write_bytes(b"my own")
    own = check_models(config, root, manifest)
    assert (own.status, "no checksums are recorded" in own.summary) == ("green", True)


def test_hosted_needs_none(root: Path, manifest: Manifest) -> None:
    assert check_models(load_config("hosted"), root, manifest).status == "green"


@pytest.mark.parametrize(("free", "status"), [(50e9, "green"), (4e9, "yellow"), (0.5e9, "red")])
def test_disk(tmp_path: Path, free: float, status: str) -> None:
    found = check_disk(tmp_path / "not" / "there", lambda _: int(free))
    assert found.status == status
    assert bool(found.mend) == (status != "green")
