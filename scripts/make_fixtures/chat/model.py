"""A small Llama in torch whose parameter names are the tensor names of its GGUF file."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.make_fixtures.chat.gguf_file import Array, Shape


class Norm(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.dim))
        self.eps = shape.eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv = shape.head_dim * shape.kv_heads
        self.attn_norm = Norm(shape)
        self.attn_q = nn.Linear(shape.dim, shape.dim, bias=False)
        self.attn_k = nn.Linear(shape.dim, kv, bias=False)
        self.attn_v = nn.Linear(shape.dim, kv, bias=False)
        self.attn_output = nn.Linear(shape.dim, shape.dim, bias=False)
        self.ffn_norm = Norm(shape)
        self.ffn_gate = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.ffn_up = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.ffn_down = nn.Linear(shape.ffn, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        shape = self.shape
        batch, length, _ = x.shape
        y = self.attn_norm(x)

        def heads(projection: nn.Linear, count: int) -> Tensor:
            return projection(y).view(batch, length, count, shape.head_dim).transpose(1, 2)

        group = shape.heads // shape.kv_heads
        q = rotate(heads(self.attn_q, shape.heads), cos, sin)
        k = rotate(heads(self.attn_k, shape.kv_heads), cos, sin).repeat_interleave(group, 1)
        v = heads(self.attn_v, shape.kv_heads).repeat_interleave(group, 1)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(seen.transpose(1, 2).reshape(batch, length, shape.dim))
        y = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions over neighbouring pairs, as llama.cpp does for this architecture."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Llama(nn.Module):
    """The embedding is the output too, so the file needs no output tensor."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, n_vocab: int) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(n_vocab, shape.dim)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape)
        speeds = shape.theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angles = torch.outer(torch.arange(shape.context).float(), speeds)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self._start(shape.layers)

    def _start(self, layers: int) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            spread = 0.02 if name.startswith("token_embd") else 1 / math.sqrt(parameter.shape[1])
            if "attn_output" in name or "ffn_down" in name:
                spread /= math.sqrt(2 * layers)
            nn.init.normal_(parameter, 0.0, spread)

    def forward(self, ids: Tensor) -> Tensor:
        """What the last layer makes of each token; `logits` reads it."""
        length = ids.shape[1]
        x = self.token_embd(ids)
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        for block in self.blk:
            x = block(x, cos, sin)
        return self.output_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        return functional.linear(hidden, self.token_embd.weight)

    def tensors(self) -> dict[str, Array]:
        """Everything that `write_gguf` wants."""
        return {
            name: tensor.detach().float().numpy().astype(np.float32)
            for name, tensor in self.state_dict().items()
        }
