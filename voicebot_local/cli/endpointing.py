"""`voicebot-local endpointing-eval`: how well the ends of turns are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voicebot_local import paths
from voicebot_local.audio.smart_turn import SmartTurn
from voicebot_local.bench.alternate import OnProgress
from voicebot_local.bench.plots import require_pictures
from voicebot_local.bench.turns.labels import LabelledTurn, read_turns
from voicebot_local.bench.turns.plot import draw
from voicebot_local.bench.turns.report import as_json, budget_table, evaluate, settings_table
from voicebot_local.bench.turns.understood import understood
from voicebot_local.cli.options import Backend, ConfigFile, tell
from voicebot_local.cli.progress import showing
from voicebot_local.config import Config, load_config
from voicebot_local.errors import InputError
from voicebot_local.stages.one import open_stage, prepared, until_stopped

STDOUT = Path("-")


def endpointing_eval(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="WAV files, each with its labels in a .json.")
    ],
    backend: Backend = "auto",
    config: ConfigFile = None,
    recognize: Annotated[
        bool,
        typer.Option("--recognize", help="Take the words from the recognizer, not the labels."),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE|-", help="Write everything as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw cut-offs against latency (png, svg).")
    ] = None,
) -> None:
    """Score recordings with known ends and pauses: who is cut off, and who waits for how long.

    Silence alone, the words, Smart Turn where it is there, and both together, at the best
    thresholds for each budget; and what the program does as it is configured. Labels and method:
    docs/endpointing.md.
    """
    console = Console(stderr=json_file == STDOUT)
    for path in (json_file, plot):
        if path is not None and path != STDOUT and not path.absolute().parent.is_dir():
            raise InputError(f"{path} cannot be written: its directory does not exist.")
    if plot is not None:
        require_pictures()
    configured = load_config(backend, config)
    settings = configured.turn
    turns = read_turns(directory)
    model = paths.model_path(settings.smart_turn)
    judge = SmartTurn(model) if model.exists() else None
    with showing(console) as progress:
        if recognize:
            turns = _recognized(configured, turns, progress)
        evaluation = evaluate(turns, settings, judge, progress)
    console.print(budget_table(evaluation))
    console.print(settings_table(evaluation))
    console.print(
        f"{evaluation.turns} turns, {evaluation.pauses} pauses from 0.2 to 5 s, by new speakers."
        + ("" if judge else f" Smart Turn was not there ({model})."),
        style="dim",
        highlight=False,
    )
    if plot is not None:
        draw(evaluation, plot)
    if json_file is not None:
        _write(json.dumps(as_json(evaluation), indent=2), json_file)


def _recognized(
    config: Config, turns: list[LabelledTurn], progress: OnProgress
) -> list[LabelledTurn]:
    settings = prepared(config, "recognizer")
    found: list[LabelledTurn] = []

    async def work() -> None:
        async with open_stage(settings, "recognizer", tell) as recognizer:
            for number, turn in enumerate(turns):
                progress(f"Recognizing {turn.path.name}", number, len(turns))
                found.append(await understood(turn, recognizer))

    until_stopped(work)
    return found


def _write(text: str, file: Path) -> None:
    if file == STDOUT:
        print(text)
        return
    try:
        file.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
