"""Which sound card a conversation gets: the machine's, or recordings where it has none."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from voicebot_local import paths
from voicebot_local.audio.card import SoundCard
from voicebot_local.audio.file_card import FileCard
from voicebot_local.config import AudioConfig
from voicebot_local.errors import ConfigError
from voicebot_local.session import Clock

SESSION_FILE = Path("session.wav")
"""Where a conversation that nobody can hear is written, in the current directory."""


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card, and what the choice of it brings along.

    `clock` is what paces recordings; `record` is where such a session should be written unless the
    user names another file; `notices` say what the user should know.
    """

    card: SoundCard
    clock: Clock | None = None
    record: Path | None = None
    notices: tuple[str, ...] = ()


def choose_card(
    audio: AudioConfig,
    recordings: Sequence[Path],
    pace: Literal["realtime", "fast"],
    *,
    typed: bool,
) -> Card:
    """Recordings where some are given; else the machine's devices; else the examples.

    Where turns are `typed` nothing is listened to. Raises InputError for a recording that cannot
    be read, DeviceError for a device that was named and cannot be used.
    """
    if typed and recordings:
        raise ConfigError("--text and --input exclude each other.", "Leave one of them out.")
    if recordings:
        return _recorded(audio, recordings, pace)
    devices = ...
    if typed:
        return _recorded(audio, (), pace)
    return replace(
        _recorded(audio, example_recordings(), pace),
        record=SESSION_FILE,
        notices=(
            "There is no sound card here, so this is a conversation from the recordings in "
            f"{paths.examples_dir()}; it is written to {SESSION_FILE}.",
        ),
    )


def example_recordings() -> list[Path]:
    """The recordings of `examples/conversation.toml`, in order."""
    file = paths.examples_dir() / "conversation.toml"
    turns = tomllib.loads(file.read_text("utf-8"))["turn"]
    return [file.parent / turn["file"] for turn in turns]


def _recorded(
    audio: AudioConfig, recordings: Sequence[Path], pace: Literal["realtime", "fast"]
) -> Card:
    card = FileCard(recordings, pace=pace, block_s=audio.block_s, playout_s=audio.playout_buffer_s)
    return Card(card, clock=card)
