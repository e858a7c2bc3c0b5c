"""The manifest: the shipped one is sound and fits the profiles, and a bad one is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.models.places import MANIFEST, manifest, root
from voicebot_local import paths
from voicebot_local.errors import ConfigError
from voicebot_local.models.manifest import Manifest, read_manifest

__all__ = ["manifest", "root"]


@pytest.fixture
def shipped(tmp_path: Path) -> Manifest:
    return read_manifest(tmp_path)


def test_the_shipped_one_has_the_models_of_each_profile(shipped: Manifest) -> None:
    assert shipped.profiles == ("local", "local-12gb")
    for profile in shipped.profiles:
        table: dict[str, Any] = tomllib.loads((paths.configs_dir() / f"{profile}.toml").read_text())
        places = {path for model in shipped.of_profile(profile) for path in model.paths}
        for stage in ("recognizer", "chat", "synthesizer"):
            wanted = table[stage]["model"]
            assert any(path == wanted or path.startswith(f"{wanted}/") for path in places), wanted


def test_names_and_places_are_all_different(shipped: Manifest) -> None:
    names = [model.name for model in shipped.model]
    places = [path for model in shipped.model for path in model.paths]
    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)


def test_a_licence_that_asks_says_what_it_wants(shipped: Manifest) -> None:
    asking = [model for model in shipped.model if model.agree]
    assert {model.name for model in asking} == {"xtts-v2", "llama-3.1-8b", "llama-3.2-3b"}
    assert all(model.terms.strip() for model in asking)
    (voice,) = shipped.by_name(["xtts-v2"])
    assert "NON-COMMERCIAL" in voice.terms


def test_what_a_path_belongs_to(manifest: Manifest, root: Path) -> None:
    for path, name in (("thinker.gguf", "thinker"), ("speaker", "speaker")):
        found = manifest.at(root / path, root)
        assert found is not None
        assert found.name == name
    assert manifest.at(root / "mine.gguf", root) is None
    assert manifest.at(root.parent / "thinker.gguf", root) is None


def test_unknown_names_and_profiles(manifest: Manifest) -> None:
    with pytest.raises(ConfigError, match="There is no model smal") as caught:
        manifest.by_name(["smal"])
    assert caught.value.mend == "There are: thinker, speaker."
    with pytest.raises(ConfigError, match="profile 'lokal'") as caught:
        manifest.of_profile("lokal")
    assert "local" in caught.value.mend


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("no toml", "cannot be read"),
        (MANIFEST.replace('files = ["thinker.gguf"]', "files = []"), r"model\.0\.files"),
        (MANIFEST.replace("thinker.gguf", "../thinker.gguf"), "leads out"),
        (MANIFEST.replace('directory = "speaker"', 'directory = "/etc"'), "leads out"),
        (MANIFEST.replace("agree = true", "agre = true"), r"model\.1\.agre"),
        (MANIFEST.replace('"thinker"', '"Thin ker"', 1), "small letters"),
    ],
)
def test_a_manifest_that_is_wrong(root: Path, wrong: str, said: str) -> None:
    (root / "manifest.toml").write_text(wrong)
    with pytest.raises(ConfigError, match=said) as caught:
        read_manifest(root)
    assert str(root / "manifest.toml") in caught.value.message
