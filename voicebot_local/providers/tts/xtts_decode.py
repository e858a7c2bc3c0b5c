"""Streams XTTS one token at a time: a token loop over a fixed key-value cache, a windowed vocoder.

The package's own stream decodes all latents again for every chunk, hands control back only once a
chunk, and differs slightly from its non-streamed `inference()`. This one does each piece of work
once, can stop after every token, and gives what `inference()` gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from voicebot_local.providers.base import Samples, Steps

CONTEXT_FRAMES = 14
"""Neighbours a vocoder frame depends on, each side: 3 for the first convolution, 1 for the first
upsampling, 60/8 + 60/64 + 60/128 + 60/256 for the residual blocks, under 1 for the rest: 13.4."""
UNSETTLED_FRAMES = 5
"""Frames at the end that still change when a latent follows: interpolation clamps there, first the
last 2 of 4 frames a latent, then as many again and one more, stretched by 160/147."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn; the meaning of each is that of transformers' `generate`."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


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


def chances(scores: Any, seen: Any, how: Sampling) -> Any:
    """The chance of each token by its score, both (1, tokens); `seen`: bool (tokens), said before.

    The same as what transformers makes of the same settings.
    """
    if how.repetition_penalty != 1.0:
        penalty = how.repetition_penalty
        said = torch.where(scores > 0, scores / penalty, scores * penalty)
        scores = torch.where(seen, said, scores)
    scores = scores / how.temperature
    if 0 < how.top_k < scores.shape[-1]:
        least = scores.topk(how.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if how.top_p < 1.0:
        ascending, order = scores.sort(descending=False)
        drop = ascending.softmax(-1).cumsum(-1) <= 1.0 - how.top_p
        drop[:, -1] = False
        scores = scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
    return scores.softmax(-1)


class TokenLoop:
    """The GPT of XTTS, one token a step.

    `begin` and then `step` until `finished`; `begin` again at any time starts afresh. The blocks'
    weights are used where they are; their dtype is that of the cache.
    """

    def __init__(self, gpt: Any, sampling: Sampling) -> None:
        self._gpt = gpt
        self._sampling = sampling
        self._blocks = list(gpt.gpt.h)
        weight = self._blocks[0].attn.c_attn.weight
        self._device, self._dtype = weight.device, weight.dtype
        longest = 32 + gpt.max_text_tokens + gpt.max_mel_tokens
        shape = (len(self._blocks), 1, gpt.heads, longest, gpt.model_dim // gpt.heads)
        self._keys = torch.zeros(shape, device=self._device, dtype=self._dtype)
        self._values = torch.zeros_like(self._keys)
        self._seen = torch.zeros(gpt.num_audio_tokens, device=self._device, dtype=torch.bool)
        self._random = torch.Generator(self._device)
        self._pending: Any = None
        self._position = self._count = self._limit = 0
        self.finished = True

    def seed(self, seed: int) -> None:
        """Make what follows repeatable."""
        self._random.manual_seed(seed)

    def begin(self, piece: Piece, latents: Any) -> None:
        """Get ready to speak `piece`; the prompt is read by the first step."""
        gpt = self._gpt
        with torch.inference_mode():
            ids = F.pad(piece.ids, (0, 1), value=gpt.stop_text_token)
            ids = F.pad(ids, (1, 0), value=gpt.start_text_token)
            text = gpt.text_embedding(ids) + gpt.text_pos_embedding(ids)
            start = torch.full((1, 1), gpt.start_audio_token, device=self._device)
            audio = gpt.mel_embedding(start) + gpt.mel_pos_embedding.emb.weight[:1]
            self._pending = torch.cat([latents, text, audio], dim=1)
            # The package fills the prompt's place with token 1, which its penalty counts as said.
            self._seen.zero_()
            self._seen[[1, gpt.start_audio_token]] = True
        self._position = self._count = 0
        self._limit = piece.limit
        self.finished = False

    def step(self) -> Any:
        """Draw one token; returns the latent that it is spoken from, float32 (1, width).

        Returns when the device is done. `finished` is then True if this was the stop token, whose
        latent is spoken too, or the last that the piece may have.
        """
        gpt = self._gpt
        with torch.inference_mode():
            hidden = self._run_blocks(self._pending.to(self._dtype))[:, -1].float()
            latent = gpt.final_norm(gpt.gpt.ln_f(hidden))
            # The package's head is `Sequential(final_norm, mel_head)`: the norm is applied twice.
            token = self._draw(gpt.mel_head(latent))
            self._seen[token] = True
            self._count += 1
            position = gpt.mel_pos_embedding.emb.weight[self._count]
            self._pending = gpt.mel_embedding(token)[None] + position
            self.finished = int(token) == gpt.stop_audio_token or self._count >= self._limit
        return latent

    def _run_blocks(self, x: Any) -> Any:
        length = x.shape[1]
        begin, end = self._position, self._position + length
        for number, block in enumerate(self._blocks):
            attention, mlp = block.attn, block.mlp
            qkv = attention.c_attn(block.ln_1(x)).view(1, length, 3, self._gpt.heads, -1)
            query, key, value = qkv.permute(2, 0, 3, 1, 4)
            self._keys[number, :, :, begin:end] = key
            self._values[number, :, :, begin:end] = value
            mixed = F.scaled_dot_product_attention(
                query,
                self._keys[number, :, :, :end],
                self._values[number, :, :, :end],
                is_causal=length > 1,
            )
            x = x + attention.c_proj(mixed.transpose(1, 2).reshape(1, length, -1))
            x = x + mlp.c_proj(F.gelu(mlp.c_fc(block.ln_2(x)), approximate="tanh"))
        self._position = end
        return x

    def _draw(self, scores: Any) -> Any:
        """The next token, int64 (1,), drawn on the device."""
        likely = chances(scores, self._seen, self._sampling)
        # The largest of chance over exponential noise is a draw by those chances, with no sync.
        noise = torch.empty_like(likely).exponential_(generator=self._random)
        return (likely / noise).argmax(-1)


class WindowedVocoder:
    """The HiFi-GAN of XTTS over a growing list of latents, each frame vocoded once.

    `begin`, then `more` with all latents so far; the results, put together, are what the vocoder
    gives for all of them at once.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._hop = decoder.output_hop_length
        self._done = 0

    def begin(self) -> None:
        self._done = 0

    def more(self, latents: list[Any], embedding: Any, *, last: bool) -> Samples:
        """What can be said for sure after `latents`, each (1, width): float32 samples, 24 kHz.

        Audio comes 19 frames (203 ms) behind the latents unless this is the `last` call.
        Returns when the device is done.
        """
        with torch.inference_mode():
            frames = self._frames(torch.cat(latents))
            total = frames.shape[-1]
            end = total if last else total - CONTEXT_FRAMES - UNSETTLED_FRAMES
            if end <= self._done:
                return np.zeros(0, np.float32)
            left = max(0, self._done - CONTEXT_FRAMES)
            right = min(total, end + CONTEXT_FRAMES)
            wave = self._decoder.waveform_decoder(frames[..., left:right], g=embedding)[0, 0]
            wave = wave[(self._done - left) * self._hop : (end - left) * self._hop]
            self._done = end
            return np.asarray(wave.float().cpu().numpy())

    def _frames(self, latents: Any) -> Any:
        """Latents to vocoder frames, (1, width, frames).

        All latents each time: it costs little, and keeps the phase of the uneven ratio of rates.
        """
        decoder = self._decoder
        ratio = decoder.ar_mel_length_compression / decoder.output_hop_length
        frames = F.interpolate(latents.T[None], scale_factor=[ratio], mode="linear")
        if decoder.output_sample_rate != decoder.input_sample_rate:
            ratio = decoder.output_sample_rate / decoder.input_sample_rate
            frames = F.interpolate(frames, scale_factor=[ratio], mode="linear")
        return frames


class OwnDecoder:
    """Speaks pieces with the token loop and the windowed vocoder."""

    def __init__(self, model: Any, voice: Voice, sampling: Sampling, chunks: Chunks) -> None:
        self._loop = TokenLoop(model.gpt, sampling)
        self._vocoder = WindowedVocoder(model.hifigan_decoder)
        self._voice = voice
        self._chunks = chunks

    def seed(self, seed: int) -> None:
        """Make what follows repeatable."""
        self._loop.seed(seed)

    def speak(self, piece: Piece, steps: Steps) -> Iterator[Samples]:
        """The audio of `piece` in chunks; each token and each vocoder window is one step.

        Leaving it unfinished needs no tidying up: the next call starts afresh.
        """
        loop, vocoder = self._loop, self._vocoder
        loop.begin(piece, self._voice.latents)
        vocoder.begin()
        latents: list[Any] = []
        want = self._chunks.first
        while not loop.finished:
            with steps("token"):
                latents.append(loop.step())
            if len(latents) >= want or loop.finished:
                with steps("vocoder"):
                    samples = vocoder.more(latents, self._voice.embedding, last=loop.finished)
                want = len(latents) + self._chunks.later
                if len(samples):
                    yield samples
