"""The encoder's step as a CUDA graph, so that a chunk costs one launch, not a thousand.

Nothing here has run on a GPU yet; `cuda_graph = false` does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from voicebot_local.providers.cuda_graphs import recorded, rehearse

Tensor: TypeAlias = Any


class GraphStep:
    """`step`, recorded for the shapes of its inputs, which are tensors on the GPU.

    A recording reads and writes the same memory each time. So inputs are copied to where it reads
    and outputs from where it writes: what was given out stays as it is, whoever keeps it, and
    utterances may take turns. That is ten small launches, none of which waits for the device.
    """

    def __init__(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> None:
        """Rehearses and records; raises RuntimeError, or AssertionError without CUDA."""
        self._inputs = tuple(it.clone() for it in inputs)
        work = partial(step, *self._inputs)
        rehearse(work)
        self._graph, self._outputs = recorded(work)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for fixed, given in zip(self._inputs, inputs, strict=True):
            fixed.copy_(given)
        self._graph.replay()
        return tuple(it.clone() for it in self._outputs)
