"""A small labelled set for `endpointing-eval`: espeak's speech with pauses put in.

Its words and times are right, so it tests the plumbing. It says nothing of how well a detector
hears people: synthesized speech does not sound unfinished where it is.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from voicebot_local.providers.base import Samples, Word
from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

RATE = 16_000
BEFORE_S, AFTER_S = 0.3, 0.2
TURNS: dict[str, list[str | float]] = {
    "dangling": ["tell me about the", 0.9, "weather in spring"],
    "fillers": ["i would like um", 1.1, "a joke and", 0.75, "a story"],
    "short": ["what is", 0.4, "the capital of france"],
    "command": ["stop"],
    "question": ["what time is it"],
    "long": ["we went to the lake", 1.3, "it was cold"],
}
"""What is said, piece by piece, with the pauses between (s)."""


def make(directory: Path) -> None:
    """Write the set into `directory`."""
    engine = EspeakEngine(EspeakConfig(rate_wpm=170))
    for name, pieces in TURNS.items():
        parts: list[Samples] = [np.zeros(round(BEFORE_S * RATE), np.float32)]
        words: list[Word] = []
        pauses: list[list[float]] = []
        at_s = BEFORE_S
        for piece in pieces:
            if isinstance(piece, float):
                pauses.append([round(at_s, 4), round(at_s + piece, 4)])
                parts.append(np.zeros(round(piece * RATE), np.float32))
                at_s += piece
                continue
            samples, spoken = _speak(engine, piece)
            words += [Word(w.text, at_s + w.start_s, at_s + w.end_s) for w in spoken]
            parts.append(samples)
            at_s += len(samples) / RATE
        label: dict[str, Any] = {"pauses": pauses, "end": round(at_s, 4)}
        label["words"] = [{"text": w.text, "start": w.start_s, "end": w.end_s} for w in words]
        parts.append(np.zeros(round(AFTER_S * RATE), np.float32))
        soundfile.write(directory / f"{name}.wav", np.concatenate(parts), RATE)
        (directory / f"{name}.json").write_text(json.dumps(label))


def _speak(engine: EspeakEngine, text: str) -> tuple[Samples, list[Word]]:
    """The speech without the silence around it, and its words."""
    spoken = list(engine.speak(iter([text]), lambda _: nullcontext()))
    rate = engine.info.sample_rate
    samples = soxr.resample(np.concatenate([part.samples for part in spoken]), rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    begin, end = int(loud[0]), int(loud[-1]) + 1
    length_s = (end - begin) / RATE
    words = [
        Word(w.text, max(0.0, w.start_s - begin / RATE), min(length_s, w.end_s - begin / RATE))
        for part in spoken
        for w in part.words
    ]
    return samples[begin:end].astype(np.float32), words
