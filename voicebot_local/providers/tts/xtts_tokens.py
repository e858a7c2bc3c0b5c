"""The GPT of XTTS, one audio token a step, over a key-value cache of fixed size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

VOICE_TOKENS = 32
"""Places that the voice takes, before those of the text and of the audio."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn; the meaning of each is that of transformers' `generate`."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


def likeliest(scores: Any, seen: Any, how: Sampling) -> tuple[Any, Any]:
    """The chances of the tokens that may be drawn, and which those are, both (1, n), likely first.

    `scores`: (1, tokens); `seen`: bool (tokens), said before. The same as what transformers makes
    of the same settings.
    """
    if how.repetition_penalty != 1.0:
        penalty = how.repetition_penalty
        said = torch.where(scores > 0, scores / penalty, scores * penalty)
        scores = torch.where(seen, said, scores)
    count = scores.shape[-1]
    scores, tokens = (scores / how.temperature).topk(min(how.top_k or count, count))
    if how.top_p < 1.0:
        # What a token and all less likely ones have together.
        rest = scores.softmax(-1).flip(-1).cumsum(-1).flip(-1)
        drop = rest <= 1.0 - how.top_p
        drop[:, 0] = False
        scores = scores.masked_fill(drop, -torch.inf)
    return scores.softmax(-1), tokens


class TokenLoop:
    """The GPT of XTTS in one voice, one token a step.

    `begin` and then `step` until `finished`; `begin` again at any time starts afresh. The blocks'
    weights are used where they are; their dtype is that of the cache. What is known of the voice is
    computed once, here.
    """

    def __init__(self, gpt: Any, sampling: Sampling, latents: Any) -> None:
        """`latents`: float32 (1, 32, width) of the voice."""
        self._gpt = gpt
        self._sampling = sampling
        self._blocks = list(gpt.gpt.h)
        weight = self._blocks[0].attn.c_attn.weight
        self._device, self._dtype = weight.device, weight.dtype
        self.longest: int = VOICE_TOKENS + gpt.max_text_tokens + gpt.max_mel_tokens
        # A block's keys and its values together, so that one operation writes both.
        shape = (len(self._blocks), 2, 1, gpt.heads, self.longest, gpt.model_dim // gpt.heads)
        self._cache = torch.zeros(shape, device=self._device, dtype=self._dtype)
        self._places = torch.arange(_aligned(self.longest), device=self._device)
        self._random = torch.Generator(self._device)
        tokens: int = gpt.num_audio_tokens
        # The package fills the prompt's place with token 1, which its penalty counts as said.
        numbers = torch.arange(tokens, device=self._device)
        self._said_before = (numbers == 1) | (numbers == gpt.start_audio_token)
        # What a step reads and writes is always in the same memory, so that a step can be recorded.
        self._token = torch.zeros(1, device=self._device, dtype=torch.long)
        self._number = torch.zeros_like(self._token)
        self._place = torch.zeros_like(self._token)
        self._seen = torch.zeros_like(self._said_before)
        choice = min(sampling.top_k or tokens, tokens)
        self._noise = torch.ones(gpt.max_mel_tokens, choice, device=self._device)
        self._latents = torch.zeros(gpt.max_mel_tokens, gpt.model_dim, device=self._device)
        self._text: Any = None
        self._end = self._count = self._limit = 0
        self.finished = True
        self.replay: Callable[[int], None] | None = None
        """Does what `fixed_step` does, faster; None: each step is made anew, to measure."""
        with torch.inference_mode():
            self._read(latents, 0)

    def seed(self, seed: int) -> None:
        """Make what follows repeatable."""
        self._random.manual_seed(seed)

    def begin(self, ids: Any, limit: int) -> None:
        """Get ready to speak the text `ids`, int64 (1, n), n ≤ 400, in at most `limit` tokens.

        Nothing is asked of the device before the first step. `ids` may be in any memory.
        """
        self._text = ids
        self._end, self._count, self._limit = VOICE_TOKENS, 0, limit
        self.finished = False

    def step(self) -> None:
        """Draw one token, and add to `latents` what it is spoken from.

        Returns when the device is done. `finished` is then True if this was the stop token, whose
        latent is spoken too, or the last that the piece may have.
        """
        with torch.inference_mode():
            if self._text is not None:
                self._read_text()
            else:
                self._end += 1
                if self.replay is None:
                    self._next(self._end, None)
                else:
                    self.replay(self._end)
            self._count += 1
            stopped = int(self._token) == self._gpt.stop_audio_token
            self.finished = stopped or self._count >= self._limit

    @property
    def latents(self) -> Any:
        """Those of all steps since `begin`, float32 (n, width); the memory of the next piece's."""
        return self._latents[: self._count]

    def fixed_step(self, size: int) -> None:
        """A step after the first, in a shape that depends on `size` alone, the same whatever came
        before: `size` places are looked at, or masked, and must be more than were filled."""
        with torch.inference_mode():
            room = _aligned(size)
            mask = torch.zeros(1, 1, 1, room, device=self._device, dtype=self._dtype)
            mask.masked_fill_(self._places[:room] > self._place, -torch.inf)
            self._next(size, mask[..., :size])

    def _read_text(self) -> None:
        gpt, self._text, ids = self._gpt, None, self._text
        ids = F.pad(ids, (0, 1), value=gpt.stop_text_token)
        ids = F.pad(ids, (1, 0), value=gpt.start_text_token).to(self._device)
        text = gpt.text_embedding(ids) + gpt.text_pos_embedding(ids)
        start = torch.full((1, 1), gpt.start_audio_token, device=self._device)
        audio = gpt.mel_embedding(start) + gpt.mel_pos_embedding.emb.weight[:1]
        prompt = torch.cat([text, audio], dim=1)
        if self._sampling.top_k != 1:
            self._noise[: self._limit].exponential_(generator=self._random)
        self._seen.copy_(self._said_before)
        self._number.zero_()
        end = self._end + prompt.shape[1]
        self._place.fill_(end - 1)
        hidden = self._read(prompt, self._end)
        self._end = end
        self._decide(hidden)

    def _read(self, x: Any, begin: int) -> Any:
        """`x`, (1, n, width), at the places from `begin` on; each sees those up to its own."""
        end = begin + x.shape[1]
        places = self._places[begin:end]
        mask = self._places[:end] <= places[:, None]
        return self._run_blocks(x, places, end, mask[None, None])

    def _next(self, size: int, mask: Any) -> None:
        gpt = self._gpt
        position = gpt.mel_pos_embedding.emb.weight.index_select(0, self._number)
        said = (gpt.mel_embedding(self._token) + position)[None]
        self._decide(self._run_blocks(said, self._place, size, mask))

    def _run_blocks(self, x: Any, places: Any, size: int, mask: Any = None) -> Any:
        """`x`: (1, n, width), whose keys and values are kept at `places`; of the cache `size` is
        looked at, all by each without a `mask`, (1, 1, n, size): what may be seen, or is added."""
        x = x.to(self._dtype)
        length = x.shape[1]
        for number, block in enumerate(self._blocks):
            attention, mlp = block.attn, block.mlp
            qkv = attention.c_attn(block.ln_1(x)).view(1, length, 3, self._gpt.heads, -1)
            qkv = qkv.permute(2, 0, 3, 1, 4)
            cache = self._cache[number].index_copy_(3, places, qkv[1:])
            keys, values = cache[..., :size, :]
            mixed = F.scaled_dot_product_attention(qkv[0], keys, values, attn_mask=mask)
            x = x + attention.c_proj(mixed.transpose(1, 2).reshape(1, length, -1))
            x = x + mlp.c_proj(F.gelu(mlp.c_fc(block.ln_2(x)), approximate="tanh"))
        return x

    def _decide(self, hidden: Any) -> None:
        """Draw a token, and move on to its place."""
        gpt = self._gpt
        latent = gpt.final_norm(gpt.gpt.ln_f(hidden[:, -1].float()))
        self._latents.index_copy_(0, self._number, latent)
        # The package's head is `Sequential(final_norm, mel_head)`: the norm is applied twice.
        self._token.copy_(self._draw(gpt.mel_head(latent)))
        self._seen.index_fill_(0, self._token, True)
        self._number += 1
        self._place += 1

    def _draw(self, scores: Any) -> Any:
        """The next token, int64 (1,), drawn on the device."""
        chances, tokens = likeliest(scores, self._seen, self._sampling)
        if tokens.shape[-1] == 1:
            return tokens[0]
        # The largest of chance over exponential noise is a draw by those chances, with no sync.
        first = (chances / self._noise.index_select(0, self._number)).argmax(-1)
        return tokens[0].index_select(0, first)


def _aligned(size: int) -> int:
    """Attention copies a mask in every layer whose rows are not a multiple of 8 apart."""
    return -(-size // 8) * 8
