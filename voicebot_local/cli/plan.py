"""`voicebot-local plan`: what the models would take, and what is done so that they fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voicebot_local.config import load_config
from voicebot_local.gpu.need import GIB
from voicebot_local.gpu.plan_text import plan_json, plan_text
from voicebot_local.gpu.planning import plan_for

EXIT_DOES_NOT_FIT = 3


def plan(
    backend: Annotated[
        str, typer.Option(help="auto, starter or local; see `voicebot-local run --help`.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file on top of the profile.")
    ] = None,
    free_gib: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="X", help="Plan for a GPU with so many GiB free, not for this machine."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; sizes in bytes.")
    ] = False,
) -> None:
    """Say what the models need and whether they fit. Loads nothing; exits with 3 if they do not."""
    made = plan_for(load_config(backend, config), None if free_gib is None else int(free_gib * GIB))
    print(json.dumps(plan_json(made)) if as_json else plan_text(made), end="\n" * as_json)
    if not made.fits:
        raise typer.Exit(EXIT_DOES_NOT_FIT)
