"""Records the token loop's step as CUDA graphs, so that a token costs one launch, not hundreds.

Nothing here has run on a GPU yet; `cuda_graph = false` does without it.
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from voicebot_local.providers.tts.xtts_tokens import TokenLoop

logger = logging.getLogger(__name__)

SHORT = (192, 384)
"""Cache lengths that a graph is recorded for, and the longest: what a short text does not fill
need not be looked at."""
_REHEARSALS = 3
"""Runs before a recording, in which libraries allocate and choose their kernels."""


class StepGraphs:
    """The loop's `fixed_step`, recorded for a few lengths of the cache."""

    def __init__(self, loop: TokenLoop) -> None:
        """Records; the loop must be in the middle of a piece, which is over then."""
        self._graphs: dict[int, Any] = {}
        sizes = sorted({size for size in SHORT if size < loop.longest} | {loop.longest})
        with torch.inference_mode():
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for size in sizes * _REHEARSALS:
                    loop.fixed_step(size)
            torch.cuda.current_stream().wait_stream(beside)
            for size in sizes:
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    loop.fixed_step(size)
                self._graphs[size] = graph

    def __call__(self, filled: int) -> None:
        """One step with a cache of which `filled` places are in use, this one with them."""
        next(graph for size, graph in self._graphs.items() if size >= filled).replay()


def record(loop: TokenLoop) -> bool:
    """Let `loop` replay recorded steps; False, with the reason in the log, where that fails."""
    try:
        loop.replay = StepGraphs(loop)
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA asserts that it has it
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        logger.warning(
            "XTTS takes its steps one by one, no CUDA graph could be recorded: %s", reason
        )
        return False
    return True
