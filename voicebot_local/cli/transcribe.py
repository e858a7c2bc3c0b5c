"""`voicebot-local transcribe`: the recognizer alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from voicebot_local.audio.recording import check_recording
from voicebot_local.cli.options import Backend, ConfigFile, say, tell
from voicebot_local.config import load_config
from voicebot_local.stages.one import open_stage, prepared, until_stopped
from voicebot_local.stages.transcribing import Said
from voicebot_local.stages.transcribing import transcribe as recognize

EXAMPLES = """
Examples:
  voicebot-local transcribe interview.mp3
  voicebot-local transcribe --words speech.wav      when each word was said
  voicebot-local transcribe --json speech.wav       every partial result, too
"""


def transcribe(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="WAV, FLAC, OGG or MP3, any rate and channels.")
    ],
    words: Annotated[bool, typer.Option("--words", help="Say when each word was said.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object a line for each result, partial or final."),
    ] = False,
    backend: Backend = "auto",
    config: ConfigFile = None,
) -> None:
    """Write down what is said in a recording. Only the recognizer is loaded.

    The text comes while the recording is read: one line for each utterance.
    """
    settings = prepared(load_config(backend, config), "recognizer")
    check_recording(file)

    async def work() -> None:
        with ExitStack() as shown:
            show: Callable[[Said], None] = _as_json if as_json else partial(_lines, words)
            async with open_stage(settings, "recognizer", tell) as recognizer:
                if not as_json and sys.stdout.isatty():
                    show = shown.enter_context(_Growing(words)).show
                count = await recognize(recognizer, file, settings.turn, show)
        if not count:
            say(f"No speech was found in {file}.")

    until_stopped(work)


def _as_json(said: Said) -> None:
    found: dict[str, Any] = asdict(said) | {"final": said.end_s is not None}
    for key in ("start_s", "end_s"):
        found[key] = None if found[key] is None else round(found[key], 3)
    for word in found["words"]:
        word["start_s"], word["end_s"] = round(word["start_s"], 3), round(word["end_s"], 3)
    print(json.dumps(found, ensure_ascii=False), flush=True)


def _lines(words: bool, said: Said) -> None:
    if said.end_s is None:
        return
    print(said.text or "(nothing was understood)", flush=True)
    if words:
        for word in said.words:
            print(f"{word.start_s:9.2f} {word.end_s:8.2f}  {word.text}", flush=True)


class _Growing:
    """On a terminal the line of an utterance grows while it is recognized."""

    def __init__(self, words: bool) -> None:
        self._words = words
        self._live = Live(console=Console(), auto_refresh=False, transient=True)

    def __enter__(self) -> _Growing:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, said: Said) -> None:
        if said.end_s is None:
            self._live.update(Text(f"{_time(said.start_s)}  {said.text} …", "dim"), refresh=True)
            return
        self._live.update(Text(""), refresh=True)
        out = self._live.console
        out.print(
            Text.assemble((f"{_time(said.start_s)}  ", "dim"), said.text or "(not understood)")
        )
        for word in said.words if self._words else ():
            out.print(Text(f"{word.start_s:9.2f} {word.end_s:8.2f}  {word.text}", "dim"))


def _time(seconds: float) -> str:
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"
