"""`voicebot-local run`: hold a conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from voicebot_local.cli.history import kept_conversation
from voicebot_local.cli.options import InputDevice, OutputDevice, device, voice_path
from voicebot_local.cli.screen import screen
from voicebot_local.config import STARTER_NOTICE, load
from voicebot_local.history.store import database_path, past_turns
from voicebot_local.start import Options, hold_conversation
from voicebot_local.talk_key import TalkKeys

KEYS = "Space: talk, by tapping or holding it. Again, or silence: done. A line and Enter: a turn."


def run(
    backend: Annotated[
        str,
        typer.Option(
            help="auto, starter, local or hosted; auto takes local where its models are, else "
            "starter. What you say to hosted leaves this machine."
        ),
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file on top of the profile.")
    ] = None,
    input_: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="A recording instead of the microphone; give it again for the next turn's, which "
            "begins when the reply has ended.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the replies to this WAV file.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the session to this WAV file: left the microphone, right the loudspeaker.",
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the event log, one JSON a line.")
    ] = None,
    pace: Annotated[
        Literal["realtime", "fast"],
        typer.Option(help="How fast recordings go; latencies mean something in realtime only."),
    ] = "realtime",
    text: Annotated[
        bool, typer.Option("--text", help="Type instead of speaking; the reply is spoken.")
    ] = False,
    input_device: InputDevice = None,
    output_device: OutputDevice = None,
    headset: Annotated[
        bool,
        typer.Option("--headset", help="You wear one: the microphone does not hear the reply."),
    ] = False,
    push_to_talk: Annotated[
        bool,
        typer.Option(
            "--push-to-talk",
            help="Be heard after the space bar only: tap or hold it, and tap again, let go or "
            "fall silent when you are done. It interrupts a reply at once. A typed line is a turn.",
        ),
    ] = False,
    persona: Annotated[
        str | None,
        typer.Option(metavar="FILE|TEXT", help="Who the assistant is, in a file or in words."),
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="The synthesizer's voice, or a recording of one (XTTS).")
    ] = None,
    save: Annotated[
        bool | None,
        typer.Option(
            "--save/--no-save", help="Keep the conversation; see `voicebot-local history`."
        ),
    ] = None,
    continue_: Annotated[
        str | None,
        typer.Option(
            "--continue",
            metavar="[ID]",
            help="Take up a kept conversation again, the last one where no number is given.",
        ),
    ] = None,
    turns: Annotated[
        int | None, typer.Option(min=0, help="End after so many turns; 0: no limit.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a finished turn, nothing else.")
    ] = False,
    offline: Annotated[
        bool | None,
        typer.Option("--offline/--no-offline", help="Reach nothing but this machine (default)."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show what engines write, and traces of errors.")
    ] = False,
) -> None:
    """Hold a spoken conversation, until Ctrl-C."""
    chosen: list[tuple[str, str, Any]] = [
        ("--input-device", "audio.input_device", device(input_device)),
        ("--output-device", "audio.output_device", device(output_device)),
        ("--headset", "echo.cancel", "off" if headset else None),
        ("--push-to-talk", "turn.mode", "push-to-talk" if push_to_talk else None),
        ("--persona", *persona_flag(persona)),
        ("--voice", "synthesizer.voice", voice_path(voice)),
        ("--turns", "session.turns", turns),
        ("--offline", "session.offline", offline),
        ("--save", "session.save", save),
    ]
    loaded = load(backend, config, [flag for flag in chosen if flag[2] is not None])
    settings = loaded.config
    by_key = settings.turn.mode == "push-to-talk" and not text
    starter = (STARTER_NOTICE,) if (backend, settings.backend) == ("auto", "starter") else ()
    resumed = None if continue_ is None else kept_conversation(continue_)
    options = Options(
        recordings=tuple(input_ or ()),
        output=output,
        record=record,
        events=events,
        pace=pace,
        typed=sys.stdin if text else None,
        keys=TalkKeys(sys.stdin, sys.stderr if json else sys.stdout) if by_key else None,
        debug=debug,
        resumed=resumed,
        past=() if resumed is None else past_turns(database_path(), resumed),
        notices=(*loaded.notes, *starter, *((KEYS,) if by_key else ())),
    )
    hold_conversation(settings, options, screen(as_json=json, typed=text, keys=by_key, debug=debug))


def persona_flag(value: str | None) -> tuple[str, Any]:
    """The key that `--persona` sets, and its value: a file of words, or the words."""
    if value is not None and (value.endswith((".txt", ".md")) or _is_file(value)):
        return "persona.file", value
    return "persona.text", value


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except OSError:  # Words can be too long for a file name.
        return False
