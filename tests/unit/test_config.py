"""The configuration: profile, file and flags, and what is said of mistakes in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from voicebot_local import config as configuration
from voicebot_local import paths
from voicebot_local.config import (
    Config,
    PersonaConfig,
    load_config,
    missing_models,
    require_stack,
    system_prompt,
)
from voicebot_local.errors import ConfigError, ModelError
from voicebot_local.providers.registry import HOSTED, LOCAL_ENGINES

LOCAL = tomllib.loads((paths.configs_dir() / "local.toml").read_text())
PROFILES = sorted(paths.configs_dir().glob("*.toml"))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As on a machine that has downloaded nothing."""
    monkeypatch.setattr(paths, "models_dir", lambda: tmp_path / "models")
    return tmp_path / "models"


def refused(file: Path | None = None, backend: str = "starter", **more: Any) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        load_config(backend, file, **more)
    return raised.value


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid_by_itself(profile: Path) -> None:
    config = load_config("auto", profile)
    assert config.backend == tomllib.loads(profile.read_text())["backend"]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_key_stands_in_its_profile_with_a_comment(profile: Path) -> None:
    """Set, or as a comment with its default; and never without a word on what it does."""
    config, text = load_config("auto", profile), profile.read_text()
    for name, section in config:
        if isinstance(section, BaseModel):
            part = text.split(f"\n[{name}]\n")[1].split("\n\n[")[0]
            for key, field in type(section).model_fields.items():
                assert re.search(rf"^(# )?{key} = ", part, re.MULTILINE), f"{name}.{key}"
                assert key == "provider" or field.description, f"{name}.{key}"
    for paragraph in text.split("\n\n"):
        assert paragraph.lstrip().startswith(("#", "[")), paragraph


def test_the_file_lies_on_the_profile_and_the_flags_on_the_file(write: Any) -> None:
    file = write("[turn]\nend_silence_s = 0.9\nbarge_in_s = 0.4\n[session]\nturns = 3\n")
    config = load_config("starter", file, [("--turns", "session.turns", 5)])
    assert (config.turn.end_silence_s, config.turn.barge_in_s) == (0.9, 0.4)
    assert config.session.turns == 5
    assert config.synthesizer == load_config("starter").synthesizer


def test_another_provider_starts_its_section_afresh(write: Any) -> None:
    config = load_config("local", write('[synthesizer]\nprovider = "espeak"\n'))
    assert config.synthesizer.provider == "espeak"
    assert config.recognizer.provider == "nemo"


def test_the_file_may_choose_the_backend_and_the_flag_overrules_it(write: Any) -> None:
    file = write('backend = "local"\n')
    assert load_config("auto", file).backend == "local"
    assert load_config("starter", file).backend == "starter"


def test_auto_takes_local_where_its_models_are(no_models: Path) -> None:
    assert load_config("auto").backend == "starter"
    small = load_config("auto", paths.configs_dir() / "local-12gb.toml")
    for path in missing_models(small):
        path.mkdir(parents=True, exist_ok=True)
    assert load_config("auto").chat == small.chat
    for path in missing_models(Config.model_validate(LOCAL)):
        (no_models / path).mkdir(parents=True, exist_ok=True)
    assert load_config("auto").backend == "local"
    assert load_config("auto").chat.model != small.chat.model


def test_keys_for_the_starter_do_not_disturb_the_choice(no_models: Path, write: Any) -> None:
    file = write("[synthesizer]\nrate_wpm = 200\n")
    assert load_config("auto", file).backend == "starter"


def test_models_count_from_the_models_directory(no_models: Path, write: Any) -> None:
    config = load_config("starter", write('[chat]\nmodel = "mine.gguf"\n'))
    assert config.chat.model == no_models / "mine.gguf"
    absolute = load_config("starter", write('[chat]\nmodel = "/models/mine.gguf"\n'))
    assert absolute.chat.model == Path("/models/mine.gguf")


def test_the_models_of_the_starter_come_with_the_package(no_models: Path) -> None:
    assert missing_models(load_config("starter")) == []


def test_a_missing_model_is_named_with_the_command_that_gets_it(no_models: Path) -> None:
    with pytest.raises(ModelError) as raised:
        require_stack(load_config("local"))
    assert str(no_models) in raised.value.message
    assert "models download nemotron-streaming llama-3.1-8b xtts-v2`" in raised.value.mend


def test_a_missing_library_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(configuration.LIBRARIES, "espeak", "no_such_package")
    config = load_config("starter")
    with pytest.raises(ModelError, match="What espeak needs is not installed") as raised:
        require_stack(config)
    assert raised.value.mend == "Install it with scripts/setup.sh starter."


@pytest.mark.parametrize(
    ("text", "message", "mend"),
    [
        (
            "[turn]\nend_silense_s = 1\n",
            "turn.end_silense_s is no key",
            "Did you mean turn.end_silence_s?",
        ),
        ("end_silence_s = 1\n", "end_silence_s is no key", "Did you mean turn.end_silence_s?"),
        ("[recogniser]\nx = 1\n", "recogniser is no key", "Did you mean recognizer?"),
        (
            '[recognizer]\nmodel = "x"\n',
            "recognizer.model is no key",
            "It is a key of nemo and assemblyai; pocketsphinx has: provider, language_model",
        ),
        ("[session]\nzzz = 1\n", "session.zzz is no key", "Allowed here: turns, offline, save."),
        ('[synthesizer]\nvoise = "x"\n', "synthesizer.voise is no key", "synthesizer.voice?"),
        ('[turn]\nend_silence_s = "long"\n', "'long'; it should be a valid number", "Silence"),
        ("[turn]\nend_silence_s = 99\n", "99; it should be less than or equal to 10", "Silence"),
        ('[synthesizer]\nprovider = "espek"\n', "provider is 'espek'", "'espeak', 'xtts'"),
        ("turn = 5\n", "turn is 5, but it is a section", "[turn]"),
        ('backend = "cloud"\n', "cloud", "--backend local"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_mend(
    write: Any, text: str, message: str, mend: str
) -> None:
    file = write(text)
    error = refused(file, "auto")
    assert message in error.message
    assert mend in error.mend
    assert str(file) in error.message


def test_a_mistake_in_toml_is_told_with_its_line(write: Any) -> None:
    error = refused(write("[turn]\nend_silence_s = 1\nbarge_in_s 2\n"))
    assert "mine.toml:3: " in error.message


def test_files_that_cannot_be_read(tmp_path: Path, write: Any) -> None:
    assert "no configuration file" in refused(tmp_path / "none.toml").message
    assert "cannot be read" in refused(tmp_path).message
    binary = tmp_path / "x.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "no text in UTF-8" in refused(binary).message


def test_backends_that_there_are_not() -> None:
    error = refused(backend="clod")
    assert "clod" in error.message
    assert "auto, starter, local, hosted" in error.message


def test_a_bad_flag_is_named_as_the_user_wrote_it() -> None:
    error = refused(flags=[("--turns", "session.turns", -1)])
    assert error.message.startswith("--turns: session.turns is -1")


def test_the_persona_may_be_words_or_a_file_beside_the_configuration(
    tmp_path: Path, write: Any
) -> None:
    (tmp_path / "pirate.txt").write_text("You are a pirate.\n")
    config = load_config("starter", write('[persona]\nfile = "pirate.txt"\ntext = "Be brief."\n'))
    assert system_prompt(config.persona) == "You are a pirate.\nBe brief."
    assert system_prompt(PersonaConfig(text="You are a parrot.")) == "You are a parrot."
    with pytest.raises(ConfigError, match=r"none\.txt cannot be read"):
        system_prompt(PersonaConfig(file=tmp_path / "none.txt"))


def test_the_configuration_is_frozen() -> None:
    config = load_config("starter")
    with pytest.raises(ValueError, match="frozen"):
        config.backend = "local"


def test_every_provider_says_which_library_it_needs() -> None:
    assert set(configuration.LIBRARIES) == set(LOCAL_ENGINES) | set(HOSTED)
