"""The user turns that are played: a directory of recordings with what is said in them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voicebot_local.audio.level import LevelMeter
from voicebot_local.audio.recording import Recording, check_recording
from voicebot_local.bench.spans import Span
from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

LIST = "conversation.toml"
FORM = (
    f"Put WAV files there, each with what is said in a .txt beside it, or a {LIST} with "
    '`[[turn]]`, `file = "…"` and `transcript = "…"`.'
)


@dataclass(frozen=True, slots=True)
class UserTurn:
    """A recording of one turn of the user's; `transcript` is "" where it is not known."""

    path: Path
    transcript: str

    @property
    def name(self) -> str:
        """For tables: the file's name without its ending."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording as a session hears it: samples at `rate` Hz, audible from `start` to `end`."""

    rate: int
    samples: Samples
    start: int
    end: int


def span_of(turn: UserTurn, sound: Sound) -> Span:
    """Where the user speaks in the recording of one turn."""
    return Span(sound.start / sound.rate, sound.end / sound.rate, turn.transcript, turn.name)


def find_turns(directory: Path) -> list[UserTurn]:
    """The turns of a directory, in the order of its list or of their names.

    Raises InputError where there is none, or one that cannot be played.
    """
    listed = directory / LIST
    if listed.is_file():
        turns = _listed(listed)
    else:
        turns = [
            UserTurn(path, _beside(path))
            for path in sorted(directory.glob("*"))
            if path.suffix.lower() in (".wav", ".flac")
        ]
    if not turns:
        raise InputError(f"There are no recorded turns in {directory}.", FORM)
    for turn in turns:
        check_recording(turn.path)
    return turns


def load_sound(path: Path, rate: int) -> Sound:
    """Read a recording whole, at `rate` Hz.

    Raises InputError where it is damaged or nothing is audible.
    """
    with Recording(path, rate) as recording:
        blocks: list[Samples] = []
        while not recording.ended:
            blocks.append(recording.read(rate))
    samples = np.concatenate(blocks)
    meter = LevelMeter(rate, len(samples) / rate + 1)
    meter.push(samples)
    threshold_db = meter.threshold_db(len(samples), len(samples) / rate)
    start = meter.first_audible(0, threshold_db)
    end = meter.last_audible(len(samples), threshold_db)
    if start is None or end is None:
        raise InputError(f"Nothing is audible in {path}.", "Record it again, louder.")
    return Sound(rate, samples, start, end)


def _listed(listed: Path) -> list[UserTurn]:
    try:
        turns: list[dict[str, Any]] = tomllib.loads(listed.read_text("utf-8"))["turn"]
        return [
            UserTurn(listed.parent / turn["file"], str(turn.get("transcript", "")))
            for turn in turns
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{listed} is no list of turns: {error}.", FORM) from error


def _beside(path: Path) -> str:
    text = path.with_suffix(".txt")
    return text.read_text("utf-8").strip() if text.is_file() else ""
