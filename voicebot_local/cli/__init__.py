"""The command line: one file a command. They parse, call and print; there is no logic here."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, NoReturn

import typer

from voicebot_local import __version__
from voicebot_local.cli.run import run
from voicebot_local.errors import ConfigError, InputError, VoicebotError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)


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


def main() -> NoReturn:
    """Run the program. What goes wrong is said in one sentence with its mend, on stderr.

    Exit codes: 0 done, 1 a device, model or provider failed, 2 the user's input was wrong,
    130 ended by Ctrl-C.
    """
    debug = "--debug" in sys.argv[1:]
    try:
        app(prog_name="voicebot-local")
    except Exception as error:
        if debug:
            traceback.print_exc()
        cause = first_cause(error)
        if isinstance(cause, VoicebotError):
            print(f"voicebot-local: {cause.message}", file=sys.stderr)
            if cause.mend:
                print(cause.mend, file=sys.stderr)
            sys.exit(2 if isinstance(cause, ConfigError | InputError) else 1)
        print(
            f"voicebot-local: an error of the program itself: {type(cause).__name__}: {cause}\n"
            "Please report it with what the same command prints with --debug.",
            file=sys.stderr,
        )
        sys.exit(1)
    sys.exit(0)


def first_cause(error: BaseException) -> BaseException:
    """The error that a person should hear of: in a group, the first one of ours, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [first_cause(one) for one in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, VoicebotError)), causes[0])
