"""`--save`: a reader of the event log that keeps each finished turn, without ever waiting."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from voicebot_local.errors import InputError
from voicebot_local.events import Entry, SessionStarted, TurnRecorded
from voicebot_local.history import store
from voicebot_local.metrics import TurnReport, TurnReports

LAST_WRITE_S = 20.0
"""How long the end of a session waits for turns that are not written yet."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where turns go: the database, an old conversation or (None) a new one, and what is known of
    the session."""

    path: Path
    conversation: int | None
    backend: str
    recording: Path | None


class Keeping:
    """Keeps the turns of the session while it is entered; a thread of its own writes them.

    Each turn is on the disk moments after its end, and a kill loses no more than the turn that is
    going on. A database that fails later is told once through `tell`, in the session's task; its
    turns wait, and are written with the next one. Raises InputError where it cannot be opened.
    """

    def __init__(self, target: Target, tell: Callable[[str], None]) -> None:
        self._target = target
        self._tell = tell
        self._began = _now()
        self._conversation = target.conversation
        self._reports = TurnReports(self._take)
        self._rate = 1
        self._recorded: TurnRecorded | None = None
        self._queue: queue.SimpleQueue[store.KeptTurn | None] = queue.SimpleQueue()
        self._failure = ""
        self._told = False
        with store.opened(target.path, make=True) as connection:
            if target.conversation is not None:
                store.turns(connection, target.conversation)
        self._thread = threading.Thread(target=self._write_all, name="history", daemon=True)

    @property
    def conversation(self) -> int | None:
        """The number of the conversation; None while none of its turns is written."""
        return self._conversation

    def summary(self) -> str:
        """Where the conversation is, for the end of the session."""
        if self._conversation is None:
            return "Nothing was kept: there was no finished turn."
        number = self._conversation
        return f"Kept as conversation {number}; go on: voicebot-local run --continue {number}"

    def __enter__(self) -> Keeping:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join(LAST_WRITE_S)
        self._tell_failure()

    def __call__(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        match entry.event:
            case SessionStarted() as started:
                self._rate = started.card_rate
            case TurnRecorded() as recorded:
                self._recorded = recorded
            case _:
                pass
        self._reports(entry)
        self._tell_failure()

    def _take(self, report: TurnReport) -> None:
        recorded = self._recorded
        assert recorded is not None
        recording = self._target.recording
        self._queue.put(
            store.KeptTurn(
                number=0,
                at=_now(),
                user=report.user,
                assistant=report.assistant,
                heard=report.heard,
                outcome=recorded.outcome,
                voice_to_voice_ms=report.voice_to_voice_ms,
                stages_ms=report.stages_ms,
                recording=None if recording is None else str(recording.resolve()),
                speech_end_s=self._seconds(recorded.speech_end),
                audible_from_s=self._seconds(recorded.audible_from),
            )
        )

    def _seconds(self, position: int | None) -> float | None:
        return None if position is None else position / self._rate

    def _tell_failure(self) -> None:
        if self._failure and not self._told:
            self._told = True
            self._tell(f"! {self._failure} The conversation goes on.")

    # --- in the thread ---

    def _write_all(self) -> None:
        waiting: list[store.KeptTurn] = []
        while True:
            turn = self._queue.get()
            if turn is not None:
                waiting.append(turn)
            if waiting:
                try:
                    self._write(waiting)
                    waiting.clear()
                except InputError as error:
                    self._failure = error.message
            if turn is None:
                return

    def _write(self, waiting: list[store.KeptTurn]) -> None:
        """All of them, or none. Raises InputError."""
        with store.opened(self._target.path, make=True) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                number = self._conversation
                if number is None:
                    number = store.begin(connection, self._began, self._target.backend)
                for turn in waiting:
                    store.add(connection, number, turn)
                connection.commit()
            except sqlite3.Error:
                connection.rollback()
                raise
            self._conversation = number


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
