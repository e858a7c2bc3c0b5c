"""Kept conversations: what is written, who may read it, and what a kill or a failure costs."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voicebot_local.errors import InputError
from voicebot_local.events import EventLog, SessionStarted, TurnRecorded, VoiceActivity
from voicebot_local.history import store
from voicebot_local.history.keeping import Keeping, Target
from voicebot_local.turns.conversation import PastTurn


def turn(number: int, outcome: str = "completed") -> TurnRecorded:
    heard = "The rep" if outcome == "interrupted" else "The reply."
    return TurnRecorded(number, f"question {number}", "The reply.", heard, outcome, 16_000, 24_000)  # type: ignore[arg-type]


@contextmanager
def kept(path: Path, told: list[str], old: int | None = None) -> Iterator[EventLog]:
    log = EventLog(lambda: 0.0)
    with Keeping(Target(path, old, "starter", Path("s.wav")), told.append) as keeping:
        log.add_reader(keeping)
        log.append(SessionStarted("card", 16_000, "starter"))
        yield log
    told.append(keeping.summary())


def read(path: Path, conversation: int = 1) -> list[store.KeptTurn]:
    with store.opened(path) as connection:
        return store.turns(connection, conversation)


def test_each_turn_with_what_was_heard_when_and_where(tmp_path: Path) -> None:
    path, told = tmp_path / "kept" / "c.db", list[str]()
    with kept(path, told) as log:
        log.append(turn(1))
        log.append(turn(2, "interrupted"))
    first, second = read(path)
    assert (first.number, first.user, first.heard) == (1, "question 1", "The reply.")
    assert (second.number, second.heard, second.outcome) == (2, "The rep", "interrupted")
    assert (first.speech_end_s, first.audible_from_s) == (1.0, 1.5)
    assert first.voice_to_voice_ms == 500
    assert first.recording == str(Path("s.wav").resolve())
    assert told == ["Kept as conversation 1; go on: voicebot-local run --continue 1"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "c.db"
    path.parent.mkdir(mode=0o755)
    path.touch(0o644)
    with kept(path, []) as log:
        log.append(turn(1))
        with store.opened(path) as connection:
            connection.execute("SELECT * FROM turns").fetchall()
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "c.db-wal" in modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_kept_of_a_session_without_a_turn(tmp_path: Path) -> None:
    path, told = tmp_path / "c.db", list[str]()
    with kept(path, told):
        pass
    assert told == ["Nothing was kept: there was no finished turn."]
    with store.opened(path) as connection:
        assert store.summaries(connection) == []
        with pytest.raises(InputError, match="No conversation was kept"):
            store.latest(connection)


def test_a_conversation_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with kept(path, []) as log:
        log.append(turn(1))
        log.append(turn(2, "failed"))
    with kept(path, [], old=1) as log:
        log.append(turn(1, "interrupted"))
    assert [each.number for each in read(path)] == [1, 2, 3]
    assert store.past_turns(path, 1) == (
        PastTurn("question 1", "The reply.", interrupted=False),
        PastTurn("question 1", "The rep", interrupted=True),
    )


def test_one_that_is_not_there_cannot_be_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with pytest.raises(InputError, match="There is no conversation 7") as raised, kept(path, [], 7):
        pass
    assert "history list" in raised.value.mend


def test_the_one_spoken_in_last_is_the_last(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    for _ in range(2):
        with kept(path, []) as log:
            log.append(turn(1))
    with store.opened(path) as connection:
        with connection:
            connection.execute("UPDATE turns SET at = '2020' WHERE conversation = 2")
        assert store.latest(connection) == 1
        assert [each.id for each in store.summaries(connection)] == [2, 1]


def test_what_is_deleted_is_gone_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    for _ in range(2):
        with kept(path, []) as log:
            log.append(TurnRecorded(1, "my secret", "hush", "hush", "completed", None, None))
    with store.opened(path) as connection:
        with pytest.raises(InputError):
            store.delete(connection, [1, 9])
        assert len(store.summaries(connection)) == 2
        store.delete(connection, [1, 2])
        assert store.summaries(connection) == []
    for file in tmp_path.iterdir():
        assert b"secret" not in file.read_bytes(), file


def test_a_database_that_fails_is_told_once_and_the_conversation_goes_on(tmp_path: Path) -> None:
    """And what waited is written when it works again."""
    path, told = tmp_path / "c.db", list[str]()
    with kept(path, told) as log:
        log.append(turn(1))
        _until(lambda: len(_turns_in(path)) == 1)
        aside = path.rename(tmp_path / "aside.db")
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"c.db{suffix}").unlink(missing_ok=True)
        path.mkdir()
        log.append(turn(2))
        log.append(turn(3))
        _until(lambda: log.append(VoiceActivity(512, 0.0, -60.0)) is not None and bool(told))
        path.rmdir()
        aside.rename(path)
        log.append(turn(4))
    assert [each.user for each in read(path)] == [f"question {n}" for n in (1, 2, 3, 4)]
    assert len(told) == 2
    assert told[0].startswith(f"! The kept conversations in {path} cannot be used: ")
    assert told[0].endswith("The conversation goes on.")


def test_a_damaged_database_is_told_before_the_session(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(InputError, match="not a database") as raised, kept(path, []):
        pass
    assert "move the file away" in raised.value.mend
    path.unlink()
    with store.opened(path, make=True) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="later version"), kept(path, []):
        pass


def test_a_write_never_waits_in_the_session(tmp_path: Path) -> None:
    """Another program holds the database: the reader returns, the turn is written afterwards."""
    path = tmp_path / "c.db"
    with kept(path, []) as log:
        log.append(turn(1))
        _until(lambda: len(_turns_in(path)) == 1)
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")
        log.append(turn(2))
        assert threading.current_thread() is threading.main_thread()
        assert len(other.execute("SELECT * FROM turns").fetchall()) == 1
        other.rollback()
        other.close()
    assert len(read(path)) == 2


def test_two_sessions_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with kept(path, []) as one, kept(path, []) as other:
        for number in range(1, 11):
            one.append(turn(number))
            other.append(turn(number))
    assert [len(read(path, number)) for number in (1, 2)] == [10, 10]


KILLED = """
import sys
from pathlib import Path
from tests.history.test_keeping import kept, turn

with kept(Path(sys.argv[1]), []) as log:
    number = 0
    while True:
        number += 1
        log.append(turn(number))
        print(number, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("turns", [2, 3, 5])
def test_a_kill_loses_at_most_the_turn_in_progress(tmp_path: Path, turns: int) -> None:
    path = tmp_path / "c.db"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for number in range(1, turns + 1):
            assert program.stdout.readline() == f"{number}\n"
            if number < turns:
                _until(lambda wanted=number: len(_turns_in(path)) == wanted)  # type: ignore[misc]
                program.stdin.write("\n")
                program.stdin.flush()
        # The last turn has just ended: it may be on the disk or not, and never half.
        os.kill(program.pid, signal.SIGKILL)
    found = read(path)
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert len(found) in (turns - 1, turns)
    with store.opened(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with kept(path, [], old=1) as log:
        log.append(turn(1))
    assert len(read(path)) == len(found) + 1


def _turns_in(path: Path) -> list[object]:
    if not path.is_file():
        return []
    with store.opened(path) as connection:
        return connection.execute("SELECT number FROM turns").fetchall()


def _until(done: object) -> None:
    """Wait for a thread or a process; the test's own time limit ends it where it never comes."""
    pause = threading.Event()
    while not done():  # type: ignore[operator]
        pause.wait(0.01)
