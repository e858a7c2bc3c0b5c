"""A local engine as the program sees it: loaded, restarted when it dies, one call at a time."""

from __future__ import annotations

import inspect
import json
import logging
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import anyio
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus
from anyio.to_thread import run_sync

from voicebot_local.engines import wire
from voicebot_local.engines.connection import Call, Connection, EngineLimits
from voicebot_local.engines.link import Link, OpenLink, process_link, thread_link
from voicebot_local.engines.steps import TimedStep
from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.engines.wire import Input
from voicebot_local.errors import (
    ProtocolViolation,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    VoicebotError,
)
from voicebot_local.events import EngineDied, EngineLoaded, Stage, UsageReported
from voicebot_local.gpu.memory import measured_bytes
from voicebot_local.providers.base import EngineInfo, ProviderConfig

logger = logging.getLogger(__name__)

Placement: TypeAlias = Literal["process", "inline"]

MOST_DEATHS = 3
"""After so many deaths without a successful call between them, it is not started again."""

_BACKOFF_S = (0.0, 0.5, 2.0)
_LINKS: dict[Placement, OpenLink] = {"process": process_link, "inline": thread_link}


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Which engine, by "module:Class" paths, and its configuration."""

    stage: Stage
    name: str
    engine: str
    config_class: str
    config: ProviderConfig
    offline: bool = False
    broker: str | None = None
    """Address of the broker of the device that it shares, if there is one."""
    parks: bool = False
    """Its weights are on the device only while it works; the broker says when."""

    @property
    def label(self) -> str:
        """For sentences: "speech recognizer (nemo)"."""
        return f"{wire.STAGE_NAMES[self.stage]} ({self.name})"


@dataclass(frozen=True, slots=True)
class StepsDone:
    """Steps that an engine did on the device; see `TimedStep`."""

    stage: Stage
    process: int
    steps: list[TimedStep]


EngineNotice: TypeAlias = EngineLoaded | EngineDied | StepsDone | UsageReported


Replan: TypeAlias = Callable[[EngineSpec], EngineSpec]
"""How an engine that died is started again, with what memory is free now; called in a thread."""


def _nobody(notice: EngineNotice) -> None:
    """Takes the notices where nobody wants them."""
    logger.debug("%s", notice)


class LocalEngine:
    """An engine in a child process (or, "inline", in a thread here); `run` keeps it alive.

    `on_notice` is called in the event loop and must not block. Calls raise what the engine raises,
    ProviderUnavailable where it died or was given up, ProviderTimeout where it hung. Works on
    asyncio and trio.
    """

    def __init__(
        self,
        spec: EngineSpec,
        *,
        placement: Placement = "process",
        on_notice: Callable[[EngineNotice], None] = _nobody,
        limits: EngineLimits | None = None,
        replan: Replan | None = None,
    ) -> None:
        self.spec = spec
        self._open_link = _LINKS[placement]
        self._on_notice = on_notice
        self._limits = limits or EngineLimits()
        self._replan = replan
        self._info: EngineInfo | None = None
        self._link: Link | None = None
        self._connection: Connection | None = None
        self._given_up: ProviderUnavailable | None = None
        self._deaths = 0
        self._in_call = False
        self._changed = anyio.Event()

    @property
    def info(self) -> EngineInfo:
        """What the engine said when it was last loaded; only once `run` has started."""
        if self._info is None:
            raise RuntimeError(f"the {self.spec.label} is not loaded yet")
        return self._info

    @property
    def is_loaded(self) -> bool:
        """Whether it has been loaded and warm at any time."""
        return self._info is not None

    @property
    def pid(self) -> int | None:
        """Of the child process, if it lives."""
        return getattr(self._link, "pid", None)

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Load the engine, then keep it alive until cancelled; `started` once it is loaded.

        Raises the VoicebotError of a first load that fails. Later ones count as deaths.
        """
        while True:
            try:
                reason = await self._live(task_status)
            except VoicebotError as error:
                if self._info is None:
                    raise
                reason = f"{error.message} {error.mend}".strip()
            self._deaths += 1
            restarting = self._deaths < MOST_DEATHS
            self._on_notice(EngineDied(self.spec.stage, self.spec.name, reason, restarting))
            if not restarting:
                self._given_up = ProviderUnavailable(
                    self.spec.name,
                    f"The {self.spec.label} stopped {self._deaths} times in a row and is given up; "
                    f"last: {reason}",
                    "Start the program again, with --debug to see what it writes.",
                    retryable=False,
                )
                self._announce()
                await anyio.sleep_forever()
            await anyio.sleep(_BACKOFF_S[self._deaths - 1])
            if self._replan is not None:
                self.spec = await run_sync(self._replan, self.spec)

    @asynccontextmanager
    async def call(
        self, head: dict[str, Any], inputs: AsyncIterable[Input] | None = None
    ) -> AsyncIterator[Call]:
        """One call: `head` goes with its start, `inputs` are pumped while the block runs.

        Waits for the engine to be loaded or restarted, or to have ended a call that was left.
        Leaving the block cancels without waiting.
        """
        if self._in_call:
            raise RuntimeError(f"the {self.spec.label} serves one call at a time")
        self._in_call = True
        try:
            connection = await self._free_connection()
            try:
                call = connection.begin(head, takes_input=inputs is not None)
            except ValueError as error:
                raise ProviderError(
                    self.spec.name,
                    f"The {self.spec.label} cannot take what it was given: {error}.",
                    retryable=False,
                ) from error
            try:
                if inputs is None:
                    yield call
                else:
                    async with owned_tasks() as tasks:
                        tasks.start_soon(_pump, connection, call, inputs)
                        yield call
                        tasks.cancel_scope.cancel()
            finally:
                connection.leave(call)
        finally:
            self._in_call = False

    async def _live(self, task_status: TaskStatus[None]) -> str:
        """One life; returns how it ended."""
        first = self._info is None
        began = anyio.current_time()
        label = f"The {self.spec.label}"
        async with self._open_link(label) as link, owned_tasks() as tasks:
            connection = Connection(link, label, self._limits, self._on_free, self._on_steps)
            self._link = link
            tasks.start_soon(connection.read)
            tasks.start_soon(connection.watch)
            error: VoicebotError = ProviderUnavailable(
                self.spec.name, f"The {self.spec.label} is being shut down."
            )
            try:
                self._info = info = await self._load(connection, link)
                self._connection = connection
                load_s = anyio.current_time() - began
                taken, memory = await self._measured()
                loaded = EngineLoaded(
                    self.spec.stage, self.spec.name, info.device, load_s, memory, taken
                )
                unpark_s = float(info.details.get("unpark_s", 0.0))
                self._on_notice(replace(loaded, unpark_s=unpark_s))
                self._announce()
                if first:
                    task_status.started()
                await connection.ended.wait()
                error = await self._obituary(connection, link, "stopped unexpectedly")
            finally:
                self._connection = self._link = None
                connection.break_off(error)
            tasks.cancel_scope.cancel()
        return error.message

    async def _measured(self) -> tuple[int, str]:
        """What the child has taken, in bytes, and of which memory."""
        pid = self.pid
        found = None if pid is None else await run_sync(measured_bytes, pid)
        return found or (0, "")

    async def _load(self, connection: Connection, link: Link) -> EngineInfo:
        spec = self.spec
        head = {
            "stage": spec.stage,
            "name": spec.name,
            "engine": spec.engine,
            "config_class": spec.config_class,
            "config": json.loads(spec.config.model_dump_json()),
            "offline": spec.offline,
            "broker": spec.broker,
            "parks": spec.parks,
            "sys_path": sys.path,
        }
        try:
            info = await connection.load(head)
        except TimeoutError:
            link.kill()
            raise ProviderTimeout(
                spec.name, f"The {spec.label} was not loaded after {self._limits.load_s:g} s."
            ) from None
        if info is None:
            raise await self._obituary(connection, link, "stopped while it was loaded")
        return info

    async def _obituary(self, connection: Connection, link: Link, what: str) -> VoicebotError:
        how = await link.how_it_ended()
        if connection.violation is not None:
            return ProtocolViolation(self.spec.name, connection.violation.message)
        if connection.stalled_s is not None:
            return ProviderTimeout(
                self.spec.name,
                f"The {self.spec.label} gave no answer for {connection.stalled_s:g} s "
                "and was stopped.",
                "It is started again.",
            )
        words = link.last_words()
        mend = f"The last it wrote: {words}" if words else ""
        return ProviderUnavailable(self.spec.name, f"The {self.spec.label} {what} ({how}).", mend)

    async def _free_connection(self) -> Connection:
        limit_s = self._limits.restart_s if self.is_loaded else self._limits.load_s
        with anyio.move_on_after(limit_s):
            while True:
                if self._given_up is not None:
                    # A new one each time, so that no trace grows on it.
                    raise wire.read_error(wire.error_head(self._given_up), self.spec.name)
                if self._connection is not None and self._connection.is_free:
                    return self._connection
                await self._changed.wait()
        raise ProviderTimeout(
            self.spec.name,
            f"The {self.spec.label} was not ready after {limit_s:g} s.",
            "Run again with --debug to see what it writes.",
        )

    def _on_free(self, call: Call) -> None:
        if not call.left:
            self._deaths = 0
        logger.debug("%s: call %d took %s", self.spec.label, call.number, call.steps)
        self._announce()

    def _on_steps(self, steps: list[TimedStep]) -> None:
        self._on_notice(StepsDone(self.spec.stage, self.pid or 0, steps))

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def _pump(connection: Connection, call: Call, inputs: AsyncIterable[Input]) -> None:
    try:
        async for value in inputs:
            if not await call.room():
                return
            connection.send_input(call, value)
        if not call.finished:
            connection.end_input(call)
    finally:
        if inspect.isasyncgen(inputs):
            with CancelScope(shield=True):
                await inputs.aclose()


class Runs(Protocol):
    """Something that is kept alive by `run`: an engine, or a hosted provider's connection."""

    async def run(self, *, task_status: TaskStatus[None] = ...) -> None:
        """Get ready, say so with `started`, and stay so until cancelled."""


@asynccontextmanager
async def running(*engines: Runs, later: Sequence[Runs] = ()) -> AsyncIterator[None]:
    """Load the engines side by side and keep them alive for the block.

    The block begins once `engines` are loaded; `later` ones may still be loading. Raises the
    VoicebotError of the first load that fails, in the block too, with all of them gone.
    """
    async with owned_tasks() as tasks:
        async with owned_tasks() as loading:
            for engine in later:
                tasks.start_soon(engine.run)
            for engine in engines:
                loading.start_soon(tasks.start, engine.run)
        yield
        tasks.cancel_scope.cancel()
