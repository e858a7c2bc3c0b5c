"""The database of kept conversations: one SQLite file that only its owner can read."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from voicebot_local import paths
from voicebot_local.errors import InputError
from voicebot_local.events import Outcome
from voicebot_local.turns.conversation import PastTurn

FORM = 1
"""Of the tables; kept in the file as `user_version`."""
BUSY_S = 5.0
"""How long a write waits for another program that writes."""
LIST = "`voicebot-local history list` shows what there is."
_TABLES = """
CREATE TABLE IF NOT EXISTS conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    began TEXT NOT NULL,
    backend TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS turns (
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    user TEXT NOT NULL,
    assistant TEXT NOT NULL,
    heard TEXT NOT NULL,
    outcome TEXT NOT NULL,
    voice_to_voice_ms REAL,
    stages_ms TEXT NOT NULL,
    recording TEXT,
    speech_end_s REAL,
    audible_from_s REAL,
    PRIMARY KEY (conversation, number)
) STRICT;
"""
_COLUMNS = (
    "number, at, user, assistant, heard, outcome, voice_to_voice_ms, stages_ms, "
    "recording, speech_end_s, audible_from_s"
)


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it is kept. `at` is its end, in ISO 8601 with the zone; `number` counts from 1.

    `speech_end_s` and `audible_from_s` are seconds in the file `recording`, if there is one: where
    the user's speech ended and where the reply was first audible.
    """

    number: int
    at: str
    user: str
    assistant: str
    heard: str
    outcome: Outcome
    voice_to_voice_ms: float | None = None
    stages_ms: dict[str, float | None] = field(default_factory=dict)
    recording: str | None = None
    speech_end_s: float | None = None
    audible_from_s: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation as a list shows it. `began` and `last` are in ISO 8601."""

    id: int
    began: str
    last: str
    backend: str
    turns: int
    first_words: str


def database_path() -> Path:
    """Where conversations are kept; it may not exist."""
    return paths.data_dir() / "conversations" / "conversations.db"


@contextmanager
def opened(path: Path, *, make: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection for the block; `make` creates the file, readable by its owner only.

    Raises InputError where it is missing, no database, or of a later version of the program, and
    where the block meets a database that fails.
    """
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
        elif not path.is_file():
            raise InputError(
                f"No conversation was kept yet: there is no {path}.",
                "Keep one with `voicebot-local run --save`.",
            )
        # SQLite gives its -wal and -shm files the mode of the database.
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            _prepare(connection, path)
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise failed(path, error) from error


def failed(path: Path, error: Exception) -> InputError:
    """What a person is told where the database fails."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return InputError(
        f"The kept conversations in {path} cannot be used: {reason}.",
        "Make room on the disk, or move the file away to begin a new one.",
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form > FORM:
        raise InputError(
            f"{path} was written by a later version of voicebot-local.", "Use that version."
        )
    # A write is in the log before it is in the tables, so a kill at any moment leaves it whole.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    if form == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {FORM}; COMMIT;"
        )


def begin(connection: sqlite3.Connection, began: str, backend: str) -> int:
    """A new conversation; its number. The caller commits."""
    found = connection.execute(
        "INSERT INTO conversations (began, backend) VALUES (?, ?)", (began, backend)
    )
    assert found.lastrowid is not None
    return found.lastrowid


def add(connection: sqlite3.Connection, conversation: int, turn: KeptTurn) -> None:
    """A turn of a conversation; it gets the next number. The caller commits."""
    connection.execute(
        f"INSERT INTO turns (conversation, {_COLUMNS}) VALUES (?, (SELECT 1 + coalesce(max(number),"  # noqa: S608
        " 0) FROM turns WHERE conversation = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            conversation,
            conversation,
            turn.at,
            turn.user,
            turn.assistant,
            turn.heard,
            turn.outcome,
            turn.voice_to_voice_ms,
            json.dumps(turn.stages_ms),
            turn.recording,
            turn.speech_end_s,
            turn.audible_from_s,
        ),
    )


def summaries(connection: sqlite3.Connection) -> list[Summary]:
    """All conversations, the one that was spoken in last at the end."""
    rows = connection.execute(
        "SELECT c.id, c.began, max(t.at), c.backend, count(*), "
        "(SELECT user FROM turns WHERE conversation = c.id ORDER BY number LIMIT 1) "
        "FROM conversations c JOIN turns t ON t.conversation = c.id "
        "GROUP BY c.id ORDER BY max(t.at), c.id"
    )
    return [Summary(*row) for row in rows]


def turns(connection: sqlite3.Connection, conversation: int) -> list[KeptTurn]:
    """The turns of a conversation. Raises InputError where there is none of that number."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM turns WHERE conversation = ? ORDER BY number",  # noqa: S608
        (conversation,),
    ).fetchall()
    if not rows:
        raise InputError(f"There is no conversation {conversation}.", LIST)
    return [
        KeptTurn(
            number=row[0],
            at=row[1],
            user=row[2],
            assistant=row[3],
            heard=row[4],
            outcome=row[5],
            voice_to_voice_ms=row[6],
            stages_ms=json.loads(row[7]),
            recording=row[8],
            speech_end_s=row[9],
            audible_from_s=row[10],
        )
        for row in rows
    ]


def past_turns(path: Path, conversation: int) -> tuple[PastTurn, ...]:
    """A conversation as it is taken up again: failed turns are left out, as while it went on."""
    with opened(path) as connection:
        found = turns(connection, conversation)
    return tuple(
        PastTurn(turn.user, turn.heard, turn.outcome == "interrupted")
        for turn in found
        if turn.outcome != "failed"
    )


def latest(connection: sqlite3.Connection) -> int:
    """The conversation that was spoken in last. Raises InputError where there is none."""
    found = summaries(connection)
    if not found:
        raise InputError(
            "No conversation was kept yet.", "Keep one with `voicebot-local run --save`."
        )
    return found[-1].id


def delete(connection: sqlite3.Connection, conversations: Sequence[int]) -> None:
    """Delete conversations so that nothing of them stays in the file.

    Raises InputError, with nothing deleted, where one is not there. Recordings are files of the
    user's own and stay.
    """
    for conversation in conversations:
        turns(connection, conversation)
    with connection:
        connection.executemany(
            "DELETE FROM conversations WHERE id = ?", [(one,) for one in conversations]
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
