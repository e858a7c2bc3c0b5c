"""`voicebot-local endpointing-eval`, as a person or a program calls it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests import labelled_speech
from tests.cli.conftest import Run

pytest.importorskip("espeakng_loader")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("labelled")
    labelled_speech.make(directory)
    return directory


@pytest.fixture
def run(program: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command without a detector: its exit code, standard output and standard error."""
    config = tmp_path / "mine.toml"
    config.write_text('[turn]\nsmart_turn = "/none.onnx"\n')
    monkeypatch.setenv("COLUMNS", "100")
    return partial(program, "endpointing-eval", "--config", config)


def test_for_people(run: Run, labelled: Path) -> None:
    code, out, err = run(labelled)
    assert (code, err) == (0, "")
    assert "silence alone" in out
    assert "words" in out
    assert "as configured" in out
    assert "fixed silence of 0.7 s" in out
    assert "6 turns, 5 pauses" in out
    assert "Smart Turn was not there" in out


def test_for_programs_words_help(run: Run, labelled: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    code, out, _ = run(labelled, "--json", "-", "--plot", picture)
    assert code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = json.loads(out)
    assert (found["turns"], found["pauses"], found["ends"]) == (6, 5, 6)
    silence, words = found["sources"]
    assert (silence["name"], words["name"]) == ("silence alone", "words")
    # The pauses are of 0.4, 0.75, 0.9, 1.1 and 1.3 s: silence alone must outwait the last.
    assert silence["budgets"]["latency_at_5_percent_s"] == 1.3
    assert silence["budgets"]["cut_offs_at_600_ms"] == 0.8
    assert words["budgets"]["cut_offs_at_600_ms"] == 0.2
    rules = found["settings"]
    assert rules["fixed silence"] == {"cut_offs": 0.8, "latency_s": 0.7}
    assert rules["as configured"]["cut_offs"] == 0.2
    assert rules["as configured"]["latency_s"] < 0.7


def test_what_cannot_be_done_is_told(run: Run, labelled: Path, tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "nothing")
    assert code == 2
    assert "There are no labelled recordings" in err
    code, _, err = run(labelled, "--json", tmp_path / "none" / "x.json")
    assert code == 2
    assert "directory does not exist" in err


def test_words_from_the_recognizer(run: Run, labelled: Path, tmp_path: Path) -> None:
    """The labels say other words than the sound does; the recognizer hears the sound."""
    for name in ("command", "question"):
        label = json.loads((labelled / f"{name}.json").read_text())
        label["words"] = [{"text": "and", "start": 0.0, "end": label["end"]}]
        (tmp_path / f"{name}.json").write_text(json.dumps(label))
        (tmp_path / f"{name}.wav").write_bytes((labelled / f"{name}.wav").read_bytes())
    slow = json.loads(run(tmp_path, "--backend", "starter", "--json", "-")[1])
    code, out, _ = run(tmp_path, "--backend", "starter", "--recognize", "--json", "-")
    assert code == 0
    quick = json.loads(out)
    assert slow["settings"]["as configured"]["latency_s"] > 1.5
    assert quick["settings"]["as configured"]["latency_s"] < 0.7
