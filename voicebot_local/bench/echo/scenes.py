"""The assistant talks without end, the user speaks over it: what each way leaves of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from voicebot_local.audio.vad import VoiceActivity
from voicebot_local.bench.echo.room import Echo, Room
from voicebot_local.bench.echo.speech import assistant_speech, speech_level, user_speech
from voicebot_local.bench.echo.ways import Way, timed
from voicebot_local.bench.figures import Figure, figure
from voicebot_local.providers.base import RECOGNIZER_RATE as RATE
from voicebot_local.providers.base import Samples
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.settings import TurnSettings

FIRST_S = 10.0
"""When the user first speaks; the filter has learnt by then. Speech that the detector finds before
is counted as false like any other."""
EVERY_S = 6.5
AFTER_S = 0.5
"""Speech that is found so long after the user's counts as the user's."""
AGAIN_S = 1.5
"""How long after an interruption the assistant talks again, as if it were another reply's."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`heard` is `echo`, noise included, and the user's speech; `spans` is where that is."""

    played: Samples
    heard: Samples
    echo: Samples
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one way does in one scene.

    `erle_db`: how much quieter the echo has become, in the second half, where the user is silent.
    `false_per_min`: how often the detector finds speech for as long as a barge-in takes, where
    there is none. `found` of `spoken`: barge-ins; `reaction_ms` from their first sample.
    """

    room: str
    user_db: float
    way: str
    erle_db: float
    false_per_min: float
    found: int
    spoken: int
    reaction_ms: Figure | None
    cpu_ms_per_10ms: float


def make_scene(room: Room, user_db: float, seconds: float) -> Scene:
    """The user's speech is `user_db` louder than the echo."""
    played = assistant_speech(RATE, seconds)
    echo = Echo(room, RATE).push(played)
    target = speech_level(echo, RATE) * 10 ** (user_db / 20)
    sentences = user_speech(RATE)
    user = np.zeros_like(echo)
    spans = []
    for number, at in enumerate(np.arange(FIRST_S, seconds - 6, EVERY_S)):
        sentence = sentences[number % len(sentences)]
        # Not always at the same place of the assistant's sentences.
        start = round((at + 0.37 * (number % 3)) * RATE)
        spans.append((start, start + len(sentence)))
        user[slice(*spans[-1])] += sentence * (target / speech_level(sentence, RATE))
    return Scene(played, (echo + user).astype(np.float32), echo, tuple(spans))


def measure(scene: Scene, way: Way, barge_in_s: float) -> tuple[float, float, list[float], float]:
    """ERLE in dB, false detections a minute, milliseconds to each barge-in found, processor ms."""
    left, cpu = timed(way, scene.heard, scene.played)
    left = left[: len(scene.heard)]
    found: dict[int, float] = {}
    false = 0
    for at in detections(left, barge_in_s):
        spoken = [n for n, (a, b) in enumerate(scene.spans) if a <= at <= b + AFTER_S * RATE]
        if not spoken:
            false += 1
        elif spoken[0] not in found:
            found[spoken[0]] = (at - scene.spans[spoken[0]][0]) / RATE * 1000
    minutes = len(left) / RATE / 60
    return _erle_db(scene, left), false / minutes, list(found.values()), cpu


def detections(sound: Samples, barge_in_s: float) -> Iterator[int]:
    """Where the voice detector has found so much speech; `AGAIN_S` later it is found again."""
    run = SpeechRun(TurnSettings())
    known = -RATE * 60
    for position, probability in VoiceActivity().push(sound):
        run.push(position, probability)
        if run.voiced_s >= barge_in_s and position - known >= AGAIN_S * RATE:
            yield position
            known = position
            run.reset()


def _erle_db(scene: Scene, left: Samples) -> float:
    quiet = np.zeros(len(left), bool)
    quiet[len(left) // 2 :] = True
    for start, end in scene.spans:
        quiet[start : end + RATE] = False
    before, after = scene.echo[: len(left)][quiet], left[quiet]
    return float(10 * np.log10(np.mean(before**2) / np.mean(after**2)))


def compare(
    rooms: dict[str, Room],
    user_dbs: Iterable[float],
    ways: dict[str, Way],
    seconds: float,
    barge_in_s: float,
) -> Iterator[Finding]:
    """Every way in every room at every level."""
    levels = list(user_dbs)
    for name, room in rooms.items():
        for user_db in levels:
            scene = make_scene(room, user_db, seconds)
            for way, cancel in ways.items():
                erle_db, false, found, cpu = measure(scene, cancel, barge_in_s)
                yield Finding(
                    name,
                    user_db,
                    way,
                    round(erle_db, 1),
                    round(false, 2),
                    len(found),
                    len(scene.spans),
                    figure(found),
                    round(cpu, 3),
                )
