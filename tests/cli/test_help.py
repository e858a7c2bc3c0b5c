"""What a person reads first: `--help` of everything, `--version`, completion, and slips."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from tests.cli.conftest import Run
from voicebot_local import __version__
from voicebot_local.cli.app import COMMANDS, app


@pytest.fixture
def run(program: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return program


def _paths(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    return [path] + [found for name in inner for found in _paths(inner[name], (*path, name))]


PATHS = _paths(typer.main.get_command(app))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "all")
def test_every_command_says_what_it_does(run: Run, path: tuple[str, ...]) -> None:
    code, out, err = run(*path, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: voicebot-local {' '.join(path)}".rstrip())
    words = out.splitlines()[2].strip()
    assert words.endswith((".", ",")) or len(words) > 40, words
    assert max(map(len, out.splitlines())) <= 80, path


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "all")
def test_every_option_is_described(path: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    for parameter in command.params:
        if parameter.opts[0].startswith("-"):
            assert parameter.help, parameter.opts


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "all")
def test_no_line_of_a_list_of_commands_is_cut(run: Run, path: tuple[str, ...]) -> None:
    _, out, _ = run(*path, "--help")
    _, _, listed = out.partition("\nCommands:\n")
    assert not [line for line in listed.splitlines() if line.endswith("...")]


def test_all_commands_are_listed_under_headings(run: Run) -> None:
    _, out, _ = run("--help")
    for command in COMMANDS:
        assert f"\n{command.group}:\n" in out
        assert f"\n  {command.name} " in out
    assert "\nExamples:\n" in out


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"voicebot-local {__version__}\n", "")


def test_a_slip_is_told_with_the_nearest_command(run: Run) -> None:
    code, out, err = run("rnu")
    assert (code, out) == (2, "")
    assert "Did you mean 'run'?" in err


@pytest.mark.parametrize("command", [each.name for each in COMMANDS])
def test_an_unknown_option_is_told_without_a_trace(run: Run, command: str) -> None:
    code, _, err = run(command, "--nonsense")
    assert code == 2
    assert "Traceback" not in err
    assert "voicebot-local" in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(
    run: Run, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    for name, value in {
        "_VOICEBOT_LOCAL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "voicebot-local ru",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "voicebot-local ru",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }.items():
        monkeypatch.setenv(name, value)
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "run" in out
    assert "plan" not in out


def test_help_loads_no_engine_and_no_session() -> None:
    """It is what a new user waits for first."""
    code = (
        "import sys, runpy; sys.argv = ['voicebot-local', '--help']\n"
        "from voicebot_local.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = ('numpy', 'pydantic', 'torch', 'rich')\n"
        "print(*[name for name in sys.modules if name.split('.')[0] in slow])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
