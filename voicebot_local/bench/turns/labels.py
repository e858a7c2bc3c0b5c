"""Labelled recordings: where the speaker pauses, and where they are done."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebot_local.audio.recording import check_recording
from voicebot_local.errors import InputError
from voicebot_local.providers.base import Word

FORM = (
    'Beside each WAV goes a .json: {"pauses": [[start, end], …], "end": seconds, '
    '"words": [{"text": "…", "start": …, "end": …}, …]}; the words may be left out. '
    "See docs/endpointing.md."
)


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """One turn of a speaker. Times are in seconds from the recording's start.

    `pauses`: each silence within the turn, in order; `end_s`: the last speech ends here. `words`:
    what is said, empty where it is not known. `understood`: what a recognizer makes of all that is
    said before a moment, as (moment, text) in order; it counts instead of the words.
    """

    path: Path
    pauses: tuple[tuple[float, float], ...]
    end_s: float
    words: tuple[Word, ...] = ()
    understood: tuple[tuple[float, str], ...] = ()

    @property
    def silences(self) -> tuple[tuple[float, float | None], ...]:
        """The pauses, and the silence after the turn, which has no end."""
        return (*self.pauses, (self.end_s, None))

    def said_by(self, moment_s: float) -> str:
        """The words that are over at that moment."""
        by = moment_s + 1e-6
        if self.understood:
            return next((text for at, text in reversed(self.understood) if at <= by), "")
        return " ".join(word.text for word in self.words if word.end_s <= by)


def read_turns(directory: Path) -> list[LabelledTurn]:
    """The labelled turns of a directory, by name. Raises InputError."""
    found = [path for path in sorted(directory.glob("*")) if path.suffix.lower() == ".json"]
    turns = [_read(path) for path in found]
    if not turns:
        raise InputError(f"There are no labelled recordings in {directory}.", FORM)
    return turns


def _read(path: Path) -> LabelledTurn:
    recording = next((p for p in map(path.with_suffix, (".wav", ".flac")) if p.is_file()), None)
    if recording is None:
        raise InputError(f"{path} has no recording of that name beside it.", FORM)
    check_recording(recording)
    try:
        table = json.loads(path.read_text("utf-8"))
        pauses, end_s = _silences(table)
        words = tuple(
            Word(str(word["text"]), float(word["start"]), float(word["end"]))
            for word in table.get("words") or ()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no label of a turn: {error!r}.", FORM) from error
    edges = [edge for pause in pauses for edge in pause] + [end_s]
    if edges != sorted(edges) or edges[0] < 0 or not all(map(math.isfinite, edges)):
        raise InputError(f"{path}: the pauses are not in order, or not before the end.", FORM)
    return LabelledTurn(recording, pauses, end_s, words)


def _silences(table: dict[str, Any]) -> tuple[tuple[tuple[float, float], ...], float]:
    """The pauses and the end; `silence_spans`, of which the last follows the turn, say both."""
    if "silence_spans" in table:
        spans = [(float(span["start"]), float(span["end"])) for span in table["silence_spans"]]
        return tuple(spans[:-1]), spans[-1][0]
    pauses = tuple((float(start), float(end)) for start, end in table["pauses"])
    return pauses, float(table["end"])
