"""Which sound card a conversation gets: the machine's, or recordings where it has none."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from voicebot_local import paths
from voicebot_local.audio.card import SoundCard
from voicebot_local.audio.device_card import DeviceCard
from voicebot_local.audio.devices import KIND, Direction, list_devices
from voicebot_local.audio.file_card import FileCard
from voicebot_local.config import AudioConfig
from voicebot_local.errors import ConfigError, DeviceError
from voicebot_local.session import Clock

SESSION_FILE = Path("session.wav")
"""Where a conversation that nobody can hear is written, in the current directory."""


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card, and what the choice of it brings along.

    `clock` is what paces recordings; `record` is where such a session should be written unless the
    user names another file; `notices` say what the user should know. `echoes`: the microphone may
    hear the loudspeaker.
    """

    card: SoundCard
    clock: Clock | None = None
    record: Path | None = None
    notices: tuple[str, ...] = ()
    echoes: bool = False


def choose_card(
    audio: AudioConfig,
    recordings: Sequence[Path],
    pace: Literal["realtime", "fast"],
    *,
    typed: bool,
) -> Card:
    """Recordings where some are given; else the machine's devices; else the examples.

    Where turns are `typed` nothing is listened to, so that a loudspeaker is enough. Raises
    InputError for a recording that cannot be read, DeviceError for a device that was named and
    cannot be used, or that is busy.
    """
    if typed and recordings:
        raise ConfigError("--text and --input exclude each other.", "Leave one of them out.")
    if recordings:
        return _recorded(recordings, pace)
    missing = "" if _named(audio) else _missing(capture=not typed)
    if not missing:
        return Card(
            DeviceCard(
                _wanted(audio.input_device), _wanted(audio.output_device), capture=not typed
            ),
            echoes=not typed,
        )
    if typed:
        notice = f"{missing} Replies are shown, and can be written with --output FILE."
        return replace(_recorded((), pace), notices=(notice,))
    examples = example_recordings()
    notice = (
        f"{missing} So here is a conversation from the recordings in {paths.examples_dir()}; "
        f"its sound is written to {SESSION_FILE} unless --record names another file."
    )
    return replace(_recorded(examples, pace), record=SESSION_FILE, notices=(notice,))


def example_recordings() -> list[Path]:
    """The recordings of `examples/conversation.toml`, in order."""
    file = paths.examples_dir() / "conversation.toml"
    turns = tomllib.loads(file.read_text("utf-8"))["turn"]
    return [file.parent / turn["file"] for turn in turns]


def _recorded(recordings: Sequence[Path], pace: Literal["realtime", "fast"]) -> Card:
    card = FileCard(recordings, pace=pace)
    return Card(card, clock=card)


def _wanted(device: int | str) -> int | str | None:
    return None if device == "" else device


def _named(audio: AudioConfig) -> bool:
    return audio.input_device != "" or audio.output_device != ""


def _missing(*, capture: bool) -> str:
    """What this machine lacks for a conversation aloud, or ""."""
    try:
        devices = list_devices()
    except DeviceError as error:
        return f"{error.message} {error.mend}"
    directions: list[Direction] = ["input", "output"] if capture else ["output"]
    lacking = [
        KIND[direction]
        for direction in directions
        if not any(device.channels(direction) for device in devices)
    ]
    return f"There is no {' and no '.join(lacking)} on this machine." if lacking else ""
