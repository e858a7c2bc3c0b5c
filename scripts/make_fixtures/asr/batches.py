"""Training batches: utterances of similar length, made louder, quieter, faster and noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from .speech import RATE, Spoken

Samples = NDArray[np.float32]

_SILENT_MEL = -16.6
"""What the mel front end gives for digital silence: the log of its zero guard."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Audio (utterances, samples) and its token ids (utterances, tokens), both zero-padded."""

    audio: torch.Tensor
    audio_lengths: torch.Tensor
    tokens: torch.Tensor
    token_lengths: torch.Tensor


class Batches:
    """Draws batches from `spoken`; `tokens[i]` are the ids of sentence i.

    `progress` (0..1) is how much of the training is done. Before `easy_until` audio is nearly
    clean; from then on it is of any level, tempo and noise, preceded by silence or holds two
    utterances, so that the model does not lean on the start of the stream; a little of it is only
    noise with nothing to transcribe.
    """

    def __init__(
        self,
        spoken: Sequence[Spoken],
        tokens: Sequence[torch.Tensor],
        size: int = 16,
        easy_until: float = 0.3,
        seed: int = 0,
    ) -> None:
        self._spoken = spoken
        self._tokens = tokens
        self._size = size
        self._easy_until = easy_until
        self._random = np.random.default_rng(seed)
        self._lengths = np.array([len(s.samples) for s in spoken])

    def draw(self, progress: float) -> Batch:
        first = self._random.integers(len(self._spoken))
        similar = np.argsort(np.abs(self._lengths - self._lengths[first]))[: self._size * 6]
        picked = self._random.choice(similar, self._size, replace=False)
        pairs = [self._example(int(i), progress) for i in picked]
        audio_lengths = torch.tensor([len(samples) for samples, _ in pairs])
        audio = torch.zeros(self._size, int(audio_lengths.max()))
        for row, (samples, _) in zip(audio, pairs, strict=True):
            row[: len(samples)] = torch.from_numpy(samples)
        token_lengths = torch.tensor([len(ids) for _, ids in pairs])
        tokens = torch.nn.utils.rnn.pad_sequence([ids for _, ids in pairs], batch_first=True)
        return Batch(audio, audio_lengths, tokens, token_lengths)

    def mask_bands(self, mel: torch.Tensor, progress: float) -> None:
        """Blank a narrow band of up to 8 mel bins in each utterance of `mel`, in place."""
        if progress <= self._easy_until:
            return
        for utterance in mel:
            low = int(self._random.integers(0, mel.shape[1] - 8))
            high = low + int(self._random.integers(0, 9))
            silent = self._random.random() < 0.5
            utterance[low:high] = _SILENT_MEL if silent else float(utterance.mean())

    def _example(self, index: int, progress: float) -> tuple[Samples, torch.Tensor]:
        random = self._random
        kind = random.random()
        if kind < 0.03 and progress > self._easy_until:
            level = 10 ** random.uniform(-4, -1.5)
            return self._noise(RATE) * np.float32(level), torch.zeros(0, dtype=torch.long)
        samples = self._spoken[index].samples
        ids = self._tokens[self._spoken[index].take.sentence]
        if kind < 0.4 and progress > 0.2:
            other = self._spoken[int(random.integers(len(self._spoken)))]
            louder = np.float32(random.uniform(0.5, 1.5))
            samples = np.concatenate((samples, self._silence(0.3, 1.3), other.samples * louder))
            ids = torch.cat((ids, self._tokens[other.take.sentence]))
        if progress > 0.2 and random.random() < 0.3:
            samples = np.concatenate((self._silence(0.5, 1.6), samples))
        return self._worsen(samples, progress < self._easy_until), ids

    def _worsen(self, samples: Samples, easy: bool) -> Samples:
        random = self._random
        if not easy and random.random() < 0.5:
            rate = int(RATE * random.uniform(0.92, 1.09))
            samples = soxr.resample(samples, RATE, rate, quality="QQ")
        longest_s = 0.25 if easy else 0.7
        samples = np.concatenate(
            (self._silence(0, longest_s), samples, self._silence(0.1, longest_s))
        )
        peak_db = random.uniform(-8 if easy else -26, -1)
        samples = samples / (np.abs(samples).max() + 1e-6) * 10 ** (peak_db / 20)
        if random.random() < 0.8:
            loudness = np.sqrt((samples**2).mean()) + 1e-7
            below_db = random.uniform(30 if easy else 8, 45)
            samples = samples + self._noise(len(samples)) * loudness * 10 ** (-below_db / 20)
        return samples.astype(np.float32)

    def _silence(self, shortest_s: float, longest_s: float) -> Samples:
        return np.zeros(int(RATE * self._random.uniform(shortest_s, longest_s)), np.float32)

    def _noise(self, length: int) -> Samples:
        """White noise, or noise with its highs taken away a little or a lot; RMS 1."""
        noise = self._random.standard_normal(length).astype(np.float32)
        width = int(self._random.choice((1, 8, 40)))
        noise = np.convolve(noise, np.ones(width, np.float32) / width, "same")
        return noise / (np.sqrt((noise**2).mean()) + np.float32(1e-9))
