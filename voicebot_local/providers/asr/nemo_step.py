"""The encoder's step for all chunks but the first, recorded without its Python.

Of NeMo's step half is bookkeeping in Python: thousands of calls a chunk for modules and checks of
types. Its shapes are the same chunk after chunk, so the operations can be recorded once and run by
themselves: as a CUDA graph on a GPU, else by `torch.jit.trace`. They are the same operations, and
that is checked before they are used. The last chunk may be cut short: it is filled up to a whole
one, and its length says where it ends, as it would in a batch.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from voicebot_local.errors import first_line
from voicebot_local.providers.asr.nemo_graph import GraphStep

Tensor: TypeAlias = Any
Step: TypeAlias = Callable[..., tuple[Tensor, ...]]
"""(mel, its length, cache of attention, cache of convolution, how full the first is) to (encoder
frames, how many of them count, and the three caches after it)."""

logger = logging.getLogger(__name__)

_CHECKED = 2
"""Chunks compared from an empty cache, and as many from a full one."""


def record(
    step: Step, mel: Tensor, shortest: int, caches: list[Tensor], *, cuda_graph: bool = False
) -> Step | None:
    """`step`, recorded for the shapes of these inputs, for lengths from `shortest` to all of `mel`.

    With `cuda_graph` as a `GraphStep`, else, or where that fails, by `torch.jit.trace`. None, with
    the reason in the log, where it cannot be recorded or gives anything else than `step` does.
    """
    import torch

    inputs = (mel, _length(mel, mel.shape[2]), *caches)

    def traced() -> Step:
        made: Step = torch.jit.trace(lambda *given: step(*given), inputs, check_trace=False)
        return made

    ways: list[tuple[str, Callable[[], Step]]] = [("recorded", traced)]
    if cuda_graph:
        ways.insert(0, ("recorded as a CUDA graph", lambda: GraphStep(step, inputs)))
    for name, way in ways:
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                # It warns that it is to be replaced, and where it takes a choice for granted.
                warnings.simplefilter("ignore")
                recorded = way()
            difference = _difference(step, recorded, mel, shortest, caches)
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            logger.warning("the recognizer's step is not %s: %s", name, first_line(error))
            continue
        if difference <= (1e-4 if mel.dtype == torch.float32 else 2e-2):
            return recorded
        logger.warning("the recognizer's step is not %s: it would differ by %.2g", name, difference)
    return None


def _length(mel: Tensor, length: int) -> Tensor:
    import torch

    return torch.full((1,), length, device=mel.device)


def _difference(
    step: Step, recorded: Step, mel: Tensor, shortest: int, caches: list[Tensor]
) -> float:
    """The largest difference of what they give, against the largest value."""
    import torch

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=random).to(like)

    whole = mel.shape[2]
    random = torch.Generator().manual_seed(0)
    full = [noise(caches[0]), noise(caches[1]), torch.full_like(caches[2], caches[0].shape[2])]
    worst = 0.0
    with torch.inference_mode():
        for start in (caches, full):
            ours, theirs = list(start), list(start)
            for length in (whole,) * _CHECKED + (shortest,):
                chunk = noise(mel)
                frames, count, *ours = recorded(chunk, _length(mel, length), *ours)
                expected, wanted, *theirs = step(
                    chunk[:, :, :length], _length(mel, length), *theirs
                )
                frames = frames[:, :, : int(count[0])]
                if int(count[0]) != int(wanted[0]) or frames.shape != expected.shape:
                    return float("inf")
                # What is carried on does not matter after a chunk cut short: it is the last.
                cached = zip(ours, theirs, strict=True) if length == whole else ()
                for a, b in ((frames, expected), *cached):
                    apart = (a.float() - b.float()).abs().max() / b.float().abs().max().clamp(1.0)
                    worst = max(worst, float(apart))
    return worst
