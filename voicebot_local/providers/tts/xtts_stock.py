"""Streams XTTS with the package's own `inference_stream`, to fall back to and to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch

from voicebot_local.providers.base import Samples, Steps
from voicebot_local.providers.tts.xtts_decode import Chunks, Piece, Voice
from voicebot_local.providers.tts.xtts_tokens import Sampling

OVERLAP = 1024
"""Samples faded over between chunks, the package's default."""


class StockDecoder:
    """Speaks pieces with `inference_stream`.

    It gives control back once a chunk, so that a step is a whole chunk: `chunks.later` tokens and
    a vocoder run over everything since the piece began. `chunks.first` has no meaning for it.
    """

    def __init__(
        self, model: Any, voice: Voice, language: str, sampling: Sampling, chunks: Chunks
    ) -> None:
        self._model = model
        self._voice = voice
        self._language = language
        self._sampling = sampling
        self._chunk = chunks.later

    def seed(self, seed: int) -> None:
        """Make what follows repeatable; the package draws from torch's global generator."""
        torch.manual_seed(seed)

    def speak(self, piece: Piece, steps: Steps) -> Iterator[Samples]:
        """The audio of `piece` in chunks; each is one step."""
        self._model.gpt.max_gen_mel_tokens = piece.limit
        stream = self._model.inference_stream(
            piece.text,
            self._language,
            self._voice.latents,
            self._voice.embedding,
            stream_chunk_size=self._chunk,
            overlap_wav_len=OVERLAP,
            temperature=self._sampling.temperature,
            top_k=self._sampling.top_k,
            top_p=self._sampling.top_p,
            repetition_penalty=self._sampling.repetition_penalty,
        )
        with closing(stream):
            while True:
                with steps("token"):
                    chunk = next(stream, None)
                    samples = None if chunk is None else np.asarray(chunk.float().cpu().numpy())
                if samples is None:
                    return
                if len(samples):
                    yield samples
