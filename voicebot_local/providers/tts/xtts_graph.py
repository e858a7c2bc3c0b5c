"""Records the token loop's step as CUDA graphs, so that a token costs one launch, not hundreds.

Nothing here has run on a GPU yet; `cuda_graph = false` does without it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import torch

from voicebot_local.errors import first_line
from voicebot_local.providers.cuda_graphs import recorded, rehearse
from voicebot_local.providers.tts.xtts_tokens import TokenLoop

logger = logging.getLogger(__name__)

SHORT = (192, 384)
"""Cache lengths that a graph is recorded for, and the longest: what a short text does not fill
need not be looked at."""


class StepGraphs:
    """The loop's `fixed_step`, recorded for a few lengths of the cache.

    A recording reads the weights where they were when it was made, and changes nothing: it can be
    made at any time, by any thread, and replayed by any other.
    """

    def __init__(self, loop: TokenLoop) -> None:
        """Rehearses and records; the loop must be in the middle of a piece, which is over then."""
        self._loop = loop
        self._sizes = sorted({size for size in SHORT if size < loop.longest} | {loop.longest})
        self._graphs: dict[int, Any] = {}
        for size in self._sizes:
            rehearse(partial(loop.fixed_step, size))
        self._pool = torch.cuda.graph_pool_handle()
        for size in reversed(self._sizes):  # what the longest needs is enough for the others
            self._record(size)

    def __call__(self, filled: int) -> None:
        """One step with a cache of which `filled` places are in use, this one with them.

        After `forget` the first step of each length is recorded before it is made; where that
        fails the log says why, and from then on steps are made one by one.
        """
        size = next(size for size in self._sizes if size >= filled)
        if size not in self._graphs:
            try:
                self._record(size)
            except RuntimeError as error:
                _warn(error)
                self._loop.replay = None
                self._loop.fixed_step(size)
                return
        self._graphs[size].replay()

    def forget(self) -> None:
        """The weights are about to leave their place: give all recordings up, and their memory."""
        self._graphs.clear()
        self._pool = torch.cuda.graph_pool_handle()

    def _record(self, size: int) -> None:
        self._graphs[size], _ = recorded(partial(self._loop.fixed_step, size), self._pool)


def record(loop: TokenLoop) -> StepGraphs | None:
    """Let `loop` replay recorded steps; None, with the reason in the log, where that fails."""
    try:
        graphs = StepGraphs(loop)
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA asserts that it has it
        _warn(error)
        return None
    loop.replay = graphs
    return graphs


def _warn(error: BaseException) -> None:
    logger.warning(
        "XTTS takes its steps one by one, no CUDA graph could be recorded: %s", first_line(error)
    )
