"""A user whose words lie in the sound, and a recognizer that hears exactly those it is given.

Each sample of speech carries its own time in its value, so whatever part of the sound reaches the
recognizer says which words are in it, and which were lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import numpy as np

from tests.session.scripted import RATE, ScriptCard
from voicebot_local.audio.card import CardNotice
from voicebot_local.providers.base import Samples, Transcript

SHARE = 0.6
"""A word is understood when so much of it was heard."""
LOW, HIGH = 0.1, 0.4


@dataclass(frozen=True)
class Said:
    """`text` from `start` to `end` (s), its words of equal length; "" is a cough."""

    start: float
    end: float
    text: str

    def words(self) -> list[tuple[str, float, float]]:
        words = self.text.split()
        step = (self.end - self.start) / max(1, len(words))
        return [
            (word, self.start + n * step, self.start + (n + 1) * step)
            for n, word in enumerate(words)
        ]


class SpokenCard(ScriptCard):
    """A card that hears `said`."""

    def __init__(
        self,
        said: Sequence[Said],
        duration_s: float,
        notices: Sequence[tuple[float, CardNotice]] = (),
    ) -> None:
        super().__init__([], duration_s, notices)
        self.said = said
        total = len(self.heard)
        for one in said:
            places = np.arange(round(one.start * RATE), round(one.end * RATE))
            self.heard[places] = LOW + (HIGH - LOW) * places / total

    def places(self, samples: Samples) -> Samples:
        """Which samples of the card's speech these are; silence is left out."""
        speech = samples[samples >= LOW / 2].astype(np.float64)
        return np.rint((speech - LOW) / (HIGH - LOW) * len(self.heard)).astype(np.int64)


@dataclass
class Listener:
    """Understands the words of `card`, each `lag_s` after it was heard, and the rest after the
    end; `partial`: while they are spoken, not only then."""

    card: SpokenCard
    lag_s: float = 0.15
    delay_s: float = 0.05
    partial: bool = True
    heard: list[Samples] = field(default_factory=list)
    """The places that reached it, call by call."""

    @asynccontextmanager
    async def transcribe(
        self, audio: AsyncIterable[Samples]
    ) -> AsyncIterator[AsyncIterator[Transcript]]:
        self.heard.append(np.zeros(0, np.int64))
        yield self._transcripts(audio, len(self.heard) - 1)

    async def _transcripts(
        self, audio: AsyncIterable[Samples], call: int
    ) -> AsyncIterator[Transcript]:
        shown = ""
        window: list[tuple[float, str]] = []
        async for samples in audio:
            places = self.card.places(samples)
            self.heard[call] = np.concatenate((self.heard[call], places))
            now = anyio.current_time()
            window.append((now, self._understood(self.heard[call])))
            known = [text for at, text in window if at <= now - self.lag_s]
            if self.partial and known and known[-1] != shown:
                shown = known[-1]
                yield Transcript(shown, is_final=False)
        await anyio.sleep(self.delay_s)
        yield Transcript(self._understood(self.heard[call]), is_final=True)

    def _understood(self, places: Samples) -> str:
        words = [word for one in self.card.said for word in one.words()]
        found = []
        for word, start, end in words:
            first, last = round(start * RATE), round(end * RATE)
            count = np.count_nonzero((places >= first) & (places < last))
            if count >= SHARE * (last - first):
                found.append(word)
        return " ".join(found)

    def missed(self, one: Said, seconds: float = 0.3) -> int:
        """Samples of the beginning of `one` that never reached it."""
        first = round(one.start * RATE)
        wanted = np.arange(first, first + round(min(seconds, one.end - one.start) * RATE))
        return int(np.count_nonzero(~np.isin(wanted, np.concatenate(self.heard))))
