"""Loads the one engine that a stage needs, fitted into free memory, under the broker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from voicebot_local.config import Config, require_stack
from voicebot_local.engines.client import EngineNotice
from voicebot_local.events import Stage
from voicebot_local.gpu.planning import fitted
from voicebot_local.gpu.supervisor import open_broker
from voicebot_local.offline import forbid_network
from voicebot_local.providers.registry import EngineOptions, choice, open_provider
from voicebot_local.stopping import stopping


def prepared(config: Config, stage: Stage) -> Config:
    """`config` as `stage` alone fits in what is free; nothing is loaded.

    What can be found wrong without loading is found here. Where the session is offline, this
    process opens no connection from now on. Raises VoicebotError.
    """
    if config.session.offline:
        forbid_network()
    require_stack(config, [stage])
    return fitted(config, [stage])[0]


@asynccontextmanager
async def open_stage(
    config: Config, stage: Stage, on_notice: Callable[[EngineNotice], None]
) -> AsyncIterator[Any]:
    """The provider of `stage`, ready, for the block; `config` is `prepared`.

    Raises the VoicebotError of a load that fails. `on_notice` must not wait.
    """
    async with AsyncExitStack() as stack:
        address = None
        if config.gpu.broker and hasattr(socket, "AF_UNIX"):
            broker = await stack.enter_async_context(open_broker(config.gpu, lambda _: None))
            address = broker.address
        options = EngineOptions(offline=config.session.offline, broker=address)
        chosen = choice(getattr(config, stage))
        yield await stack.enter_async_context(open_provider(chosen, on_notice, options))


def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` to its end; Ctrl-C cancels it and raises KeyboardInterrupt once it has ended."""

    async def cancellable() -> None:
        with anyio.CancelScope() as scope:
            stop.cancels(scope)
            await work()

    with stopping() as stop:
        anyio.run(cancellable)
    stop.raise_if_asked()
