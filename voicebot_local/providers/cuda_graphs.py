"""Recording work on the GPU as a CUDA graph; what may be recorded is the caller's to see to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_REHEARSALS = 3


def rehearse(work: Callable[[], object]) -> None:
    """Run `work` a few times beside the current stream, so that libraries allocate and choose their
    kernels before it is recorded."""
    import torch

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(_REHEARSALS):
            work()
    torch.cuda.current_stream().wait_stream(beside)


def recorded(work: Callable[[], Any], pool: Any = None) -> tuple[Any, Any]:
    """`work` as a `torch.cuda.CUDAGraph`, and what it returned: memory that each replay fills.

    `pool`: of `torch.cuda.graph_pool_handle`, for graphs that share their memory. Raises
    RuntimeError, or AssertionError where torch has no CUDA.
    """
    import torch

    graph = torch.cuda.CUDAGraph()
    # A recording that fails leaves its own stream current, whose memory is the recording's.
    with (
        torch.cuda.stream(torch.cuda.current_stream()),
        torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"),
    ):
        made = work()
    return graph, made
