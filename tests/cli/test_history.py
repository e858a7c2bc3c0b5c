"""`run --save`, `run --continue` and `history`, as a person meets them."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.program import ENVIRONMENT, called, inputs, question, watched
from voicebot_local.events import PlayoutStarted
from voicebot_local.history import store

TALK = ("run", "--backend", "starter", "--text", "--pace", "fast")


@pytest.fixture(autouse=True)
def _a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setitem(ENVIRONMENT, "XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


def test_a_conversation_is_kept_shown_taken_up_and_deleted(program: Run, tmp_path: Path) -> None:
    done = called(*TALK, "--save", typed="hello\nwhat is the capital of france\n")
    assert done.returncode == 0, done.stderr
    assert "Kept as conversation 1; go on: voicebot-local run --continue 1" in done.stdout
    assert store.database_path() == tmp_path / "voicebot-local/conversations/conversations.db"

    done = called(*TALK, "--continue", typed="and italy\n")
    assert "Bot: The capital of Italy is Rome." in done.stdout, done.stderr

    history = partial(program, "history")
    (listed,) = json.loads(history("list", "--json")[1])
    assert (listed["id"], listed["turns"], listed["first_words"]) == (1, 3, "hello")
    shown = history("show")[1]
    assert "You: and italy\nBot: The capital of Italy is Rome.\n" in shown
    assert "  1  " in history("list")[1].replace("\n", "  ")

    exported = json.loads(history("export", "1")[1])
    assert [turn["user"] for turn in exported["turns"]][2] == "and italy"
    assert exported["turns"][1]["stages_ms"]["llm_first_token"] > 0
    out = tmp_path / "talk.md"
    assert history("export", "--format", "markdown", "--out", out)[0] == 0
    assert "**Bot:** The capital of Italy is Rome." in out.read_text()

    assert called("history", "delete", "1", typed="n\n").returncode == 1
    assert called("history", "delete", "1", typed="y\n").returncode == 0
    assert "No conversation was kept yet" in history("list")[1]


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    done = called(*TALK, typed="hello\n")
    assert (done.returncode, "Kept" in done.stdout) == (0, False)
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_can_ask_for_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[session]\nsave = true\n")
    assert "Kept as conversation 1" in called(*TALK, "--config", file, typed="hello\n").stdout
    done = called(*TALK, "--config", file, "--no-save", typed="hello\n")
    assert (done.returncode, "Kept" in done.stdout) == (0, False)


def test_a_killed_conversation_keeps_its_finished_turns(tmp_path: Path) -> None:
    """`kill -9` in the middle of the third turn, of the whole program."""
    file, words = question()
    arguments = ("--backend", "starter", "--pace", "fast", "--save", *inputs(file, file, file))
    with watched(tmp_path / "e.jsonl", *arguments) as run:
        run.wait_for(PlayoutStarted, 3)
        os.kill(run.program.pid, signal.SIGKILL)
        run.program.wait()
    with store.opened(store.database_path()) as connection:
        found = store.turns(connection, 1)
    assert [turn.user for turn in found] == [words, words]
    assert all("Paris" in turn.heard for turn in found)


REFUSED = [
    (("history", "show"), "No conversation was kept yet"),
    (("history", "show", "7"), "No conversation was kept yet"),
    (("history", "export", "x"), "'x' is no number"),
    (("history", "delete"), "Say which conversations to delete"),
    (("history", "delete", "--all", "1"), "Say which conversations to delete"),
    ((*TALK, "--continue"), "No conversation was kept yet"),
    ((*TALK, "--continue", "3"), "No conversation was kept yet"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=lambda value: " ".join(value)[-40:])
def test_what_cannot_work_is_told(program: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = program(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 2, "there is no mend"
