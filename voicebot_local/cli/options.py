"""Options that several commands share, and what they do with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from voicebot_local.cli.wording import device_line, trouble_line
from voicebot_local.config import BACKENDS
from voicebot_local.engines.client import EngineNotice
from voicebot_local.events import EngineDied, EngineLoaded


def _backends() -> list[str]:
    return list(BACKENDS)


Backend: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=_backends,
        help="auto, starter, local or hosted; as for `voicebot-local run`.",
    ),
]
ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A TOML file of settings, in place of your own."),
]
InputDevice: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME|NUMBER", help="The microphone.")
]
OutputDevice: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME|NUMBER", help="The loudspeaker.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]


def tell(notice: EngineNotice) -> None:
    """Say on stderr where an engine runs, and when it died."""
    if isinstance(notice, EngineLoaded):
        say(device_line(notice))
    elif isinstance(notice, EngineDied):
        say(trouble_line(notice))


def say(line: str) -> None:
    """A line for people, on stderr, so that what a command gives can be piped on."""
    print(line, file=sys.stderr, flush=True)


def device(value: str | None) -> int | str | None:
    """A sound device as it is named on a command line: digits are its number."""
    return int(value) if value is not None and value.isdecimal() else value


def voice_path(value: str | None) -> str | None:
    """A recording counts from where the user is, not from where the models are."""
    return str(Path(value).resolve()) if value and Path(value).is_file() else value
