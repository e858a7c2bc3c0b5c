"""How much memory the speech models take in PyTorch, from their tensors alone. Pure arithmetic.

Weights and caches are counted. What else PyTorch takes is an allowance: its allocator hands out
blocks of 2 to 20 MiB, cuBLAS and cuDNN want workspaces, and the libraries' kernels are loaded into
the process as they are first used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicebot_local.gpu.checkpoint import TensorEntry
from voicebot_local.gpu.need import MIB, Need

Precision: TypeAlias = Literal["float32", "float16", "bfloat16"]

CONTEXT_BYTES = 450 * MIB
"""CUDA context and kernels of a PyTorch process: 300 to 400 MB with CUDA's lazy loading, as its
developers say in pytorch/pytorch#107667 and #109888, and what is loaded while it runs."""
LIBRARY_BYTES = 40 * MIB
"""cuBLAS (8 MiB) and cuBLASLt (1 MiB; 32 each on Hopper) workspaces, by PyTorch's own defaults."""
ALLOCATOR_SHARE = 0.04
"""Of the weights: what is left over in the allocator's blocks, an allowance."""

RECOGNIZER_STEP_BYTES = 64 * MIB
"""Activations of one chunk and cuDNN's workspace for its convolutions, an allowance: a chunk is at
most 112 mel frames, which make a few MiB in each layer."""
SYNTHESIZER_STEP_BYTES = 192 * MIB
"""The vocoder's window (about 30,000 samples by 32 channels, some 4 MiB a tensor), the speaker
encoder's work on a recording of 30 s, and cuDNN's workspaces; an allowance."""
LEFT_FRAMES = 70
"""Encoder frames that NVIDIA's streaming models look back."""

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_BLOCKS = "gpt.gpt.h."
_UNUSED = (
    "torch_mel_spectrogram_style_encoder.",
    "torch_mel_spectrogram_dvae.",
    "dvae.",
    "gpt.gpt_inference.",
    "gpt.gpt.wte.",
)
"""Tensors of an XTTS checkpoint that are for training or there twice; they are not loaded."""


@dataclass(frozen=True, slots=True)
class RecognizerShape:
    """A FastConformer: its numbers, and the sizes of what it remembers between chunks.

    `positions`: of its table of relative positions, which is computed, not stored; NeMo makes it
    for 5,000 frames to each side unless the model says otherwise.
    """

    name: str
    weights: int
    layers: int
    width: int
    kernel: int
    positions: int = 9999


@dataclass(frozen=True, slots=True)
class SynthesizerShape:
    """An XTTS: the numbers in the GPT's blocks, which can be halved, and in all the rest.

    `longest` is the number of positions that the GPT remembers.
    """

    name: str
    block_weights: int
    other_weights: int
    layers: int
    width: int
    longest: int

    @property
    def weights(self) -> int:
        return self.block_weights + self.other_weights


def recognizer_shape(tensors: Mapping[str, TensorEntry], name: str) -> RecognizerShape:
    """Raises KeyError where it is no FastConformer."""
    first = "encoder.layers.0"
    return RecognizerShape(
        name=name,
        weights=sum(entry.count for entry in tensors.values() if entry.floating),
        layers=_layers(tensors, r"encoder\.layers\.(\d+)\."),
        width=tensors[f"{first}.self_attn.linear_q.weight"].shape[0],
        kernel=tensors[f"{first}.conv.depthwise_conv.weight"].shape[-1],
    )


def synthesizer_shape(tensors: Mapping[str, TensorEntry], name: str) -> SynthesizerShape:
    """Raises KeyError where it is no XTTS."""
    loaded = {
        key.removeprefix("xtts."): entry
        for key, entry in tensors.items()
        if entry.floating and not key.removeprefix("xtts.").startswith(_UNUSED)
    }
    blocks = sum(entry.count for key, entry in loaded.items() if key.startswith(_BLOCKS))
    text = loaded["gpt.text_pos_embedding.emb.weight"].shape[0]
    audio, width = loaded["gpt.mel_pos_embedding.emb.weight"].shape
    return SynthesizerShape(
        name=name,
        block_weights=blocks,
        other_weights=sum(entry.count for entry in loaded.values()) - blocks,
        layers=_layers(loaded, r"gpt\.gpt\.h\.(\d+)\."),
        width=width,
        longest=32 + text + audio,
    )


def estimate_recognizer(shape: RecognizerShape, precision: Precision) -> Need:
    each = _BYTES[precision]
    weights = (shape.weights + shape.positions * shape.width) * each
    # Attention's look-back and the convolution's; the step makes new ones beside the old ones.
    caches = 2 * shape.layers * shape.width * (LEFT_FRAMES + shape.kernel - 1) * each
    return Need(
        weights=weights,
        kv=caches,
        compute=RECOGNIZER_STEP_BYTES + LIBRARY_BYTES + round(weights * ALLOCATOR_SHARE),
        context=CONTEXT_BYTES,
    )


def estimate_synthesizer(shape: SynthesizerShape, precision: Precision) -> Need:
    each = _BYTES[precision]
    weights = shape.block_weights * each + shape.other_weights * 4
    return Need(
        weights=weights,
        kv=2 * shape.layers * shape.width * shape.longest * each,
        compute=SYNTHESIZER_STEP_BYTES + LIBRARY_BYTES + round(weights * ALLOCATOR_SHARE),
        context=CONTEXT_BYTES,
    )


def _layers(tensors: Mapping[str, TensorEntry], pattern: str) -> int:
    found = (re.match(pattern, name) for name in tensors)
    return len({match[1] for match in found if match})
