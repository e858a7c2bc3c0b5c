"""Voices: those that a synthesizer has, and the user's own, each a recording to speak like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicebot_local import paths
from voicebot_local.audio.recording import Recording, check_recording
from voicebot_local.audio.wav import WavWriter
from voicebot_local.errors import InputError, ModelError
from voicebot_local.gpu.checkpoint import Unreadable, torch_names
from voicebot_local.providers.base import ProviderConfig, Samples
from voicebot_local.providers.tts.espeak import EspeakConfig
from voicebot_local.providers.tts.xtts import XttsConfig

KEPT_RATE = 24_000
"""XTTS listens at 22.05 kHz; what a recording has above half of this is of no use to it."""
LOWEST_RATE = 16_000
SHORTEST_S, SHORT_S, LONGEST_S = 3.0, 6.0, 30.0
QUIETEST_DBFS, QUIET_DBFS = -50.0, -35.0
"""Of the speech: below the first nothing can be learnt from it, below the second little."""
NOISY_DB = 20.0
"""Speech that is not so much louder than the pauses has noise or music behind it."""
CLIPPED = 0.999
CLIPPED_SHARE, CLIPPED_A_LITTLE = 1e-3, 1e-5
RECORD = "Record 6 to 30 seconds of one person speaking, close to the microphone, without noise."
_NAME = re.compile(r"\w[\w .'-]{0,39}")


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """A voice of the user's own."""

    name: str
    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recording is like: levels in dBFS, `clipped` a share of its samples."""

    seconds: float
    speech_dbfs: float
    floor_dbfs: float
    clipped: float


def own_voices() -> list[OwnVoice]:
    """The user's own voices by name."""
    found = sorted(paths.voices_dir().glob("*.wav"))
    return [OwnVoice(path.stem, path, check_recording(path).duration_s) for path in found]


def model_voices(synthesizer: ProviderConfig) -> list[str]:
    """The voices that a synthesizer brings along; none where only its service knows them.

    Nothing is loaded. Raises ModelError where the model's list cannot be read.
    """
    if isinstance(synthesizer, EspeakConfig):
        from voicebot_local.providers.tts.espeak_library import load

        # Names with a slash are the same voices once more, by their files.
        return sorted(name for name in load().voices if "/" not in name)
    if isinstance(synthesizer, XttsConfig):
        file = synthesizer.model / "speakers_xtts.pth"
        if not file.is_file():
            return []
        try:
            return sorted(torch_names(file))
        except Unreadable as error:
            raise ModelError(
                f"{file} is not a list of XTTS speakers: {error}.", "Download it again."
            ) from error
    return []


def add_voice(name: str, recording: Path, *, replace: bool = False) -> tuple[OwnVoice, list[str]]:
    """Keep a recording as a voice of one's own; what could be better about it.

    It is kept as mono, its first 30 s, readable by its owner only. Raises InputError for a name
    that is none or taken, and for a recording that is of no use.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a voice.", "Use letters, digits and spaces, 40 at the most."
        )
    taken = paths.own_voice(name)
    if taken is not None and not replace:
        raise InputError(
            f"There is a voice {taken.stem!r} already.", "Choose another name, or say --replace."
        )
    samples, advice = _examined(recording)
    place = paths.voices_dir()
    part = place / f"{name}.part"
    try:
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o700)
        part.touch(0o600)
        with WavWriter(part, KEPT_RATE, 1) as file:
            file.write(samples)
        target = taken or place / f"{name}.wav"
        part.replace(target)
    except OSError as error:
        raise InputError(f"{place} cannot be written: {error.strerror}.", "Make room.") from error
    return OwnVoice(target.stem, target, len(samples) / KEPT_RATE), advice


def remove_voice(name: str) -> OwnVoice:
    """Delete a voice of one's own. Raises InputError where there is none of that name."""
    path = paths.own_voice(name)
    if path is None:
        names = ", ".join(voice.name for voice in own_voices()) or "none"
        raise InputError(f"You have no voice {name!r}.", f"You have: {names}.")
    voice = OwnVoice(path.stem, path, check_recording(path).duration_s)
    path.unlink()
    return voice


def _examined(recording: Path) -> tuple[Samples, list[str]]:
    info = check_recording(recording)
    if info.rate < LOWEST_RATE:
        raise InputError(
            f"{recording} has {info.rate} samples a second, as a telephone has; a voice needs "
            f"{LOWEST_RATE}.",
            RECORD,
        )
    with Recording(recording, KEPT_RATE) as sound:
        samples = sound.read(round(LONGEST_S * KEPT_RATE))
    heard = listen(samples, KEPT_RATE)
    for wrong, what in _refusals(heard):
        if wrong:
            raise InputError(f"{recording} {what}.", RECORD)
    advice = [what for doubtful, what in _advice(heard, info.duration_s) if doubtful]
    return samples, advice


def listen(samples: Samples, rate: int) -> Heard:
    """What a recording is like, in pieces of 50 ms: the loud ones are speech, the quiet pauses."""
    size = rate // 20
    pieces = samples[: len(samples) // size * size].reshape(-1, size)
    power = (pieces.astype(np.float64) ** 2).mean(axis=1) if len(pieces) else np.zeros(1)
    levels = 10 * np.log10(np.maximum(power, 1e-12))
    clipped = float(np.mean(np.abs(samples) >= CLIPPED)) if len(samples) else 0.0
    return Heard(
        len(samples) / rate,
        float(np.percentile(levels, 80)),
        float(np.percentile(levels, 5)),
        clipped,
    )


def _refusals(heard: Heard) -> Sequence[tuple[bool, str]]:
    return (
        (heard.seconds < SHORTEST_S, f"is only {heard.seconds:.1f} s long"),
        (heard.speech_dbfs < QUIETEST_DBFS, f"is too quiet ({heard.speech_dbfs:.0f} dBFS)"),
        (heard.clipped > CLIPPED_SHARE, f"is clipped ({heard.clipped:.1%} of its samples)"),
    )


def _advice(heard: Heard, whole_s: float) -> Sequence[tuple[bool, str]]:
    gap = heard.speech_dbfs - heard.floor_dbfs
    return (
        (heard.seconds < SHORT_S, "It is short; 6 seconds or more sound better."),
        (whole_s > LONGEST_S, f"Its first {LONGEST_S:.0f} s are used, of {whole_s:.0f} s."),
        (heard.speech_dbfs < QUIET_DBFS, "It is quiet; a louder recording sounds better."),
        (heard.clipped > CLIPPED_A_LITTLE, "A few samples are clipped; record it less loud."),
        (gap < NOISY_DB, f"Its pauses are only {gap:.0f} dB below the speech: is there noise?"),
    )
