"""`voicebot-local echo-eval`: how well the assistant tells its own voice from the user's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from voicebot_local.bench.echo.report import sessions_table, ways_table
from voicebot_local.bench.echo.rooms import ROOMS, chosen
from voicebot_local.bench.echo.scenes import Finding, compare
from voicebot_local.bench.echo.sessions import SessionFinding, hold_session
from voicebot_local.bench.echo.ways import COMPARED, WAYS
from voicebot_local.bench.machine import this_machine
from voicebot_local.bench.report import Outputs, write_json
from voicebot_local.cli.options import ConfigFile
from voicebot_local.cli.progress import showing
from voicebot_local.config import load_config

EXAMPLES = """
Examples:
  voicebot-local echo-eval --room desk               a minute or two
  voicebot-local echo-eval --minutes 10 --user-db 0  every room, as in docs
  voicebot-local echo-eval --compare --minutes 2 --no-sessions
"""


def echo_eval(
    room: Annotated[
        list[str] | None,
        typer.Option(help=f"A room, or several: {', '.join(ROOMS)}; all unless given."),
    ] = None,
    user_db: Annotated[
        list[float] | None,
        typer.Option(help="How much louder than the echo the user speaks (dB); +10, 0, -10."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.5, help="How long the assistant speaks in each.")
    ] = 1.0,
    sessions: Annotated[
        bool, typer.Option(help="Hold whole sessions too, with the starter's engines.")
    ] = True,
    off: Annotated[bool, typer.Option("--off", help="Sessions without cancelling too.")] = False,
    compared: Annotated[
        bool, typer.Option("--compare", help="Measure AEC3 alone and Speex too (wants pyaec).")
    ] = False,
    pace: Annotated[
        Literal["realtime", "fast"],
        typer.Option(help="How fast sessions go; their times mean something in realtime only."),
    ] = "fast",
    config: ConfigFile = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE|-", help="Write everything as JSON.")
    ] = None,
) -> None:
    """Let the assistant talk in simulated rooms, and the user speak over it.

    The first table judges the voice detector alone, on what each way leaves of the echo; the second
    whole sessions. Rooms and method: docs/echo.md.
    """
    outputs = Outputs(json_file)
    outputs.check()
    rooms = chosen(room or ())
    levels = user_db or [10.0, 0.0, -10.0]
    settings = load_config("starter", config)
    ways = COMPARED if compared else WAYS
    console = outputs.console
    found: list[Finding] = []
    held: list[SessionFinding] = []
    with showing(console) as progress:
        most = len(rooms) * len(levels) * len(ways)
        for finding in compare(rooms, levels, ways, minutes * 60, settings.turn.barge_in_s):
            found.append(finding)
            progress("the voice detector", len(found), most)
        whole = [
            (name, level, cancel)
            for name in rooms
            for level in levels
            for cancel in ((True, False) if off else (True,))
            if sessions
        ]
        for name, level, cancel in whole:
            progress("sessions", len(held), len(whole))
            place = (name, rooms[name])
            held.append(hold_session(settings, place, level, minutes, cancel=cancel, pace=pace))
    console.print(ways_table(found))
    if held:
        console.print(sessions_table(held))
    if json_file is not None:
        values = {
            "machine": this_machine(),
            "minutes": minutes,
            "pace": pace,
            "detector": [asdict(each) for each in found],
            "sessions": [asdict(each) for each in held],
        }
        write_json(values, json_file)
