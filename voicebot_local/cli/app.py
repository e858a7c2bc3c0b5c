"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from voicebot_local import __version__
from voicebot_local.cli.bench import bench
from voicebot_local.cli.compare import compare
from voicebot_local.cli.plan import plan
from voicebot_local.cli.run import run
from voicebot_local.cli.simulate import simulate
from voicebot_local.cli.trace import trace

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(plan)
app.command()(trace)
app.command()(simulate)
app.command()(bench)
app.command()(compare)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"voicebot-local {__version__}")
        raise typer.Exit


@app.callback()
def voicebot(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say which it is.")
    ] = False,
) -> None:
    """A voice assistant that lives on your own machine."""
