"""`voicebot-local bench`: measure how fast and how well the assistant answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from voicebot_local import paths
from voicebot_local.bench.alternate import Wishes
from voicebot_local.bench.alternate import bench as measure
from voicebot_local.bench.measure_only import measure_only as measure_recording
from voicebot_local.bench.overhead import print_overhead
from voicebot_local.bench.recordings import find_turns
from voicebot_local.bench.report import Outputs, publish
from voicebot_local.bench.results import read_results
from voicebot_local.bench.stacks import choose_stacks
from voicebot_local.bench.stage import print_stage
from voicebot_local.cli.progress import showing
from voicebot_local.errors import ConfigError


def bench(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Recorded turns, each with its text; the examples unless given."
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="A backend to measure; give it again to compare, in alternation."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A configuration to measure; may be given again."),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often the turns are played.")] = 1,
    barge_in: Annotated[
        bool, typer.Option(help="Also speak over replies, in a session of its own.")
    ] = True,
    pace: Annotated[
        Literal["realtime", "fast"],
        typer.Option(help="fast tries the program out; its latencies mean nothing."),
    ] = "realtime",
    json: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="Write everything as JSON.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="Write a line for each turn.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with pictures inside.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with what --json wrote at another time."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the recordings and event logs there.")
    ] = None,
    measure_only: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Measure a recording: left the user, right the assistant."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --measure-only: where the user speaks."),
    ] = None,
    stage: Annotated[
        Literal["asr", "llm", "tts"] | None, typer.Option(help="Measure one engine alone.")
    ] = None,
    overhead: Annotated[
        bool, typer.Option("--overhead", help="Measure the program without its engines.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show traces of errors.")] = False,  # noqa: ARG001
) -> None:
    """Measure how fast and how well the assistant answers, off recordings of conversations."""
    outputs = Outputs(json, csv, html)
    outputs.check()
    if sum((measure_only is not None, stage is not None, overhead)) > 1:
        raise ConfigError("--measure-only, --stage and --overhead exclude each other.")
    if labels is not None and measure_only is None:
        raise ConfigError("--labels belongs to --measure-only.", "Give both, or neither.")
    if overhead:
        print_overhead(outputs.console, json)
        return
    before = None if baseline is None else read_results(baseline)
    if measure_only is not None:
        publish(measure_recording(measure_only, labels), before, outputs, measure_only.name)
        return
    stacks = choose_stacks(backend or (), config or ())
    source = directory or paths.examples_dir()
    if stage is not None:
        print_stage(stage, stacks, source, outputs.console, json)
        return
    turns = find_turns(source)
    wishes = Wishes(repeat, pace, barge_in, keep)
    with showing(outputs.console) as progress:
        results = measure(stacks, turns, source.name, wishes, progress)
    publish(results, before, outputs, "voicebot-local bench")
