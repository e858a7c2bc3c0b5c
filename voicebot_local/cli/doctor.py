"""`voicebot-local doctor`: what is wrong with this machine, and how to mend it."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from voicebot_local import __version__
from voicebot_local.cli.options import (
    AsJson,
    Backend,
    ConfigFile,
    InputDevice,
    OutputDevice,
    device,
)
from voicebot_local.config import Config, load_config
from voicebot_local.doctor.engines import LOAD_S
from voicebot_local.doctor.examination import Examination, Wishes
from voicebot_local.doctor.result import Result, worst
from voicebot_local.offline import forbid_network
from voicebot_local.stages.one import until_stopped

MARKS = {"green": ("ok", "bold green"), "yellow": ("!", "bold yellow"), "red": ("NO", "bold red")}
EXAMPLES = """
Examples:
  voicebot-local doctor                           what run would take
  voicebot-local doctor --backend local --no-sound
  voicebot-local doctor --backend hosted --online
"""


def doctor(
    backend: Backend = "auto",
    config: ConfigFile = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask hosted services whether they accept the keys.")
    ] = False,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Do not play the chirp, and do not listen.")
    ] = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long engines may take to load.")
    ] = LOAD_S,
    input_device: InputDevice = None,
    output_device: OutputDevice = None,
    as_json: AsJson = False,
) -> None:
    """Examine this machine: packages, GPU, memory, models, sound, keys, and each engine at work.

    A chirp is played to measure the way from loudspeaker to microphone. Exits with 1 where
    something is red.
    """
    flags: list[tuple[str, str, Any]] = [
        ("--input-device", "audio.input_device", device(input_device)),
        ("--output-device", "audio.output_device", device(output_device)),
    ]
    settings = load_config(backend, config, [flag for flag in flags if flag[2] is not None])
    if settings.session.offline and not online:
        forbid_network()
    logging.basicConfig(level=logging.ERROR)
    began = time.monotonic()
    results: list[Result] = []
    wishes = Wishes(online, not no_sound, wait)
    if as_json:
        until_stopped(Examination(settings, wishes, lambda _: None, results.append).run)
    else:
        _show(settings, wishes, results)
    took_s = time.monotonic() - began
    status = worst([result.status for result in results])
    if as_json:
        found: dict[str, object] = {"version": __version__, "backend": settings.backend}
        found |= {"status": status, "took_s": round(took_s, 2)}
        print(json.dumps(found | {"checks": [_plain(result) for result in results]}, indent=1))
    else:
        print(_verdict(results, took_s))
    if status == "red":
        raise typer.Exit(1)


def _show(settings: Config, wishes: Wishes, results: list[Result]) -> None:
    """Print each result as it comes, and below them what is looked at now."""
    console = Console(highlight=False)
    profile = Text(f"voicebot-local {__version__}, backend {settings.backend}", "dim")
    console.print(profile)
    with Status("", console=console) as status:

        def on_begin(name: str) -> None:
            status.update(f"{name} …")

        def on_result(result: Result) -> None:
            results.append(result)
            console.print(line(result))

        until_stopped(Examination(settings, wishes, on_begin, on_result).run)


def line(result: Result) -> Table:
    """A check as it is printed: mark, name, what was found, and below it the mend."""
    mark, style = MARKS[result.status]
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2)
    table.add_column(width=11)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style), Text(result.name), Text(result.summary))
    if result.mend:
        table.add_row("", "", Padding(Text(f"→ {result.mend}"), 0))
    return table


def _verdict(results: list[Result], took_s: float) -> str:
    count = {status: sum(r.status == status for r in results) for status in MARKS}
    parts = [
        f"{count['red']} to mend" if count["red"] else "",
        f"{count['yellow']} to know of" if count["yellow"] else "",
    ]
    said = ", ".join(part for part in parts if part) or "all is well"
    return f"{said} ({took_s:.0f} s)"


def _plain(result: Result) -> dict[str, object]:
    return asdict(result) | {"details": dict(result.details), "took_s": round(result.took_s, 3)}
