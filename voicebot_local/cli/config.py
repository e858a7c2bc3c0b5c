"""`voicebot-local config`: what is set, where it comes from, and whether it is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voicebot_local import config_view, paths
from voicebot_local.cli.lazy import OneCommand, plain_app
from voicebot_local.cli.options import AsJson, Backend, ConfigFile, say
from voicebot_local.config import BACKEND_MEND, load
from voicebot_local.errors import ConfigError, InputError
from voicebot_local.history.store import database_path

EXIT_WRONG = 2

config = plain_app(help="Show, check and begin your configuration.")

SHOW = """
The output is TOML: `voicebot-local config show > mine.toml` keeps it.
"""
INIT = """
Examples:
  voicebot-local config init                    in your configuration directory
  voicebot-local config init --backend hosted hosted.toml
"""


@config.command(cls=OneCommand, epilog=SHOW)
def show(backend: Backend = "auto", file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every value that counts, and where it comes from.

    A profile is the ground; on it lies your own file, or the one of --config in its place; then
    variables such as VOICEBOT_TURN_END_SILENCE_S; then the flags of a command.
    """
    loaded = load(backend, file)
    for note in loaded.notes:
        say(note)
    print(config_view.as_json(loaded) if as_json else config_view.as_toml(loaded), end="")
    if as_json:
        print()
        return
    for line in config_view.key_lines(loaded.config):
        print(f"# {line}")


@config.command(cls=OneCommand)
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Else your own file, or the profile.")
    ] = None,
    backend: Backend = "auto",
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with a configuration.

    Exits with 2 where something is. What is missing on this machine is told, and is no mistake.
    """
    wrong = config_view.problems(backend, file)
    own = file or paths.config_file()
    subject = str(own) if own.is_file() else "The configuration"
    if wrong:
        if as_json:
            told = [{"message": error.message, "mend": error.mend} for error in wrong]
            print(json.dumps({"right": False, "problems": told}, ensure_ascii=False, indent=1))
        else:
            for error in wrong:
                print(f"✗ {error.message}\n  {error.mend}".rstrip())
        raise typer.Exit(EXIT_WRONG)
    loaded = load(backend, file)
    missing = config_view.lacking(loaded.config)
    if as_json:
        found = {"right": True, "backend": loaded.config.backend, "notes": loaded.notes}
        print(json.dumps(found | {"lacking": missing}, ensure_ascii=False, indent=1))
        return
    for note in loaded.notes:
        print(f"! {note}")
    for line in missing:
        print(f"! {line}")
    print(f"✓ {subject} is right (backend {loaded.config.backend}).")


@config.command(cls=OneCommand)
def path(as_json: AsJson = False) -> None:
    """Say where everything is kept on this machine."""
    places = {
        "your configuration": paths.config_file(),
        "profiles": paths.configs_dir(),
        "models": paths.models_dir(),
        "voices of your own": paths.voices_dir(),
        "saved conversations": database_path(),
        "caches": paths.cache_dir(),
    }
    if as_json:
        print(json.dumps({name: str(place) for name, place in places.items()}, indent=1))
        return
    for name, place in places.items():
        print(f"{name:<20} {place}{'' if place.exists() else '  (not there yet)'}")


@config.command(cls=OneCommand, epilog=INIT)
def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Else your own configuration.")
    ] = None,
    backend: Backend = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Begin a configuration file of your own.

    Every key stands in it with what it does; take the # from those that you change.
    """
    if backend == "auto":
        backend = load().config.backend
    if not (paths.configs_dir() / f"{backend}.toml").is_file():
        raise ConfigError(f"--backend: {backend!r} is unknown.", BACKEND_MEND)
    target = file or paths.config_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as out:
            out.write(config_view.template(backend))
    except FileExistsError:
        raise InputError(
            f"{target} is there already.", "Change it, name another file, or say --force."
        ) from None
    except OSError as error:
        raise InputError(
            f"{target} cannot be written: {error.strerror}.", "Name another file."
        ) from error
    print(f"{target} is written. Change what you like; `voicebot-local config check` checks it.")
