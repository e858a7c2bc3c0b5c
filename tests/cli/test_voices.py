"""`voices` as a person meets it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run
from voicebot_local.cards import example_recordings


def test_voices_are_listed_heard_added_and_removed(
    program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    run = partial(program, "voices")
    starter = ("--backend", "starter")
    sample = tmp_path / "sample.wav"
    code, _, err = run("play", "en-gb", *starter, "--out", sample)
    assert code == 0, err
    assert soundfile.info(sample).duration > 3
    code, out, err = run("add", "british", sample)
    assert code == 0, err
    assert "is kept in" in out
    found = json.loads(run("list", *starter, "--json")[1])
    assert (found["provider"], found["voice"]) == ("espeak", "en-us")
    assert [each["name"] for each in found["own"]] == ["british"]
    assert "en-gb" in found["voices"]
    assert "Your own, for XTTS: british" in run("list", *starter)[1]
    telephone = next(path for path in example_recordings() if "telephone" in path.name)
    code, _, err = run("add", "telephone", telephone)
    assert (code, "as a telephone has" in err) == (2, True)
    assert run("remove", "british")[0] == 0
    code, _, err = run("remove", "british")
    assert (code, "You have no voice 'british'" in err) == (2, True)
