"""A card, a detector and three providers that do what a test tells them, on the test's clock."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import numpy as np

from voicebot_local.audio.card import Block, CardNotice
from voicebot_local.audio.playout import FADE_S, Playout
from voicebot_local.errors import VoicebotError
from voicebot_local.providers.base import (
    Message,
    Recognizer,
    Samples,
    SpokenAudio,
    TextDelta,
    Transcript,
    Word,
)

RATE = 16_000
BLOCK = 320
WINDOW = 512


class LoudnessDetector:
    """Speech is whatever is louder than a whisper: the test's own noise bursts."""

    def __init__(self) -> None:
        self.position = 0
        self._pending = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> list[tuple[int, float]]:
        self._pending = np.concatenate((self._pending, samples))
        found = []
        while len(self._pending) >= WINDOW:
            window, self._pending = self._pending[:WINDOW], self._pending[WINDOW:]
            self.position += WINDOW
            found.append((self.position, 0.9 if np.abs(window).mean() > 0.05 else 0.1))
        return found


class ScriptCard:
    """Plays `speech`, (start, end) pairs in seconds, at an amplitude of 0.2; keeps what it plays.

    `notices`: (time, notice) pairs given between blocks.
    """

    name = "script"
    rate = RATE

    def __init__(
        self,
        speech: Sequence[tuple[float, float]],
        duration_s: float,
        notices: Sequence[tuple[float, CardNotice]] = (),
    ) -> None:
        total = round(duration_s * RATE) // BLOCK * BLOCK
        self.heard = np.zeros(total, np.float32)
        for start, end in speech:
            self.heard[round(start * RATE) : round(end * RATE)] = 0.2
        self.played: list[Samples] = []
        self.playout = Playout(RATE * 60, round(FADE_S * RATE))
        self._notices = list(notices)

    def rest(self, resting: bool) -> None:
        """Every block comes at once in these tests."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[Block | CardNotice]]:
        yield self._blocks()

    async def _blocks(self) -> AsyncIterator[Block | CardNotice]:
        start = anyio.current_time()
        for position in range(0, len(self.heard), BLOCK):
            while self._notices and self._notices[0][0] * RATE <= position:
                yield self._notices.pop(0)[1]
            await anyio.sleep_until(start + (position + BLOCK) / RATE)
            played = self.playout.pull(BLOCK)
            self.played.append(played.samples)
            last = position + BLOCK == len(self.heard)
            heard = self.heard[position : position + BLOCK]
            yield Block(position, heard, played, end_of_input=last)
        while True:
            position += BLOCK
            await anyio.sleep_until(start + (position + BLOCK) / RATE)
            yield Block(position, np.zeros(BLOCK, np.float32), self.playout.pull(BLOCK))


@dataclass
class ScriptRecognizer:
    """Gives `texts` call after call, `delay_s` after the audio's end; an exception is raised."""

    texts: list[str | VoicebotError]
    delay_s: float = 0.05
    audio: list[Samples] = field(default_factory=list)
    calls: int = 0

    @asynccontextmanager
    async def transcribe(
        self, audio: AsyncIterable[Samples]
    ) -> AsyncIterator[AsyncIterator[Transcript]]:
        self.calls += 1
        yield self._transcripts(audio, self.calls - 1)

    async def _transcripts(
        self, audio: AsyncIterable[Samples], call: int
    ) -> AsyncIterator[Transcript]:
        text = self.texts[call]
        blocks = [samples async for samples in audio]
        self.audio.append(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))
        await anyio.sleep(self.delay_s)
        if isinstance(text, VoicebotError):
            raise text
        yield Transcript(text, is_final=True)


@dataclass
class ScriptChat:
    """Gives `replies` one call after another, word by word, one each `delay_s`."""

    replies: list[str | VoicebotError]
    delay_s: float = 0.02
    asked: list[list[Message]] = field(default_factory=list)
    prefilled: list[list[Message]] = field(default_factory=list)
    cancelled: int = 0

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[AsyncIterator[TextDelta]]:
        self.asked.append(list(messages))
        try:
            yield self._deltas(self.replies[len(self.asked) - 1])
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise

    async def prefill(self, messages: Sequence[Message]) -> None:
        self.prefilled.append(list(messages))

    async def _deltas(self, text: str | VoicebotError) -> AsyncIterator[TextDelta]:
        await anyio.sleep(self.delay_s)
        if isinstance(text, VoicebotError):
            raise text
        for number, word in enumerate(text.split(" ")):
            await anyio.sleep(self.delay_s)
            yield TextDelta(word if number == 0 else " " + word)


@dataclass
class ScriptSynthesizer:
    """Each word takes `word_s` of constant sound and `cost_s` of work; an exception is raised.

    Call number n, from 1, speaks at the level `level(n)`, so a recording tells the calls apart.
    """

    word_s: float = 0.25
    cost_s: float = 0.02
    with_words: bool = True
    failures: list[VoicebotError | None] = field(default_factory=list)
    sample_rate: int = RATE
    said: list[str] = field(default_factory=list)
    calls: int = 0

    @asynccontextmanager
    async def speak(self, clauses: AsyncIterable[str]) -> AsyncIterator[AsyncIterator[SpokenAudio]]:
        self.calls += 1
        failure = self.failures[self.calls - 1] if self.calls <= len(self.failures) else None
        yield self._audio(clauses, failure, self.level(self.calls))

    @staticmethod
    def level(call: int) -> float:
        return float(np.float32(0.1 + 0.01 * call))

    async def _audio(
        self, clauses: AsyncIterable[str], failure: VoicebotError | None, level: float
    ) -> AsyncIterator[SpokenAudio]:
        number = -1
        async for clause in clauses:
            number += 1
            self.said.append(clause)
            if failure is not None:
                raise failure
            for place, word in enumerate(clause.split()):
                await anyio.sleep(self.cost_s)
                samples = np.full(round(self.word_s * RATE), level, np.float32)
                start = place * self.word_s
                words = (Word(word, start, start + self.word_s),) if self.with_words else ()
                yield SpokenAudio(samples, number, words)


@dataclass
class ScriptProviders:
    """The three together."""

    recognizer: Recognizer
    chat: ScriptChat
    synthesizer: ScriptSynthesizer = field(default_factory=ScriptSynthesizer)
