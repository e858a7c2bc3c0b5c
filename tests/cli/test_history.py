"""`run --save`, `run --continue` and `history`, as a person meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import ENVIRONMENT, inputs, question, watched
from voicebot_local import cli
from voicebot_local.events import PlayoutStarted
from voicebot_local.history import store

Run = Callable[..., subprocess.CompletedProcess[str]]
TALK = ("run", "--backend", "starter", "--text", "--pace", "fast")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program with a data directory of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "voicebot_local.cli", *map(str, arguments)],
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_conversation_is_kept_shown_taken_up_and_deleted(run: Run, tmp_path: Path) -> None:
    done = run(*TALK, "--save", typed="hello\nwhat is the capital of france\n")
    assert done.returncode == 0, done.stderr
    assert "Kept as conversation 1; go on: voicebot-local run --continue 1" in done.stdout
    assert store.database_path() == tmp_path / "voicebot-local/conversations/conversations.db"

    done = run(*TALK, "--continue", typed="and italy\n")
    assert "Bot: The capital of Italy is Rome." in done.stdout, done.stderr

    (listed,) = json.loads(run("history", "list", "--json").stdout)
    assert (listed["id"], listed["turns"], listed["first_words"]) == (1, 3, "hello")
    shown = run("history", "show").stdout
    assert "You: and italy\nBot: The capital of Italy is Rome.\n" in shown
    assert "  1  " in run("history", "list").stdout.replace("\n", "  ")

    exported = json.loads(run("history", "export", "1").stdout)
    assert [turn["user"] for turn in exported["turns"]][2] == "and italy"
    assert exported["turns"][1]["stages_ms"]["llm_first_token"] > 0
    out = tmp_path / "talk.md"
    assert run("history", "export", "--format", "markdown", "--out", out).returncode == 0
    assert "**Bot:** The capital of Italy is Rome." in out.read_text()

    assert run("history", "delete", "1", typed="n\n").returncode == 1
    assert run("history", "delete", "1", typed="y\n").returncode == 0
    assert "No conversation was kept yet" in run("history", "list").stdout


def test_nothing_is_kept_unless_asked_for(run: Run, tmp_path: Path) -> None:
    done = run(*TALK, typed="hello\n")
    assert (done.returncode, "Kept" in done.stdout) == (0, False)
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_can_ask_for_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[session]\nsave = true\n")
    assert "Kept as conversation 1" in run(*TALK, "--config", file, typed="hello\n").stdout
    done = run(*TALK, "--config", file, "--no-save", typed="hello\n")
    assert (done.returncode, "Kept" in done.stdout) == (0, False)


@pytest.mark.usefixtures("run")
def test_a_killed_conversation_keeps_its_finished_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kill -9` in the middle of the third turn, of the whole program."""
    monkeypatch.setitem(ENVIRONMENT, "XDG_DATA_HOME", str(tmp_path))
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
@pytest.mark.usefixtures("run")
def test_what_cannot_work_is_told(
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["voicebot-local", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert words in said.err
    assert len(said.err.splitlines()) == 2, "there is no mend"
