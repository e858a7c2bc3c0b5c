"""Writes chat models of real sizes: a true header, then random weights, or a hole in the file.

With a hole, the file has the length of the published one and takes a few megabytes of disk. It
loads where nothing reads the weights, as in llama.cpp's no-allocation dry run. With random weights
it takes the time and the memory of the trained one; what it says are made-up words.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import gguf
import numpy as np

from scripts.make_fixtures.chat.bpe import SPECIAL_TOKENS, train_bpe
from scripts.make_fixtures.chat.gguf_file import CHAT_TEMPLATE
from scripts.make_fixtures.tiny_gguf import TEXT

Type = gguf.GGMLQuantizationType

_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u")]
_TILE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class FullShape:
    """A published model. `tied`: the embedding is the output, too. `qk_norm`: as Qwen3 has."""

    architecture: str
    dim: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    tied: bool
    context: int = 131_072
    qk_norm: bool = False


SHAPES = {
    "llama-3.1-8b": FullShape("llama", 4096, 32, 32, 8, 128, 14336, 128_256, tied=False),
    "llama-3.2-3b": FullShape("llama", 3072, 28, 24, 8, 128, 8192, 128_256, tied=True),
    "llama-3.2-1b": FullShape("llama", 2048, 16, 32, 8, 64, 8192, 128_256, tied=True),
    "qwen3-4b": FullShape(
        "qwen3", 2560, 36, 32, 8, 128, 9728, 151_936, tied=True, context=262_144, qk_norm=True
    ),
}


def q4_k_m_tensors(shape: FullShape) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Every tensor, rows first, and the type that llama.cpp's Q4_K_M gives it."""
    dim, kv, q = shape.dim, shape.kv_heads * shape.head_dim, shape.heads * shape.head_dim
    tensors: dict[str, tuple[tuple[int, ...], Any]] = {
        "token_embd.weight": ((shape.vocab, dim), Type.Q6_K if shape.tied else Type.Q4_K),
        "output_norm.weight": ((dim,), Type.F32),
    }
    if not shape.tied:
        tensors["output.weight"] = ((shape.vocab, dim), Type.Q6_K)
    if shape.architecture == "llama":
        tensors["rope_freqs.weight"] = ((shape.head_dim // 2,), Type.F32)
    for i in range(shape.layers):
        fine = Type.Q6_K if _more_bits(i, shape.layers) else Type.Q4_K
        block: dict[str, tuple[tuple[int, ...], Any]] = {
            "attn_norm": ((dim,), Type.F32),
            "attn_q": ((q, dim), Type.Q4_K),
            "attn_k": ((kv, dim), Type.Q4_K),
            "attn_v": ((kv, dim), fine),
            "attn_output": ((dim, q), Type.Q4_K),
            "ffn_norm": ((dim,), Type.F32),
            "ffn_gate": ((shape.ffn, dim), Type.Q4_K),
            "ffn_up": ((shape.ffn, dim), Type.Q4_K),
            "ffn_down": ((dim, shape.ffn), fine),
        }
        if shape.qk_norm:
            block["attn_q_norm"] = block["attn_k_norm"] = ((shape.head_dim,), Type.F32)
        tensors |= {f"blk.{i}.{name}.weight": tensor for name, tensor in block.items()}
    return tensors


def _more_bits(layer: int, layers: int) -> bool:
    """The layers whose values and outputs llama.cpp keeps in more bits."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def write_full_size(
    path: str | Path, shape: FullShape, *, used_vocab: int = 768, filled: bool = False
) -> None:
    """Write the model of `shape` in Q4_K_M; only `used_vocab` tokens come of a text.

    A sparse file takes about a second. `filled` with random weights it takes as long as the disk
    takes for it, and 64 MiB of memory.
    """
    writer: Any = gguf.GGUFWriter(str(path), shape.architecture)
    writer.add_name("the header of a real model without its weights")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens, merges = train_bpe([TEXT], used_vocab)
    more = range(shape.vocab - len(tokens))
    tokens += [f"Ġ{made_up_word(n)}" if filled else f"<unused_more_{n}>" for n in more]
    kinds = [token_type(token) for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_bos_token_id(used_vocab - 5)
    writer.add_eos_token_id(used_vocab - 1)
    writer.add_chat_template(CHAT_TEMPLATE)
    data = 0
    for name, (rows, kind) in q4_k_m_tensors(shape).items():
        size = _bytes(rows, kind)
        packed = rows if kind is Type.F32 else gguf.quant_shape_to_byte_shape(rows, kind)
        plain = np.float32 if kind is Type.F32 else np.uint8
        writer.add_tensor_info(name, packed, np.dtype(plain), size, raw_dtype=kind)
        data += -(-size // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = -(-Path(path).stat().st_size // 32) * 32
    os.truncate(path, header + data)
    if filled:
        with Path(path).open("r+b") as file:
            _fill(file, header, shape)


def made_up_word(number: int) -> str:
    """A word of three syllables or more, another for each number; some end a clause."""
    word, rest = "", number + len(_SYLLABLES) ** 2
    while rest:
        rest, digit = divmod(rest, len(_SYLLABLES))
        word += _SYLLABLES[digit]
    end = "." if number % 17 == 0 else "," if number % 11 == 0 else ""
    return f"{word}{end}"


def _fill(file: BinaryIO, start: int, shape: FullShape) -> None:
    """Write random weights of about the spread that a trained model has; norms are 1."""
    dice = np.random.default_rng(0)
    tiles = {kind: _tile(kind, dice) for kind in (Type.Q4_K, Type.Q6_K)}
    file.seek(start)
    for rows, kind in q4_k_m_tensors(shape).values():
        size = _bytes(rows, kind)
        if kind is Type.F32:
            file.write(np.ones(size // 4, "<f4").tobytes())
        else:
            tile = tiles[kind]
            for begin in range(0, size, len(tile)):
                file.write(tile[: size - begin])
        file.seek(-file.tell() % 32, os.SEEK_CUR)


def _tile(kind: Any, dice: np.random.Generator) -> memoryview:
    """Whole blocks of random numbers, 16 MiB; their scales make weights of 0 ± 0.016."""
    _, block = gguf.GGML_QUANT_SIZES[kind]
    blocks = dice.integers(0, 256, (_TILE_BYTES // block, block), np.uint8)
    if kind is Type.Q4_K:  # Two scales, then numbers from 0 to 15.
        blocks[:, :4] = np.frombuffer(np.array([9e-5, 6.75e-4], "<f2").tobytes(), np.uint8)
    else:  # Q6_K: numbers from 0 to 63, signed scales, then their scale.
        blocks[:, -2:] = np.frombuffer(np.array([1.1e-5], "<f2").tobytes(), np.uint8)
    return memoryview(blocks.tobytes())


def token_type(token: str) -> gguf.TokenType:
    """Control tokens are one token of a prompt each, as in the trained model."""
    if token in SPECIAL_TOKENS:
        return gguf.TokenType.CONTROL
    unused = token.startswith("<unused")
    return gguf.TokenType.UNUSED if unused else gguf.TokenType.NORMAL


def _bytes(rows: tuple[int, ...], kind: Any) -> int:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return math.prod(rows) // block * size
