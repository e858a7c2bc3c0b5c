"""Writes chat models of real sizes without their weights: a true header, then a hole in the file.

    python -m scripts.make_fixtures.full_size OUT [--shape llama-3.1-8b]

Such a file has the length of the published one and takes a few megabytes of disk. It loads where
nothing reads the weights, as in llama.cpp's no-allocation dry run; what it says is nonsense.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from scripts.make_fixtures.chat.bpe import train_bpe
from scripts.make_fixtures.chat.gguf_file import CHAT_TEMPLATE
from scripts.make_fixtures.tiny_gguf import TEXT

Type = gguf.GGMLQuantizationType


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


def write_full_size(path: str | Path, shape: FullShape, *, used_vocab: int = 768) -> None:
    """Write the model of `shape` in Q4_K_M, a sparse file; all but `used_vocab` tokens are unused.

    Takes about a second.
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
    tokens += [f"<unused_more_{number}>" for number in range(shape.vocab - len(tokens))]
    kinds = [
        gguf.TokenType.UNUSED if token.startswith("<unused") else gguf.TokenType.NORMAL
        for token in tokens
    ]
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


def _bytes(rows: tuple[int, ...], kind: Any) -> int:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return math.prod(rows) // block * size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the file")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="llama-3.1-8b")
    options = parser.parse_args()
    write_full_size(options.out, SHAPES[options.shape])
    taken = options.out.stat().st_blocks * 512
    print(f"{options.out}: {options.out.stat().st_size} bytes, of which {taken} are on the disk")


if __name__ == "__main__":
    main()
