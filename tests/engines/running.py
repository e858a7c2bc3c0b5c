"""Running an engine in a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import numpy as np

from voicebot_local.engines.client import EngineNotice, EngineSpec, LocalEngine, Placement, running
from voicebot_local.engines.connection import EngineLimits
from voicebot_local.engines.faces import EngineChatModel
from voicebot_local.engines.steps import Cancelled
from voicebot_local.providers.base import Message, Samples


class CountedSteps:
    """Counts steps by kind, and cancels when `allowed` of them have been begun."""

    def __init__(self, allowed: int | None = None) -> None:
        self.begun: list[str] = []
        self.allowed = allowed

    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        if self.allowed is not None and len(self.begun) >= self.allowed:
            raise Cancelled
        self.begun.append(kind)
        yield


@asynccontextmanager
async def started(
    spec: EngineSpec, placement: Placement = "process", limits: EngineLimits | None = None
) -> AsyncIterator[tuple[LocalEngine, list[EngineNotice]]]:
    notices: list[EngineNotice] = []
    engine = LocalEngine(spec, placement=placement, on_notice=notices.append, limits=limits)
    with anyio.fail_after(60):
        async with running(engine):
            yield engine, notices


async def said(engine: LocalEngine, text: str) -> list[str]:
    """What the fake chat model replies to one message."""
    async with EngineChatModel(engine).reply([Message("user", text)]) as deltas:
        return [delta.text async for delta in deltas]


async def blocks(*lengths: int) -> AsyncIterator[Samples]:
    for length in lengths:
        yield np.ones(length, np.float32)
