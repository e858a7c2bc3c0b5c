"""`--events`: the event log as a file, one JSON object a line."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import TracebackType
from typing import TextIO

from voicebot_local.errors import InputError
from voicebot_local.events import Entry, to_json

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
