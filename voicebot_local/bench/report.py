"""Brings results to where they are wanted: terminal, JSON, CSV, page."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from voicebot_local.bench import wording
from voicebot_local.bench.page import page
from voicebot_local.bench.plots import require_pictures
from voicebot_local.bench.results import Results, results_json
from voicebot_local.bench.summary import Comparison, compare, summarize
from voicebot_local.bench.tables import print_results, write_csv
from voicebot_local.errors import InputError

STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that are wanted besides the table; "-" is standard output, and then there is none."""

    json: Path | None = None
    csv: Path | None = None
    html: Path | None = None

    @property
    def console(self) -> Console:
        """Where people read: standard error where standard output belongs to a program."""
        return Console(stderr=STDOUT in (self.json, self.csv))

    def check(self) -> None:
        """Raise InputError for a file that cannot be written, before anything is measured."""
        for path in (self.json, self.csv, self.html):
            if path is not None and path != STDOUT and not path.absolute().parent.is_dir():
                raise _unwritable(path, "its directory does not exist")
        if self.html is not None:
            require_pictures()


def comparisons(results: Results, baseline: Results | None) -> list[Comparison]:
    """Each stack against the baseline's of the same name (or its first); else against the first."""
    if baseline is not None:
        names = [stack.name for stack in baseline.stacks]
        return [
            dataclasses.replace(
                compare(baseline, before, results, stack.name), first=f"{before} (baseline)"
            )
            for stack in results.stacks
            for before in (stack.name if stack.name in names else names[0],)
        ]
    first, *others = [stack.name for stack in results.stacks]
    return [compare(results, first, results, other) for other in others]


def publish(
    results: Results, baseline: Results | None, outputs: Outputs, title: str, *, full: bool = False
) -> None:
    """Show and write everything; `full` also says what it costs and what leaves the machine."""
    summaries = summarize(results)
    compared = comparisons(results, baseline)
    console = outputs.console
    print_results(console, results, summaries)
    for one in compared:
        console.print(wording.verdict(one), style="bold", highlight=False)
        console.print(wording.where_time_goes(one), highlight=False)
    if full:
        for summary in summaries:
            console.print(wording.what_it_costs(summary), highlight=False)
        for stack in results.stacks:
            console.print(wording.what_leaves(stack), highlight=False)
    if outputs.json is not None:
        both: dict[str, Any] = results_json(results) | {
            "summaries": [dataclasses.asdict(one) for one in summaries],
            "comparison": [dataclasses.asdict(one) for one in compared],
        }
        write_json(both, outputs.json)
    if outputs.csv is not None:
        with _writing(outputs.csv) as file:
            write_csv(file, results)
    if outputs.html is not None:
        with _writing(outputs.html) as file:
            file.write(page(results, summaries, compared, title))


def write_json(values: Any, path: Path) -> None:
    """Write JSON values to a file, or to standard output for "-"."""
    with _writing(path) as file:
        json.dump(values, file, ensure_ascii=False, indent=1)
        file.write("\n")


@contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    if path == STDOUT:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} cannot be written: {why}.",
        "Name a file in a directory that exists and that you may write to.",
    )
