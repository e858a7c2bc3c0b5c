"""`config show|check|path|init`, and a configuration of one's own, as a person meets them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from voicebot_local import paths
from voicebot_local.config import BACKENDS, load, load_config
from voicebot_local.errors import ConfigError
from voicebot_local.turns.settings import TurnSettings


@pytest.fixture
def run(tmp_path: Path, program: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program in an empty directory, as a user without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(paths, "models_dir", lambda: tmp_path / "models")
    return program


def own(text: str) -> Path:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_shown_is_toml_that_gives_the_same_again(
    run: Run, tmp_path: Path, backend: str
) -> None:
    code, out, err = run("config", "show", "--backend", backend)
    assert (code, err) == (0, "")
    file = tmp_path / "again.toml"
    file.write_text(out)
    assert load_config("auto", file) == load_config(backend)


def test_each_value_with_the_place_it_comes_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own('backend = "starter"\n\n[turn]\nbarge_in_s = 0.5\npreroll_s = 1\n[persona]\ntext = "Hi"\n')
    monkeypatch.setenv("VOICEBOT_TURN_PREROLL_S", "0.75")
    monkeypatch.setenv("VOICEBOT_PERSONA_TEXT", "Be brief.")
    code, out, _ = run("config", "show", "--json")
    found = json.loads(out)
    place = tmp_path / "xdg/voicebot-local/config.toml"
    assert (code, found["turn.barge_in_s"]) == (0, {"value": 0.5, "from": f"{place}:4"})
    assert found["turn.preroll_s"] == {
        "value": 0.75,
        "from": "environment variable VOICEBOT_TURN_PREROLL_S",
    }
    assert found["persona.text"]["value"] == "Be brief."
    assert found["backend"] == {"value": "starter", "from": f"{place}:1"}
    assert found["persona.file"] == {"value": None, "from": "default"}
    profile, line = found["synthesizer.rate_wpm"]["from"].rsplit(":", 1)
    assert Path(profile).read_text().splitlines()[int(line) - 1].startswith("rate_wpm = ")
    assert "barge_in_s = 0.5" in run("config", "show")[1]


def test_a_flag_is_a_place_too() -> None:
    loaded = load("starter", None, [("--turns", "session.turns", 3)])
    assert (loaded.config.session.turns, loaded.origins["session.turns"]) == (3, "--turns")
    assert loaded.origins["backend"] == "--backend"


def test_a_value_of_another_provider_leaves_no_trace(run: Run) -> None:
    own('backend = "starter"\n[synthesizer]\nprovider = "xtts"\nmodel = "x"\nvoice = "y"\n')
    found = json.loads(run("config", "show", "--json")[1])
    assert found["synthesizer.temperature"]["from"] == "default"


def test_a_file_named_on_the_command_line_takes_the_place_of_ones_own(
    run: Run, tmp_path: Path
) -> None:
    own("[turn]\nbarge_in_s = 0.5\n")
    (tmp_path / "mine.toml").write_text("[turn]\npreroll_s = 1\n")
    found = json.loads(run("config", "show", "--json", "--config", "mine.toml")[1])
    assert found["turn.barge_in_s"]["value"] == TurnSettings().barge_in_s
    assert found["turn.preroll_s"] == {"value": 1.0, "from": "mine.toml:2"}


def test_ones_own_stages_are_for_the_backend_that_they_name(run: Run) -> None:
    own('backend = "starter"\n[synthesizer]\nrate_wpm = 200\n[turn]\nbarge_in_s = 0.5\n')
    assert load_config("starter").synthesizer.rate_wpm == 200  # type: ignore[union-attr]
    hosted = load_config("hosted")
    assert (hosted.backend, hosted.turn.barge_in_s) == ("hosted", 0.5)


def test_everything_that_is_wrong_is_told_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('backend = "starter"\n[turn]\nend_silense_s = 1\nbarge_in_s = 99\n')
    code, out, _ = run("config", "check", "mine.toml")
    assert code == 2
    assert out.splitlines() == [
        "✗ mine.toml:3: turn.end_silense_s is no key of this configuration.",
        "  Did you mean turn.end_silence_s?",
        "✗ mine.toml:4: turn.barge_in_s is 99; it should be less than or equal to 5.",
        f"  {TurnSettings.model_fields['barge_in_s'].description}",
    ]
    code, out, _ = run("config", "check", "mine.toml", "--json")
    assert (code, len(json.loads(out)["problems"])) == (2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[turn\n", "mine.toml:1: this is no TOML"),
        ('backend = "cloud"\n', "mine.toml:1: 'cloud' is unknown"),
        ("version = 2\n", "mine.toml is of version 2, and this program knows up to 1."),
        ("version = 'x'\n", "version is 'x', which no configuration has"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(run: Run, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    code, out, _ = run("config", "check", "mine.toml")
    assert code == 2
    assert words in out
    assert len(out.splitlines()) == 2, "there is no mend"


def test_a_wrong_variable_is_told_by_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT_TURN_END_SILENSE_S", "1")
    code, out, _ = run("config", "check")
    assert code == 2
    assert "environment variable VOICEBOT_TURN_END_SILENSE_S: turn.end_silense_s is no key" in out
    assert "Did you mean turn.end_silence_s?" in out


def test_what_is_lacking_is_told_of_a_right_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    code, out, _ = run("config", "check", "--backend", "hosted")
    assert code == 0
    assert "! OPENAI_API_KEY is not set." in out
    code, out, _ = run("config", "check", "--backend", "local")
    assert code == 0
    assert "! There is no model" in out


def test_a_key_of_a_service_is_never_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for command in (["show"], ["show", "--json"], ["check"]):
        _, out, err = run("config", *command, "--backend", "hosted")
        assert "sk-secret" not in out + err
    assert (
        "# OPENAI_API_KEY is set in the environment"
        in run("config", "show", "--backend", "hosted")[1]
    )


@pytest.mark.parametrize("backend", [None, "starter", "hosted"])
def test_a_begun_file_changes_nothing_and_every_line_can_be_taken(
    run: Run, tmp_path: Path, backend: str | None
) -> None:
    chosen = ["--backend", backend] if backend else []
    code, out, _ = run("config", "init", *chosen)
    file = paths.config_file()
    assert (code, str(file) in out) == (0, True)
    assert load_config() == load_config(backend or "starter", Path("/dev/null"))
    assert run("config", "check")[0] == 0
    text = file.read_text()
    assert tomllib.loads(text)["version"] == 1
    file.write_text("\n".join(_taken(text.splitlines())))
    code, out, _ = run("config", "check")
    assert (code, "✗" in out) == (0, False)
    assert tomllib.loads(file.read_text())["turn"]["barge_in_s"] == TurnSettings().barge_in_s
    code, _, err = run("config", "init", *chosen)
    assert (code, "is there already" in err) == (2, True)
    assert run("config", "init", "--force", *chosen)[0] == 0


def _taken(lines: list[str]) -> Iterator[str]:
    """The file with the # taken from every value."""
    inside = False
    for line in lines:
        value = re.match(r"# [a-z_0-9]+ = ", line) is not None
        yield line.removeprefix("#").removeprefix(" ") if value or inside else line
        inside = inside != ((value or inside) and line.count('"""') == 1)


def test_paths(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("config", "path")
    assert code == 0
    assert f"{tmp_path}/xdg/voicebot-local/config.toml  (not there yet)" in out
    found = json.loads(run("config", "path", "--json")[1])
    assert found["profiles"] == str(paths.configs_dir())


def test_an_old_key_is_taken_under_its_new_name_and_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voicebot_local import config_layers

    monkeypatch.setattr(config_layers, "RENAMED", {"turn.patience_s": "turn.end_silence_s"})
    monkeypatch.setattr(config_layers, "REMOVED", {"turn.magic": "Leave it out."})
    file = tmp_path / "mine.toml"
    file.write_text("[turn]\npatience_s = 1.5\n")
    loaded = load("starter", file)
    assert loaded.config.turn.end_silence_s == 1.5
    assert loaded.notes == (
        f"{file}:2: turn.patience_s is called turn.end_silence_s now; it is taken as that.",
    )
    assert "is called turn.end_silence_s now" in run("config", "check", str(file))[1]
    file.write_text("[turn]\nmagic = true\n")
    with pytest.raises(ConfigError, match=r"turn\.magic is gone") as raised:
        load("starter", file)
    assert (raised.value.mend, f"{file}:2: " in raised.value.message) == ("Leave it out.", True)
