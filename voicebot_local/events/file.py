"""`--events`: the event log as a file, one JSON object a line; written, and read again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from voicebot_local.errors import InputError
from voicebot_local.events import DeviceSteps, Entry, from_json, to_json

logger = logging.getLogger(__name__)


class EventsFile:
    """A reader of the event log that writes it down. Every line is in the file at once.

    Raises InputError where the file cannot be made. When it fails later it ends there, is reported
    once on the log of errors, and the conversation goes on.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file: TextIO | None = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise InputError(
                f"The event log {path} cannot be written: {error.strerror}.",
                "Name a file in a directory that exists and that you may write to.",
            ) from error

    def __call__(self, entry: Entry) -> None:
        """Write the next entry."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(to_json(entry), ensure_ascii=False) + "\n")
        except OSError as error:
            logger.error("the event log ends here: %s", error.strerror)
            self._close()

    def __enter__(self) -> EventsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                logger.debug("the rest of the event log was lost", exc_info=True)


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A log that was read; `cut_off`: its last line is not whole, as after a crash or a full disk.

    That line is left out.
    """

    entries: tuple[Entry, ...]
    cut_off: bool


def read_events(path: Path) -> ReadLog:
    """The log that `--events` wrote to `path`, also while it is still being written.

    Raises InputError where there is none: no such file, empty, or a line that is no event.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        raise InputError(
            f"There is no event log {path}.",
            "Write one with `voicebot-local run --events events.jsonl`.",
        ) from None
    except OSError as error:
        raise InputError(
            f"The event log {path} cannot be read: {error.strerror}.",
            "Name a file that you may read.",
        ) from error
    cut_off = False
    if lines[-1]:  # A line without an end: whole where an editor took the end away.
        try:
            json.loads(lines[-1])
        except ValueError:
            cut_off = True
    entries = tuple(_entries(path, lines[:-1] if cut_off or not lines[-1] else lines))
    if not entries:
        raise InputError(
            f"{path} holds no event.",
            "Write a log with `voicebot-local run --events events.jsonl`.",
        )
    return ReadLog(entries, cut_off)


def _entries(path: Path, lines: list[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        try:
            yield _entry(json.loads(line))
        except ValueError:
            raise InputError(
                f"Line {number} of {path} is no event of a session's log: {line[:60]!a}.",
                "Give a file that `voicebot-local run --events FILE` of this version wrote.",
            ) from None


def _entry(line: Any) -> Entry:
    """Raises ValueError for what is no entry, or one whose times are none."""
    if not isinstance(line, dict):
        raise ValueError("not an object")
    entry = from_json(line)
    times = [entry.at]
    if isinstance(entry.event, DeviceSteps):
        if any(len(step) != 4 for step in entry.event.steps):
            raise ValueError("not a step")
        times += [time for _, *rest in entry.event.steps for time in rest]
    if not all(isinstance(time, int | float) for time in times):
        raise ValueError("not a time")
    return entry
