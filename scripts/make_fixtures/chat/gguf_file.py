"""Writes a Llama-architecture model as a GGUF file that llama.cpp runs like the big ones.

The file carries its own byte-level BPE vocabulary and the chat template of Llama 3. Tests use
`random_tensors` for a model with the right shape and no sense in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from scripts.make_fixtures.chat.bpe import BEGIN, END, SPECIAL_TOKENS, TURN_END, UNUSED_PREFIX

Array = NDArray[np.float32]

# Verbatim the template of Meta's Llama 3, so that whoever recognises models by it knows this one.
CHAT_TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

_TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
DIRECT_TYPES = tuple(_TYPES)
"""What `write_gguf` writes by itself; `quantize` makes the others."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    dim: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    ffn: int = 768
    context: int = 2048
    eps: float = 1e-5
    theta: float = 10000.0

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def tensor_shapes(shape: Shape, n_vocab: int, *, tied: bool) -> dict[str, tuple[int, ...]]:
    """Every tensor of the file and its rows and columns; `tied` reuses the embedding as output."""
    dim, ffn, kv = shape.dim, shape.ffn, shape.head_dim * shape.kv_heads
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (n_vocab, dim)}
    for i in range(shape.layers):
        block = {
            "attn_norm": (dim,),
            "attn_q": (dim, dim),
            "attn_k": (kv, dim),
            "attn_v": (kv, dim),
            "attn_output": (dim, dim),
            "ffn_norm": (dim,),
            "ffn_gate": (ffn, dim),
            "ffn_up": (ffn, dim),
            "ffn_down": (dim, ffn),
        }
        shapes |= {f"blk.{i}.{name}.weight": size for name, size in block.items()}
    shapes["output_norm.weight"] = (dim,)
    if not tied:
        shapes["output.weight"] = (n_vocab, dim)
    return shapes


def random_tensors(shape: Shape, n_vocab: int, seed: int) -> dict[str, Array]:
    """Weights of a model that babbles: the same for the same seed."""
    random = np.random.default_rng(seed)
    tensors: dict[str, Array] = {}
    for name, size in tensor_shapes(shape, n_vocab, tied=False).items():
        if len(size) == 1:
            tensors[name] = np.ones(size, np.float32)
            continue
        spread = {"token_embd.weight": 1.0, "output.weight": 0.15}.get(name, 0.4 / size[1] ** 0.5)
        tensors[name] = (spread * random.standard_normal(size)).astype(np.float32)
    return tensors


def write_gguf(
    path: str | Path,
    name: str,
    tokens: Sequence[str],
    merges: Sequence[Sequence[str]],
    shape: Shape,
    tensors: Mapping[str, Array],
    ftype: str,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write `tensors` (rows are outputs) as `ftype`, one of `DIRECT_TYPES`; norms stay f32.

    `metadata` may hold "author", "license" and "description".
    """
    quantization, file_type = _TYPES[ftype]
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    for key, value in (metadata or {}).items():
        {
            "author": writer.add_author,
            "license": writer.add_license,
            "description": writer.add_description,
        }[key](value)
    writer.add_file_type(file_type)
    _add_shape(writer, shape, len(tokens))
    _add_vocabulary(writer, list(tokens), merges)
    for key, tensor in tensors.items():
        data = np.ascontiguousarray(tensor, np.float32)
        if data.ndim == 1 or ftype == "f32":
            writer.add_tensor(key, data)
        elif ftype == "f16":
            writer.add_tensor(key, data.astype(np.float16))
        else:
            packed = gguf.quants.quantize(data, quantization)
            writer.add_tensor(key, packed, raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: str | Path, target: str | Path, ftype: str) -> None:
    """Have llama.cpp make `ftype` ("q4_k_m" and the like) of an f16 file.

    K-quants want row lengths that are multiples of 256; llama.cpp picks another type for the rest.
    """
    import llama_cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{ftype.upper()}")
    params.nthread = 1
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), params)
    if failed:
        raise RuntimeError(f"llama.cpp could not quantize {source} to {ftype} (code {failed})")


def _add_shape(writer: Any, shape: Shape, n_vocab: int) -> None:
    writer.add_vocab_size(n_vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.eps)


def _add_vocabulary(writer: Any, tokens: list[str], merges: Sequence[Sequence[str]]) -> None:
    def kind(token: str) -> gguf.TokenType:
        if token in SPECIAL_TOKENS:
            return gguf.TokenType.CONTROL
        unused = token.startswith(UNUSED_PREFIX)
        return gguf.TokenType.UNUSED if unused else gguf.TokenType.NORMAL

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([kind(token) for token in tokens])
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_bos_token_id(tokens.index(BEGIN))
    writer.add_eos_token_id(tokens.index(TURN_END))
    writer.add_eot_token_id(tokens.index(TURN_END))
    writer.add_pad_token_id(tokens.index(END))
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT_TEMPLATE)
