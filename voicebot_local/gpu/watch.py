"""Notices that another program takes the GPU's memory while we run, before that hurts.

Every engine takes what it needs when it is loaded and warmed up, so what goes later goes to others.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.to_thread import run_sync

from voicebot_local.events import GpuMemoryTaken
from voicebot_local.gpu.memory import GpuMemory
from voicebot_local.gpu.need import MIB

INTERVAL_S = 5.0
NOTABLE_BYTES = 512 * MIB
"""PyTorch's allocator may still add less than this; a program that computes takes more."""


def notice(mark: int, free: int, first: int) -> tuple[int, GpuMemoryTaken | None]:
    """The next mark, and what to tell, if anything. Pure.

    `mark`: the free bytes to compare with; `first`: the free bytes when watching began. It is told
    once for each notable loss; memory that comes back is not told, but may be lost again.
    """
    if mark - free >= NOTABLE_BYTES:
        return free, GpuMemoryTaken(max(0, first - free), free)
    return max(mark, free), None


async def watch(
    read: Callable[[], GpuMemory | None],
    tell: Callable[[GpuMemoryTaken], object],
    interval_s: float = INTERVAL_S,
) -> None:
    """Watch until cancelled, or until `read` (called in a thread) has no answer any more."""
    memory = await run_sync(read)
    if memory is None:
        return
    first = mark = memory.free
    while True:
        await anyio.sleep(interval_s)
        memory = await run_sync(read)
        if memory is None:
            return
        mark, told = notice(mark, memory.free, first)
        if told is not None:
            tell(told)
