"""The closed set of sentences, and espeak-ng speaking them in voices for training and for tests."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000

SENTENCES = (
    "what time is it",
    "what is the weather like today",
    "will it rain tomorrow morning",
    "set a timer for five minutes",
    "set a timer for ten minutes",
    "cancel the timer",
    "set an alarm for seven in the morning",
    "wake me up at half past six",
    "turn on the kitchen light",
    "turn off the kitchen light",
    "turn on the living room lamp",
    "turn off all the lights",
    "play some jazz music",
    "stop the music",
    "next song please",
    "turn the volume up",
    "turn the volume down",
    "add milk and eggs to my shopping list",
    "what is on my shopping list",
    "remind me to call my mother tonight",
    "remind me to take out the trash",
    "what is on my calendar tomorrow",
    "schedule a meeting with john on friday",
    "open the garage door",
    "lock the front door",
    "is the back door locked",
    "set the thermostat to twenty degrees",
    "how far away is the moon",
    "who wrote the great gatsby",
    "tell me a joke",
    "tell me the news",
    "how do you spell necessary",
    "what is twelve times nine",
    "translate good morning into french",
    "read my last message",
    "send a message to anna",
    "what can you do",
    "who are you",
    "stop",
    "never mind",
    "yes please",
    "no thank you",
    "thank you",
    "mm hm",
    "hello computer",
    "good night",
)

_ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
_VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+f1", "+f2", "+f3", "+croak", "+klatt2")

HELD_OUT_VOICES = (
    "en-us+m7",
    "en-us+f4",
    "en-gb+f4",
    "en-gb-x-rp+m7",
    "en-gb-scotland+f5",
    "en-us+m6",
)
"""Variants that no training utterance is spoken in."""


@dataclass(frozen=True, slots=True)
class Take:
    """One sentence as one voice says it: words a minute, pitch 0..99, extra gap in 10 ms."""

    sentence: int
    voice: str
    speed: int
    pitch: int
    gap: int = 0

    @property
    def text(self) -> str:
        return SENTENCES[self.sentence]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A take and its audio: 16 kHz, float32 in -1..1."""

    take: Take
    samples: NDArray[np.float32]


def speak(take: Take) -> Spoken:
    """Let espeak-ng (the command, version 1.51 or later) say one take."""
    command = ["espeak-ng", "-v", take.voice, "-s", str(take.speed), "-p", str(take.pitch)]
    command += ["-g", str(take.gap), "--stdout", take.text]
    wav = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    # What goes to a pipe has no true length in its header; the data chunk's start is what counts.
    samples = np.frombuffer(wav[44 : 44 + (len(wav) - 44) // 2 * 2], np.int16)
    rate = int.from_bytes(wav[24:28], "little")
    return Spoken(take, soxr.resample(samples.astype(np.float32) / 32768, rate, RATE))


def training_set(takes_per_sentence: int, seed: int = 1) -> list[Spoken]:
    """Every sentence, each in `takes_per_sentence` random training voices, speeds and pitches."""
    pick = random.Random(seed)
    return _speak_all(
        [
            Take(
                sentence,
                pick.choice(_ACCENTS) + pick.choice(_VARIANTS),
                pick.choice(range(120, 231, 10)),
                pick.choice(range(20, 81, 10)),
                pick.choice((0, 0, 0, 1)),
            )
            for sentence in range(len(SENTENCES))
            for _ in range(takes_per_sentence)
        ]
    )


def held_out_set(seed: int = 99) -> list[Spoken]:
    """Every sentence in every held-out voice, each at a random speed and pitch."""
    pick = random.Random(seed)
    return _speak_all(
        [
            Take(sentence, voice, pick.choice((135, 165, 185, 205)), pick.choice((35, 50, 65)))
            for sentence in range(len(SENTENCES))
            for voice in HELD_OUT_VOICES
        ]
    )


def as_wav(samples: NDArray[np.float32]) -> bytes:
    """A 16-bit mono WAV file of 16 kHz samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _speak_all(takes: Sequence[Take]) -> list[Spoken]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(speak, takes))
