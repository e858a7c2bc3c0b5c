"""The encoder's step as a CUDA graph, so that a chunk costs one launch, not a thousand.

Nothing here has run on a GPU yet; `cuda_graph = false` does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any

_REHEARSALS = 3
"""Runs before the recording, in which libraries allocate and choose their kernels."""


class GraphStep:
    """`step`, recorded for the shapes of its inputs, which are tensors on the GPU.

    A recording reads and writes the same memory each time. So inputs are copied to where it reads
    and outputs from where it writes: what was given out stays as it is, whoever keeps it, and
    utterances may take turns. That is ten small launches, none of which waits for the device.
    """

    def __init__(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> None:
        """Rehearses and records; raises RuntimeError, or AssertionError without CUDA."""
        import torch

        self._inputs = tuple(it.clone() for it in inputs)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(_REHEARSALS):
                step(*self._inputs)
        torch.cuda.current_stream().wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        # A recording that fails leaves its own stream current, whose memory is the recording's.
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(self._graph, capture_error_mode="thread_local"),
        ):
            self._outputs = step(*self._inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for fixed, given in zip(self._inputs, inputs, strict=True):
            fixed.copy_(given)
        self._graph.replay()
        return tuple(it.clone() for it in self._outputs)
