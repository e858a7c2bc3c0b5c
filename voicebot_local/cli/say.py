"""`voicebot-local say`: the synthesizer alone."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from voicebot_local.audio.device_card import DeviceCard
from voicebot_local.audio.devices import RECORDINGS
from voicebot_local.audio.wav import WavWriter
from voicebot_local.cli.options import Backend, ConfigFile, OutputDevice, device, tell, voice_path
from voicebot_local.cli.options import say as tell_line
from voicebot_local.config import Config, load_config
from voicebot_local.errors import DeviceError, InputError
from voicebot_local.stages.one import open_stage, prepared, until_stopped
from voicebot_local.stages.saying import arriving, given, say_aloud, say_to_file

EXAMPLES = """
Examples:
  voicebot-local say "Good morning."
  voicebot-local say --out hello.wav --voice "Ana Florence" "Hello there."
  cat letter.txt | voicebot-local say -       reads aloud while the text comes
"""


def say(
    text: Annotated[
        list[str], typer.Argument(metavar="TEXT", help="What to say; - reads it from stdin.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a WAV file instead of playing it."),
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="The voice: a name, or a recording of one (XTTS).")
    ] = None,
    output_device: OutputDevice = None,
    backend: Backend = "auto",
    config: ConfigFile = None,
) -> None:
    """Say a text. Only the synthesizer is loaded."""
    chosen: list[tuple[str, str, Any]] = [
        ("--voice", "synthesizer.voice", voice_path(voice)),
        ("--output-device", "audio.output_device", device(output_device)),
    ]
    settings = load_config(backend, config, [flag for flag in chosen if flag[2] is not None])
    speak(settings, text, out)


def speak(settings: Config, text: list[str], out: Path | None) -> None:
    """Say `text` as `settings` say, into the file `out` where one is named."""
    words = " ".join(text)
    if words != "-" and not words.strip():
        raise InputError("There is nothing to say.", 'Give some text: voicebot-local say "Hello."')
    settings = prepared(settings, "synthesizer")
    # Looked for before the model is loaded, for that may take a minute.
    wanted = settings.audio.output_device
    card = None if out else _loudspeaker(None if wanted == "" else wanted)
    if out is not None:
        WavWriter(out, 16_000, 1).close()

    async def work() -> None:
        source: AsyncIterator[str] = arriving(sys.stdin) if words == "-" else given(words)
        async with open_stage(settings, "synthesizer", tell) as synthesizer:
            if card is not None:
                await say_aloud(synthesizer, source, card)
                return
            assert out is not None
            with WavWriter(out, synthesizer.sample_rate, 1) as file:
                seconds = await say_to_file(synthesizer, source, file)
            tell_line(f"{seconds:.1f} s of speech are in {out}.")

    until_stopped(work)


def _loudspeaker(wanted: int | str | None) -> DeviceCard:
    try:
        return DeviceCard(None, wanted, capture=False)
    except DeviceError as error:
        mend = "" if error.mend == RECORDINGS else f"{error.mend} "
        raise DeviceError(error.message, f"{mend}--out FILE writes a WAV file instead.") from error
