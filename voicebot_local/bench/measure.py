"""Voice-to-voice latency, read off a finished recording: left the user, right the replies.

The recording must hold the user alone on the left: an echo of the reply there counts as the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicebot_local.audio.level import LevelMeter
from voicebot_local.audio.recording import check_recording
from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

PAUSE_S = 0.2
"""A silence of at least this long on the right may be the gap between two replies."""
SPEECH_S = 0.05
"""Less audible sound of the user's than this is a click and no turn."""
READ_FRAMES = 65_536


@dataclass(frozen=True, slots=True)
class VoiceToVoice:
    """One turn: positions just after the user's last audible sample, and of the reply's first."""

    user_end: int
    reply_start: int
    latency_s: float


def voice_to_voice(left: Samples, right: Samples, rate: int) -> list[VoiceToVoice]:
    """The turns of a session: float32 channels of one length, at `rate` Hz.

    A turn is sound of the user's and then a reply. Sound on the right that follows a pause is a
    new reply where the user spoke since the one before began, else the same reply going on. A
    reply that begins while the user still speaks has a latency of next to nothing.
    """
    meters = LevelMeter(rate, len(left) / rate + 1), LevelMeter(rate, len(right) / rate + 1)
    for meter, samples in zip(meters, (left, right), strict=True):
        meter.push(samples)
    return _turns(*meters)


def measure_file(path: Path) -> list[VoiceToVoice]:
    """The turns of a recorded session; raises InputError where it is none."""
    info = check_recording(path)
    if info.channels != 2:
        raise InputError(
            f"{path} has {info.channels} channel(s); a recorded session has two.",
            "Record one with `voicebot-local run --record session.wav`.",
        )
    keep_s = info.duration_s + 1
    left, right = LevelMeter(info.rate, keep_s), LevelMeter(info.rate, keep_s)
    with soundfile.SoundFile(path) as file:
        while len(block := file.read(READ_FRAMES, dtype="float32", always_2d=True)):
            left.push(np.ascontiguousarray(block[:, 0]))
            right.push(np.ascontiguousarray(block[:, 1]))
    return _turns(left, right)


def _turns(left: LevelMeter, right: LevelMeter) -> list[VoiceToVoice]:
    found: list[VoiceToVoice] = []
    since = 0
    for start, _ in right.sounds(PAUSE_S):
        threshold_db = left.threshold_db(start)
        user_end = left.last_audible(start, threshold_db)
        spoken_s = left.audible_s(since, start, threshold_db)
        if user_end is None or user_end <= since or spoken_s < SPEECH_S:
            continue
        found.append(VoiceToVoice(user_end, start, (start - user_end) / left.rate))
        since = start
    return found
