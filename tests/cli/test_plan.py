"""`voicebot-local plan`: what it prints and how it exits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from voicebot_local import cli, paths


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["voicebot-local", "plan", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(autouse=True)
def _nothing_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "models_dir", lambda: tmp_path / "models")


def test_a_table_and_zero_where_it_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--backend", "local", "--free-gib", "24") == 0
    said = capsys.readouterr()
    assert "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf" in said.out
    assert "everything resident" in said.out
    assert said.out.endswith("It fits in the GPU's memory as it is.\n")
    assert said.err == ""


def test_another_code_where_it_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = str(paths.configs_dir() / "local-12gb.toml")
    assert run(monkeypatch, "--config", profile, "--free-gib", "3.5") == 3
    said = capsys.readouterr()
    assert "It does not fit" in said.out
    assert said.err == ""


def test_json_in_bytes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--backend", "local", "--free-gib", "12", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["fits"] is True
    assert made["free_bytes"] == 12 * 2**30
    chat = made["engines"][1]
    assert chat["weights_bytes"] == 4_186_439_680 + 430_956_800
    parts = ("weights", "kv", "compute", "context")
    assert chat["total_bytes"] == sum(chat[f"{part}_bytes"] for part in parts)
    assert [step["decision"] for step in made["steps"]][:2] == ["not enough", "taken"]
    assert made["needed_bytes"] == sum(engine["total_bytes"] for engine in made["engines"])


def test_a_file_that_is_no_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--config", "none.toml") == 2
    assert "There is no configuration file none.toml" in capsys.readouterr().err
