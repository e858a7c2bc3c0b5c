"""What was found so far, in one JSON file that grows item by item, and the page made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.gpu_check.bars import bars, page

Values = dict[str, Any]

PAGE = """\
# {name}

Made by `scripts/gpu_check.sh`; the figures, with more of them, are in `{file}`. {kind}

*Stock* is the way of the library that an engine is made of, *ours* this project's; the two
alternate within one run, and figures are medians where nothing else is said.

"""
REAL = (
    "The models have the published shapes and random weights: the time and the memory of the "
    "trained ones, no sense in what is said."
)
TINY = "**A run on the processor with tiny models, which only tries the script: no figure counts.**"


class Results:
    """Items by "part.item", each written as soon as it is known."""

    def __init__(self, folder: Path, name: str, *, tiny: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._json = folder / f"{name}.json"
        self._page = folder / f"{name}.md"
        self._tiny = tiny
        self.items: dict[str, Values] = {}
        if self._json.exists():
            self.items = json.loads(self._json.read_text("utf-8"))["items"]

    def has(self, item: str) -> bool:
        """Whether it was found, and without an error."""
        return item in self.items and "error" not in self.items[item]

    def put(self, item: str, values: Values) -> None:
        """Keep what was found, on the disk before this returns."""
        self.items[item] = values
        told = {"bars": [bar.told() for bar in bars(self.items)], "items": self.items}
        _write(self._json, json.dumps(told, indent=1) + "\n")
        _write(self._page, self._text())

    def _text(self) -> str:
        machine = self.items.get("environment.machine", {})
        name = str(machine.get("gpu") or machine.get("cpu") or "A machine")
        text = PAGE.format(name=name, file=self._json.name, kind=TINY if self._tiny else REAL)
        if table := page(self.items):
            text += f"## What the engines are to reach\n\n{table}\n\n"
        parts = dict.fromkeys(item.partition(".")[0] for item in self.items)
        for part in parts:
            text += f"## {part}\n\n"
            for item, values in self.items.items():
                if item.partition(".")[0] == part:
                    text += _section(item.partition(".")[2], values)
        return text.rstrip() + "\n"


def _section(name: str, values: Values) -> str:
    """An item's table, and the few values it wants shown, or else all that fit a line."""
    text = f"**{name}**, {values['took_s']:.0f} s\n\n"
    if table := values.get("table"):
        text += f"{table}\n\n"
    shown = values if "error" in values else values.get("shown", values)
    rows = [
        f"| {key} | {_cell(value)} |"
        for key, value in shown.items()
        if key != "took_s" and _short(value)
    ]
    return text + ("\n".join(["| | |", "|---|---|", *rows]) + "\n\n" if rows else "")


def _short(value: Any) -> bool:
    return not isinstance(value, dict | list) and value != "" and "\n" not in str(value)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _write(file: Path, text: str) -> None:
    """At once or not at all, so that a run that is cut leaves a file that can be read."""
    new = file.with_suffix(file.suffix + ".new")
    new.write_text(text, "utf-8")
    new.replace(file)
