"""What is said in the simulated rooms: by the assistant, and over it by the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from voicebot_local.audio.resample import Resampler
from voicebot_local.bench.recordings import load_sound
from voicebot_local.cards import example_recordings
from voicebot_local.providers.base import Samples
from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

SENTENCES = (
    "The weather today is mild, with a little rain in the evening and a light wind from the west.",
    "Paris is the capital of France, and it has been so for more than a thousand years.",
    "I can tell you a joke, answer a question, or keep you company while you cook.",
    "A good loaf of bread wants flour, water, salt, and a great deal of patience.",
    "Once upon a time there was a fisherman who lived by the sea with his three daughters.",
    "Light takes about eight minutes to travel from the sun to the earth.",
    "You should stretch your shoulders every hour, and look out of the window now and then.",
    "The train leaves at a quarter past nine, so there is still plenty of time for breakfast.",
)
USED = 6
"""The first examples are said over the assistant."""


class _Steps:
    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:  # noqa: ARG002
        yield


def assistant_speech(rate: int, seconds: float) -> Samples:
    """The sentences in espeak's voice, again and again, with its pauses between them."""
    engine = EspeakEngine(EspeakConfig())
    resampler = Resampler(engine.info.sample_rate, rate)
    spoken = np.concatenate([part.samples for part in engine.speak(iter(SENTENCES), _Steps())])
    once = np.concatenate((resampler.push(spoken), resampler.finish()))
    return np.resize(once, round(seconds * rate))


def user_speech(rate: int) -> list[Samples]:
    """Sentences of the examples, each from its first audible sample to its last."""
    sounds = [load_sound(path, rate) for path in example_recordings()[:USED]]
    return [sound.samples[sound.start : sound.end] for sound in sounds]


def speech_level(samples: Samples, rate: int) -> float:
    """The root mean square of the 20 ms that are speech: not 30 dB below the loudest."""
    width = rate // 50
    frames = samples[: len(samples) // width * width].reshape(-1, width)
    powers = (frames**2).mean(axis=1)
    return float(np.sqrt(powers[powers > powers.max() * 1e-3].mean()))
