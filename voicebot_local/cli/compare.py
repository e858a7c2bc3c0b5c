"""`voicebot-local compare`: two stacks, and which of them to take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voicebot_local import paths
from voicebot_local.bench.alternate import Wishes, bench
from voicebot_local.bench.recordings import find_turns
from voicebot_local.bench.report import Outputs, publish
from voicebot_local.bench.stacks import distinct, named_stack
from voicebot_local.cli.progress import showing


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A backend or a configuration file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What to compare it with.")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Recorded turns; see `bench --help`.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often the turns are played.")] = 3,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="Write everything as JSON.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with pictures inside.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show traces of errors.")] = False,  # noqa: ARG001
) -> None:
    """Say which of two stacks is faster, by how much, what it costs and what leaves the machine."""
    outputs = Outputs(json, html=html)
    outputs.check()
    stacks = distinct([named_stack(first), named_stack(second)])
    source = directory or paths.examples_dir()
    turns = find_turns(source)
    with showing(outputs.console) as progress:
        results = bench(stacks, turns, source.name, Wishes(repeat), progress)
    title = f"{stacks[0].name} and {stacks[1].name}"
    publish(results, None, outputs, title, full=True)
