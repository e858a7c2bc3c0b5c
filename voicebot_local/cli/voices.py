"""`voicebot-local voices`: which there are, and your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console

from voicebot_local.cli.lazy import OneCommand, plain_app
from voicebot_local.cli.options import AsJson, Backend, ConfigFile, voice_path
from voicebot_local.cli.say import speak
from voicebot_local.config import load_config
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.voices import add_voice, model_voices, own_voices, remove_voice

SAMPLE = "Hello. This is how I sound. I can tell you the time, or a story; what would you like?"
ADD = """
Examples:
  voicebot-local voices add anna anna.wav      6 to 30 seconds of one person
  voicebot-local voices play anna --backend local
  voicebot-local run --voice anna
"""

voices = plain_app(help="List voices, hear them, and add your own (XTTS).")


@voices.command("list", cls=OneCommand)
def list_(backend: Backend = "auto", config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the voices of the synthesizer, and your own. Nothing is loaded."""
    synthesizer = load_config(backend, config).synthesizer
    own, theirs, present = own_voices(), model_voices(synthesizer), synthesizer.voice
    if as_json:
        found: dict[str, Any] = {"provider": synthesizer.provider, "voice": present}
        found["own"] = [{"name": each.name, "seconds": round(each.seconds, 1)} for each in own]
        print(json.dumps(found | {"voices": theirs}, ensure_ascii=False, indent=1))
        return
    print(f"{synthesizer.provider} speaks as {present}.")
    if own:
        names = ", ".join(f"{each.name} ({each.seconds:.0f} s)" for each in own)
        usable = "" if synthesizer.provider == "xtts" else ", for XTTS"
        print(f"\nYour own{usable}: {names}")
    if theirs:
        print(f"\nThe {len(theirs)} of {synthesizer.provider}:")
        Console().print(Columns(theirs, padding=(0, 2)), highlight=False)
    elif isinstance(synthesizer, HostedConfig):
        print(f"{synthesizer.service} lists its voices itself; set `voice` to the id of one.")
    else:
        print("The model's list of voices is not here.")


@voices.command(cls=OneCommand, epilog=ADD)
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="WAV, FLAC, OGG or MP3.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace one of that name.")] = False,
) -> None:
    """Add a voice of your own for XTTS, from a recording.

    6 to 30 seconds of one person; ask its owner first. It is checked for length, level,
    clipping and noise, and a copy stays on this machine.
    """
    voice, advice = add_voice(name, recording, replace=replace)
    for line in advice:
        print(f"! {line}")
    print(f"The voice {voice.name} ({voice.seconds:.1f} s) is kept in {voice.path}.")
    print(f'Hear it: voicebot-local voices play "{voice.name}"')


@voices.command(cls=OneCommand)
def play(
    name: Annotated[str, typer.Argument(help="A voice of the synthesizer, or your own.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a WAV file instead of playing it.")
    ] = None,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What it says.")] = SAMPLE,
    backend: Backend = "auto",
    config: ConfigFile = None,
) -> None:
    """Hear a voice say something. Only the synthesizer is loaded."""
    flags = [("voices play", "synthesizer.voice", voice_path(name))]
    speak(load_config(backend, config, flags), [text], out)


@voices.command(cls=OneCommand)
def remove(name: Annotated[str, typer.Argument(help="One of your own.")]) -> None:
    """Delete a voice of your own, and its recording with it."""
    voice = remove_voice(name)
    print(f"The voice {voice.name} is deleted.")
