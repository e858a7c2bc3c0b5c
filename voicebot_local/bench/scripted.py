"""Engines that cost nothing and say what they are told: what is left is the program itself.

For `bench --overhead` alone; they are no providers that a configuration can choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from voicebot_local.events import Stage
from voicebot_local.providers.base import (
    EngineInfo,
    Message,
    ProviderConfig,
    Samples,
    SpokenAudio,
    Steps,
    TextDelta,
    Transcript,
)
from voicebot_local.providers.registry import Choice, EngineKind, choice

RATE = 24_000
SPOKEN_S = 0.3


class ScriptedConfig(ProviderConfig):
    """There is nothing to set."""

    provider: Literal["scripted"] = "scripted"


class ScriptedRecognizerEngine:
    """Understands "hello" whatever is said, as soon as the sound ends."""

    def __init__(self, config: ScriptedConfig) -> None:  # noqa: ARG002
        self.info = EngineInfo("cpu")

    def transcribe(self, audio: Iterator[Samples], steps: Steps) -> Iterator[Transcript]:
        for _ in audio:
            pass
        with steps("chunk"):
            pass
        yield Transcript("hello", is_final=True)


class ScriptedChatEngine:
    """Answers "Yes." at once."""

    def __init__(self, config: ScriptedConfig) -> None:  # noqa: ARG002
        self.info = EngineInfo("cpu")

    def reply(self, messages: Sequence[Message], steps: Steps) -> Iterator[TextDelta]:  # noqa: ARG002
        with steps("token"):
            pass
        yield TextDelta("Yes.")

    def prefill(self, messages: Sequence[Message], steps: Steps) -> None:
        """There is nothing to read."""


class ScriptedSynthesizerEngine:
    """Gives each clause a third of a second of a tone that is audible from its first sample."""

    def __init__(self, config: ScriptedConfig) -> None:  # noqa: ARG002
        self.info = EngineInfo("cpu", RATE)
        phase = 2 * np.pi * 440 * np.arange(round(SPOKEN_S * RATE)) / RATE
        self._tone: Samples = (0.3 * np.cos(phase)).astype(np.float32)

    def speak(self, clauses: Iterator[str], steps: Steps) -> Iterator[SpokenAudio]:
        for number, clause in enumerate(clauses):
            if clause:
                with steps("block"):
                    pass
                yield SpokenAudio(self._tone, number)


def scripted() -> tuple[Choice, Choice, Choice]:
    """Recognizer, chat model and synthesizer, to be run in processes of their own."""
    stages: tuple[tuple[Stage, str], ...] = (
        ("recognizer", "Recognizer"),
        ("chat", "Chat"),
        ("synthesizer", "Synthesizer"),
    )
    here = "voicebot_local.bench.scripted"
    recognizer, chat, synthesizer = (
        choice(
            ScriptedConfig(),
            EngineKind(stage, f"{here}:Scripted{name}Engine", f"{here}:ScriptedConfig"),
        )
        for stage, name in stages
    )
    return recognizer, chat, synthesizer
