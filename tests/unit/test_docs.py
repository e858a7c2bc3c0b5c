"""The documentation says what the program does: reference, errors, links, commands."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts.make_reference import reference
from voicebot_local.cli.app import app
from voicebot_local.paths import CHECKOUT

PAGES = sorted([CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")])
EDGES = " .,;:()"
TELLING = 7
"""A piece of so many characters is not in the program by chance."""
TROUBLES = CHECKOUT / "docs" / "troubleshooting.md"


def test_the_reference_is_up_to_date() -> None:
    """Mend: .venv/bin/python -m scripts.make_reference"""
    assert (CHECKOUT / "docs" / "configuration.md").read_text("utf-8") == reference()


@cache
def _said() -> tuple[str, ...]:
    """Every text in the program, with `\\0` for what is put into it."""
    files = [*(CHECKOUT / "voicebot_local").rglob("*.py"), *(CHECKOUT / "scripts").glob("*.py")]
    found = [text for file in files for text in _texts(ast.parse(file.read_text("utf-8")))]
    found += [(CHECKOUT / "scripts" / "setup.sh").read_text("utf-8")]
    return tuple(found)


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (each.value if isinstance(each, ast.Constant) else "\0" for each in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _quoted_errors() -> list[str]:
    """What stands in backquotes in the first column of the tables of what the program says."""
    found, inside = [], False
    for line in TROUBLES.read_text("utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
        elif line.startswith("| what it says |"):
            inside = True
        elif inside and not line.startswith("|---"):
            found += re.findall(r"`([^`]+)`", line.split("|")[1])
    return found


@pytest.mark.parametrize("error", _quoted_errors())
def test_every_quoted_error_is_one_that_the_program_says(error: str) -> None:
    """`…` stands for anything; a message may be put together from several texts of the program,
    so each of the pieces between has to stand in one, and one of them to say something."""
    pieces = [piece.strip(EDGES) for piece in error.split("…")]
    assert max(map(len, pieces)) >= TELLING, error
    for piece in filter(None, pieces):
        assert any(piece in text for text in _said()), (error, piece)


def test_there_are_errors_to_look_for() -> None:
    assert len(_quoted_errors()) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def _command_lines() -> list[tuple[str, str]]:
    """Lines of code blocks and backquoted ones that call the program."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = re.findall(r"^    (?:\.venv/bin/)?(voicebot-local .*)$", text, re.MULTILINE)
        lines += re.findall(r"`(voicebot-local [^`]+)`", text)
        found += [(page.name, line) for line in lines]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "line"), _command_lines())
def test_every_command_and_option_in_the_docs_exists(page: str, line: str) -> None:
    words = shlex.split(line.split("#")[0].split("|")[0])[1:]
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {"--help"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, (page, word)
    if words and not hasattr(command, "callback"):
        raise AssertionError(f"{page}: {line}")
    if getattr(command, "commands", None) and words and not words[0].startswith(("-", "…")):
        raise AssertionError(f"{page}: {words[0]} is no command")


def test_every_command_is_in_the_docs() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"voicebot-local {name}" in text, name
