"""Results on the terminal, and as a spreadsheet."""

from __future__ import annotations

import csv
from typing import TextIO

from rich.console import Console
from rich.table import Table

from voicebot_local.bench import wording
from voicebot_local.bench.results import Results
from voicebot_local.bench.summary import Summary
from voicebot_local.metrics import STAGES


def table(summaries: list[Summary]) -> Table:
    """A column for each stack."""
    shown = Table(header_style="bold", pad_edge=False)
    shown.add_column("")
    for summary in summaries:
        shown.add_column(summary.stack, justify="right")
    for group in wording.groups(summaries):
        shown.add_row(f"[bold]{group.name}[/bold]", *[""] * len(summaries))
        for line in group.lines:
            shown.add_row(f"  {line.name}", *line.cells)
        shown.add_section()
    return shown


def print_results(console: Console, results: Results, summaries: list[Summary]) -> None:
    """The table, and under it what the figures are worth."""
    console.print(table(summaries))
    console.print(wording.circumstances(results), style="dim", highlight=False)
    for summary in summaries:
        if summary.turns < 20:
            count = f"{summary.turns} turns are" if summary.turns != 1 else "1 turn is"
            console.print(
                f"{summary.stack}: {count} few for a 95th percentile; --repeat plays them again.",
                style="yellow",
                highlight=False,
            )
    for stack in results.stacks:
        if wording.is_here(stack):
            console.print(
                f"{stack.name} talks to {wording.HERE}: if that is scripts/fake_cloud.py, its "
                "latencies are SIMULATED.",
                style="yellow",
                highlight=False,
            )
    if results.pace == "fast":
        console.print(
            "Not in real time: latencies and processor times mean nothing here.", style="yellow"
        )


def write_csv(file: TextIO, results: Results) -> None:
    """A row for each turn that was played."""
    writer = csv.writer(file)
    writer.writerow(
        ["stack", "repeat", "turn", "cold", "voice_to_voice_ms", "cut_off", "answered"]
        + [f"{stage}_ms" for stage in STAGES]
        + ["word_errors", "words", "transcript"]
    )
    for turn in results.turns:
        errors = turn.word_errors
        writer.writerow(
            [turn.stack, turn.repeat, turn.turn, int(turn.cold), _cell(turn.voice_to_voice_ms)]
            + [int(turn.cut_off), int(turn.answered)]
            + [_cell(turn.stages_ms.get(stage)) for stage in STAGES]
            + ([errors.errors, errors.words] if errors else ["", ""])
            + [turn.transcript]
        )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
