"""`voicebot-local trace`: what a session's event log proves about the device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot_local.errors import InputError
from voicebot_local.events import Entry, SessionStarted
from voicebot_local.events.file import read_events
from voicebot_local.gpu.plots import draw_turn
from voicebot_local.gpu.trace import RULES, STEP_LIMIT_S, Report, chrome_trace, examine

EXIT_VIOLATED = 3
SHOWN = 20
"""Most violations and underruns that are listed for people; --json lists all."""
TENANTS = {"asr": "recognizer", "llm": "chat model", "tts": "synthesizer"}


def trace(
    events: Annotated[Path, typer.Argument(metavar="EVENTS", help="An event log (JSON lines).")],
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3 where a rule is violated.")
    ] = False,
    chrome: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a timeline for ui.perfetto.dev, in JSON."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw one turn as a picture (png, svg).")
    ] = None,
    turn: Annotated[
        int | None, typer.Option(min=1, help="The turn to draw; otherwise the first one spoken.")
    ] = None,
    step_limit: Annotated[
        float, typer.Option(min=0, metavar="S", help="How long one step may take.")
    ] = STEP_LIMIT_S,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; times in seconds.")
    ] = False,
) -> None:
    """Check what a conversation's log (`run --events`) proves about who had the device when."""
    log = read_events(events)
    report = examine(log.entries, step_limit)
    if chrome is not None:
        _write(chrome, json.dumps(chrome_trace(report)))
    if plot is not None:
        draw_turn(log.entries, report, plot, turn)
    if as_json:
        print(json.dumps(report_json(report) | {"cut_off": log.cut_off}))
    else:
        _show(report, _card_rate(log.entries), cut_off=log.cut_off)
    if check and report.violations:
        raise typer.Exit(EXIT_VIOLATED)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.",
            "Name a file in a directory that exists and that you may write to.",
        ) from error


def report_json(report: Report) -> dict[str, Any]:
    """The report as an object for programs; a rule that was not measured holds None."""
    rules = {
        number: {"holds": _holds(report, number), "violations": _violated(report, number)}
        for number in RULES
    }
    return {
        "steps": len(report.steps),
        "overlap_s": report.overlap_s,
        "wasted_s": report.wasted_s,
        "waits": {tenant: asdict(waits) for tenant, waits in report.waits.items()},
        "longest": {tenant: asdict(step) for tenant, step in report.longest.items()},
        "swaps": [
            {"tenant": tenant, "move": kind, **asdict(swaps)}
            for (tenant, kind), swaps in report.swaps.items()
        ],
        "underruns": [
            {"at": at, "samples": samples, "device_had": holder}
            for at, samples, holder in report.underruns
        ],
        "rules": rules,
        "violations": [asdict(violation) for violation in report.violations],
    }


def _violated(report: Report, rule: int) -> int:
    return sum(violation.rule == rule for violation in report.violations)


def _holds(report: Report, rule: int) -> bool | None:
    if _violated(report, rule):
        return False
    return None if report.unmeasured(rule) else True


def _card_rate(entries: tuple[Entry, ...]) -> int | None:
    for entry in entries:
        if isinstance(entry.event, SessionStarted):
            return entry.event.card_rate
    return None


def _show(report: Report, rate: int | None, *, cut_off: bool) -> None:
    console = Console(highlight=False)
    if cut_off:
        console.print("The last line of the log is not whole and was left out.", style="yellow")
    if report.steps:
        console.print(_steps_table(report))
        for (tenant, kind), swaps in report.swaps.items():
            console.print(
                f"weights of the {TENANTS[tenant]}: {kind}ed {swaps.moves} times, "
                f"median {_ms(swaps.median_s)}, max {_ms(swaps.max_s)}"
            )
        console.print(f"chat model and synthesizer at once: {_ms(report.overlap_s)}")
        console.print(f"work on replies that were taken back: {_ms(report.wasted_s)}")
    console.print(_rules_table(report))
    for violation in report.violations[:SHOWN]:
        console.print(f"{violation.at:9.3f} s  rule {violation.rule}: {violation.text}")
    _and_more(console, len(report.violations))
    console.print(f"gaps in replies: {len(report.underruns)}")
    for at, samples, holder in report.underruns[:SHOWN]:
        length = f"{samples / rate * 1000:.0f} ms" if rate else f"{samples} samples"
        who = TENANTS.get(holder, "nobody")
        console.print(f"{at:9.3f} s  {length} of silence; {who} had the device before it")
    _and_more(console, len(report.underruns))


def _and_more(console: Console, number: int) -> None:
    if number > SHOWN:
        console.print(f"... and {number - SHOWN} more; --json lists all")


def _steps_table(report: Report) -> Table:
    table = Table(title="Steps on the device, and the waits before them", title_justify="left")
    table.add_column("who")
    for name in ("steps", "longest", "wait: median", "p99", "max"):
        table.add_column(name, justify="right")
    for tenant, name in TENANTS.items():
        if tenant not in report.waits:
            table.add_row(name, "0", *["-"] * 4)
            continue
        waits, longest = report.waits[tenant], report.longest[tenant]
        table.add_row(
            name,
            str(waits.steps),
            f"{_ms(longest.ended - longest.started)} ({longest.kind})",
            *(_ms(value) for value in (waits.median_s, waits.p99_s, waits.max_s)),
        )
    return table


def _rules_table(report: Report) -> Table:
    table = Table(title="What must hold", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("rule")
    table.add_column("")
    for number, rule in RULES.items():
        times = _violated(report, number)
        if times:
            verdict = Text(f"violated {times} time{'s' * (times > 1)}", "bold red")
        elif reason := report.unmeasured(number):
            verdict = Text(f"not measured: {reason}", "yellow")
        else:
            verdict = Text("holds", "green")
        table.add_row(str(number), rule, verdict)
    return table


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
