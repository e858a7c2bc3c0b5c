"""The commands, put together. Each is imported when it is used; see `voicebot_local.cli.lazy`."""

from __future__ import annotations

from typing import Annotated

import typer

from voicebot_local import __version__
from voicebot_local.cli.lazy import Listed, lazy_group, plain_app

TALK, STAGES, SETUP, MEASURE = "Talk", "One stage alone", "Set up", "Measure"
EXAMPLES = """
Examples:
  voicebot-local run                          talk; Ctrl-C ends it
  voicebot-local say "Hello there."           hear the voice
  voicebot-local transcribe speech.wav        see what is understood
  voicebot-local config init                  make a file of your own settings

Each command says more with --help.
"""


_CLI = "voicebot_local.cli"


def _command(group: str, name: str, help_: str, path: str = "") -> Listed:
    return Listed(group, name, path or f"{_CLI}.{name}:{name}", help_)


COMMANDS = (
    _command(TALK, "run", "Hold a spoken conversation, until Ctrl-C."),
    _command(TALK, "history", "List, show, export and delete conversations you kept."),
    _command(STAGES, "say", "Say a text."),
    _command(STAGES, "transcribe", "Write down what is said in a recording."),
    _command(STAGES, "chat", "Chat in writing."),
    _command(STAGES, "voices", "List voices, hear them, and add your own."),
    _command(SETUP, "devices", "List microphones and loudspeakers, and test them."),
    _command(SETUP, "doctor", "Find out what is wrong with this machine, and mend it."),
    _command(SETUP, "models", "Download, check and remove models.", f"{_CLI}.models:app"),
    _command(SETUP, "config", "Show, check and begin your configuration."),
    _command(SETUP, "plan", "Say what the models need and whether they fit."),
    _command(MEASURE, "bench", "Measure how fast and how well the assistant answers."),
    _command(MEASURE, "compare", "Say which of two stacks is faster, and by how much."),
    _command(
        MEASURE,
        "endpointing-eval",
        "Measure how well the ends of your turns are found.",
        "voicebot_local.cli.endpointing:endpointing_eval",
    ),
    _command(
        MEASURE,
        "echo-eval",
        "Measure how well it tells its own voice from yours.",
        f"{_CLI}.echo:echo_eval",
    ),
    _command(MEASURE, "trace", "Check what a conversation's log proves about the GPU."),
    _command(MEASURE, "simulate", "Simulate conversations that share one card."),
)

app = plain_app(
    cls=lazy_group(COMMANDS),
    add_completion=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
