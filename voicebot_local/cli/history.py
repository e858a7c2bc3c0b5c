"""`voicebot-local history`: the conversations that were kept with `run --save`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot_local.cli.lazy import LAST, OneCommand, plain_app
from voicebot_local.cli.options import AsJson, say
from voicebot_local.cli.wording import BOT, YOU
from voicebot_local.errors import InputError
from voicebot_local.history import store
from voicebot_local.history.store import KeptTurn, database_path, opened

T = TypeVar("T")
Number = Annotated[
    str, typer.Argument(metavar="[ID]", help="Its number, as `list` shows it; else the last one.")
]
WRITE = "Name a file in a directory that exists and that you may write to."

history = plain_app(help="List, show, export and delete conversations you kept.")


def kept_conversation(name: str) -> int:
    """The number of the conversation that is meant: a number, or LAST. Raises InputError."""
    if name == LAST:
        return _read(store.latest)
    if not name.isdecimal():
        raise InputError(f"{name!r} is no number of a conversation.", store.LIST)
    return int(name)


def _read(wanted: Callable[[sqlite3.Connection], T]) -> T:
    with opened(database_path()) as connection:
        return wanted(connection)


@history.command("list", cls=OneCommand)
def list_(as_json: AsJson = False) -> None:
    """List the conversations that were kept, the newest last."""
    path = database_path()
    found = _read(store.summaries) if path.is_file() else []
    if as_json:
        print(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=1))
    elif found:
        table = Table(pad_edge=False, box=None, header_style="bold")
        for heading in ("id", "last", "turns", "backend"):
            table.add_column(heading, no_wrap=True, justify="right" if heading == "id" else "left")
        table.add_column("begins with", no_wrap=True, overflow="ellipsis")
        for each in found:
            words = Text(each.first_words)
            table.add_row(str(each.id), _when(each.last), str(each.turns), each.backend, words)
        Console().print(table)
    else:
        print("No conversation was kept yet. Keep one with `voicebot-local run --save`.")


@history.command(cls=OneCommand)
def show(number: Number = LAST) -> None:
    """Show what was said, and what of each reply was heard."""
    conversation = kept_conversation(number)
    print(_as_text(_read(lambda connection: store.turns(connection, conversation))), end="")


@history.command(cls=OneCommand)
def export(
    number: Number = LAST,
    form: Annotated[
        Literal["json", "markdown", "text"], typer.Option("--format", help="The form of it.")
    ] = "json",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it here; else to stdout.")
    ] = None,
) -> None:
    """Export a conversation with all that is known of it."""
    conversation = kept_conversation(number)
    turns = _read(lambda connection: store.turns(connection, conversation))
    if form == "json":
        found = {"conversation": conversation, "turns": [asdict(turn) for turn in turns]}
        text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    else:
        text = _as_markdown(turns) if form == "markdown" else _as_text(turns)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.", WRITE) from error
    say(f"Conversation {conversation} is in {out}.")


@history.command(cls=OneCommand)
def delete(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Their numbers.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all of them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete conversations for good.

    Nothing of them stays in the database. Recordings (`--record`) are files of your own, and stay.
    """
    if bool(numbers) == everything:
        raise InputError("Say which conversations to delete: numbers, or --all.", store.LIST)
    if everything:
        chosen = [each.id for each in _read(store.summaries)]
    else:
        chosen = [kept_conversation(number) for number in numbers or ()]
        _read(lambda connection: [store.turns(connection, number) for number in chosen])
    what = f"{len(chosen)} conversation{'s' * (len(chosen) != 1)}"
    if not yes and not typer.confirm(f"Delete {what} for good?", default=False):
        raise typer.Exit(1)
    _read(lambda connection: store.delete(connection, chosen))
    print(f"{what} deleted.")


def _when(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M")


def _as_text(turns: list[KeptTurn]) -> str:
    lines = []
    for turn in turns:
        lines.append(f"{turn.number}  {_when(turn.at)}")
        lines.append(f"{YOU}: {turn.user}")
        lines.append(f"{BOT}: {_reply(turn)}")
    return "\n".join(lines) + "\n"


def _as_markdown(turns: list[KeptTurn]) -> str:
    parts = [f"**{YOU}:** {turn.user}\n\n**{BOT}:** {_reply(turn)}\n" for turn in turns]
    return f"# Conversation of {_when(turns[0].at)}\n\n" + "\n".join(parts)


def _reply(turn: KeptTurn) -> str:
    if turn.outcome == "completed":
        return turn.assistant
    return f"{turn.heard or '…'} ({turn.outcome})"
