"""How much memory a chat model takes in llama.cpp, from its header alone. Pure arithmetic.

Weights and cache are exact. What a step computes with is the peak of llama.cpp's graph allocator;
the terms below are its live tensors at that peak, found by comparing with its dry run (see
`dry_run`) for models of four shapes, and held to it by a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicebot_local.gpu.need import MIB, Need
from voicebot_local.providers.llm.gguf_header import GgufHeader, Tensor

KvType: TypeAlias = Literal["f16", "q8_0"]

CONTEXT_BYTES = 330 * MIB
"""CUDA context and kernels of a llama.cpp process: what unslothai/unsloth#6718 measured."""
SCRATCH_BYTES = 64 * MIB
"""cuBLAS workspace (4 MiB, on Hopper 32, by the cuBLAS manual) and llama.cpp's pool for quantized
activations and attention in parts: an allowance, not measured."""

_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
_KV_PAD = 256
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """What of a configuration decides on memory. `gpu_layers` as llama.cpp counts: -1 is all."""

    context_tokens: int = 8192
    kv_type: KvType = "f16"
    gpu_layers: int = -1
    batch_tokens: int = 128
    flash_attention: bool = True


@dataclass(frozen=True, slots=True)
class LlmShape:
    """A chat model's sizes. Bytes are those of the file; `embedding_bytes` stay with the processor.

    `output_bytes`: what comes after the last layer; with tied embeddings a copy of those.
    `kv_heads` has one number for each layer. `context` is the longest that it was trained for.
    """

    name: str
    layer_bytes: tuple[int, ...]
    output_bytes: int
    embedding_bytes: int
    kv_heads: tuple[int, ...]
    heads: int
    key_length: int
    value_length: int
    width: int
    ffn: int
    vocab: int
    tied: bool
    context: int = 0

    @property
    def layers(self) -> int:
        return len(self.layer_bytes)

    @property
    def all_layers(self) -> int:
        """The number of `gpu_layers` that is all of them: the output counts as one."""
        return self.layers + 1

    @property
    def device_bytes(self) -> int:
        """Weights on the device where all layers are."""
        return sum(self.layer_bytes) + self.output_bytes

    def kv_bytes_per_token(self, kv_type: KvType = "f16") -> float:
        """Of all layers together."""
        return sum(self._kv_of_layer(layer, kv_type) for layer in range(self.layers))

    def _kv_of_layer(self, layer: int, kv_type: KvType) -> float:
        heads = self.kv_heads[layer] if layer < len(self.kv_heads) else 0
        return heads * (self.key_length + self.value_length) * _KV_BYTES[kv_type]

    def kv_bytes(self, settings: LlmSettings, first_layer: int = 0) -> int:
        """The cache of the layers from `first_layer` on; all of it is allocated at the start."""
        tokens = -(-settings.context_tokens // _KV_PAD) * _KV_PAD
        layers = range(first_layer, self.layers)
        return round(tokens * sum(self._kv_of_layer(one, settings.kv_type) for one in layers))


def llm_shape(headers: Sequence[GgufHeader], name: str) -> LlmShape:
    """The shape of a model that lies in one file or several; the first one says what it is."""
    header = headers[0]
    tensors = [tensor for one in headers for tensor in one.tensors.values()]
    layers = [0] * header.block_count
    embedding = output = 0
    for tensor in tensors:
        number = _layer(tensor)
        if tensor.name == "token_embd.weight":
            embedding = tensor.size
        elif number is not None and number < len(layers):
            layers[number] += tensor.size
        else:
            output += tensor.size
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    output += embedding if tied else 0
    return LlmShape(
        name=name,
        layer_bytes=tuple(layers),
        output_bytes=output,
        embedding_bytes=embedding,
        kv_heads=header.head_count_kv,
        heads=header.head_count,
        key_length=header.key_length,
        value_length=header.value_length,
        width=header.embedding_length,
        ffn=_ffn(header, tensors),
        vocab=header.vocab_size,
        tied=tied,
        context=header.context_length,
    )


def estimate_llm(shape: LlmShape, settings: LlmSettings) -> Need:
    """What the device needs for the layers that are on it; nothing where none is."""
    wanted = settings.gpu_layers
    if wanted == 0:
        return Need()
    count = shape.all_layers if wanted < 0 else min(wanted, shape.all_layers)
    first = shape.all_layers - count
    compute = compute_bytes(shape, settings)
    if first:
        # A long prompt is read on the device even so; the weights of a layer pass through it.
        compute += max(shape.layer_bytes)
    return Need(
        weights=sum(shape.layer_bytes[first:]) + shape.output_bytes,
        kv=shape.kv_bytes(settings, first),
        compute=compute + SCRATCH_BYTES + _unpacked(shape, settings),
        context=CONTEXT_BYTES,
    )


def host_need(shape: LlmShape, settings: LlmSettings) -> Need:
    """What the machine's own memory needs where the whole model stays with the processor."""
    return Need(
        weights=shape.device_bytes + (0 if shape.tied else shape.embedding_bytes),
        kv=shape.kv_bytes(settings),
        compute=compute_bytes(shape, settings),
    )


def compute_bytes(shape: LlmShape, settings: LlmSettings) -> int:
    """The peak of a step: in a feed-forward block, in attention, or at the output.

    The engine asks for the scores of one token a step, so the vocabulary counts once.
    """
    rows = settings.batch_tokens
    width = shape.width
    query = shape.heads * shape.key_length
    kv = max(shape.kv_heads, default=0) * shape.key_length
    tokens = -(-settings.context_tokens // _KV_PAD) * _KV_PAD
    mask = rows * tokens * (2 if settings.flash_attention else _FLOAT)
    ffn = rows * _FLOAT * (3 * shape.ffn + 3 * width + query) + mask
    scores = 0 if settings.flash_attention else rows * shape.heads * tokens * _FLOAT
    attention = rows * _FLOAT * (3 * width + 2 * query + 2 * kv) + mask + scores
    output = _FLOAT * (shape.vocab + 2 * width)
    return max(ffn, attention, output)


def _unpacked(shape: LlmShape, settings: LlmSettings) -> int:
    """A quantized cache of one layer in f16: CUDA's attention over several tokens unpacks it."""
    if settings.kv_type == "f16":
        return 0
    heads = max(shape.kv_heads, default=0)
    return 2 * settings.context_tokens * heads * (shape.key_length + shape.value_length)


def _layer(tensor: Tensor) -> int | None:
    parts = tensor.name.split(".")
    return int(parts[1]) if parts[0] == "blk" and len(parts) > 1 and parts[1].isdecimal() else None


def _ffn(header: GgufHeader, tensors: Sequence[Tensor]) -> int:
    """Width of the feed-forward blocks; of a mixture, that of the experts used for one token."""
    dense = max(header.per_layer("feed_forward_length"), default=0)
    expert = max(header.per_layer("expert_feed_forward_length"), default=0)
    used = max(header.per_layer("expert_used_count"), default=0)
    if dense or expert:
        return max(dense, expert * used)
    up = [tensor.shape[1] for tensor in tensors if "ffn_up" in tensor.name]
    return max(up, default=4 * header.embedding_length)
