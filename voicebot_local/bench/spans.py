"""Where in a recording the user speaks, and what they say: labels, from Audacity or TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebot_local.errors import InputError

FORM = (
    "A line is `start end text` in seconds, as Audacity exports labels; or, in TOML, "
    "`[[turn]]` with `start`, `end` and `text`."
)


@dataclass(frozen=True, slots=True)
class Span:
    """One turn of the user's: from `start_s` to `end_s` of the recording, saying `text`.

    `text` is "" where it is not known. `name` tells turns apart in tables.
    """

    start_s: float
    end_s: float
    text: str = ""
    name: str = ""


def read_labels(path: Path) -> list[Span]:
    """The labels of a file, in order. Raises InputError where it is none or they overlap."""
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The labels {path} cannot be read: {error}.", FORM) from error
    try:
        spans = _toml(content) if path.suffix == ".toml" else _lines(content)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no labels: {error}.", FORM) from error
    for before, span in zip([None, *spans], spans, strict=False):
        if span.end_s <= span.start_s or (before and span.start_s < before.end_s):
            raise InputError(
                f"{path}: the label from {span.start_s:g} s to {span.end_s:g} s ends before it "
                "begins, or overlaps the one before.",
                FORM,
            )
    return spans


def _toml(content: str) -> list[Span]:
    turns: list[dict[str, Any]] = tomllib.loads(content)["turn"]
    return [
        Span(float(turn["start"]), float(turn["end"]), str(turn.get("text", "")), str(number))
        for number, turn in enumerate(turns, 1)
    ]


def _lines(content: str) -> list[Span]:
    spans: list[Span] = []
    for line in content.splitlines():
        # Audacity writes a second line, which begins with a backslash, for a range of frequencies.
        if not line.strip() or line.startswith(("\\", "#")):
            continue
        start, end, *text = line.split(maxsplit=2)
        spans.append(Span(float(start), float(end), " ".join(text), str(len(spans) + 1)))
    return spans
