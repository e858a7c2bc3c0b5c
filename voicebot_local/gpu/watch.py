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


def notice(
    mark: int, free: int, first: int, swing: int | None = None
) -> tuple[int, GpuMemoryTaken | None]:
    """The next mark, and what to tell, if anything. Pure.

    `mark`: the free bytes to compare with; `first`: the free bytes when watching began. It is told
    once for each notable loss; memory that comes back is not told, but may be lost again.

    `swing`: where our own weights come and go, how much less than at first may be free for that.
    What is free above the first is then ours, too, and does not raise the mark.
    """
    if mark - free >= NOTABLE_BYTES + (swing or 0):
        return free, GpuMemoryTaken(max(0, first - free), free)
    mark = max(mark, free)
    return (mark if swing is None else min(mark, first)), None


async def watch(
    read: Callable[[], GpuMemory | None],
    tell: Callable[[GpuMemoryTaken], object],
    interval_s: float = INTERVAL_S,
    swing: int | None = None,
) -> None:
    """Watch until cancelled, or until `read` (called in a thread) has no answer any more.

    `swing`: see `notice`.
    """
    memory = await run_sync(read)
    if memory is None:
        return
    first = mark = memory.free
    while True:
        await anyio.sleep(interval_s)
        memory = await run_sync(read)
        if memory is None:
            return
        mark, told = notice(mark, memory.free, first, swing)
        if told is not None:
            tell(told)
