"""Streams XTTS one token at a time: a token loop over a fixed key-value cache, a windowed vocoder.

The package's own stream decodes all latents again for every chunk, hands control back only once a
chunk, and differs slightly from its non-streamed `inference()`. This one does each piece of work
once, can stop after every token, and gives what `inference()` gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicebot_local.providers.base import Samples, Steps
from voicebot_local.providers.tts.xtts_tokens import Sampling, TokenLoop
from voicebot_local.providers.tts.xtts_vocoder import WindowedVocoder

if TYPE_CHECKING:
    from voicebot_local.providers.tts.xtts_graph import StepGraphs


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is spoken in one go. `ids`: int64 (1, n), n ≤ 400; at most `limit` audio tokens."""

    text: str
    ids: Any
    limit: int


@dataclass(frozen=True, slots=True)
class Voice:
    """`latents`: float32 (1, 32, width) for the token loop; `embedding`: (1, 512, 1), vocoder."""

    latents: Any
    embedding: Any

    def to(self, device: Any) -> Voice:
        return Voice(self.latents.to(device), self.embedding.to(device))


@dataclass(frozen=True, slots=True)
class Chunks:
    """After how many tokens audio is made, the first time and later. A token is 46 ms."""

    first: int
    later: int


class OwnDecoder:
    """Speaks pieces with the token loop and the windowed vocoder."""

    def __init__(self, model: Any, voice: Voice, sampling: Sampling, chunks: Chunks) -> None:
        self.loop = TokenLoop(model.gpt, sampling, voice.latents)
        self._vocoder = WindowedVocoder(model.hifigan_decoder)
        self._voice = voice
        self._chunks = chunks
        self._graphs: StepGraphs | None = None

    def warm(self) -> None:
        """Let a GPU's library choose its kernels for the windows of later sound."""
        self._vocoder.warm(self._voice.embedding)

    def record(self, piece: Piece) -> bool:
        """Record the step on a GPU, see `xtts_graph`; `piece` is any text. False where it fails."""
        from voicebot_local.providers.tts.xtts_graph import record

        self.loop.begin(piece.ids, piece.limit)
        self.loop.step()
        self._graphs = record(self.loop)
        return self._graphs is not None

    def weights_will_move(self) -> None:
        """What was recorded would look for them in the old place; it is recorded anew as needed."""
        if self._graphs is not None:
            self._graphs.forget()

    def seed(self, seed: int) -> None:
        """Make what follows repeatable."""
        self.loop.seed(seed)

    def speak(self, piece: Piece, steps: Steps) -> Iterator[Samples]:
        """The audio of `piece` in chunks; each token and each vocoder window is one step.

        Leaving it unfinished needs no tidying up: the next call starts afresh.
        """
        loop, vocoder = self.loop, self._vocoder
        loop.begin(piece.ids, piece.limit)
        vocoder.begin()
        made = 0
        want = self._chunks.first
        while not loop.finished:
            with steps("token"):
                loop.step()
            made += 1
            if made >= want or loop.finished:
                with steps("vocoder"):
                    samples = vocoder.more(loop.latents, self._voice.embedding, last=loop.finished)
                want = made + self._chunks.later
                if len(samples):
                    yield samples
