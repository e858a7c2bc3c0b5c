"""The session's side of the broker: starts it, keeps it running, tells it the deadlines."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import anyio
from anyio.abc import Process, TaskStatus
from pydantic import BaseModel, ConfigDict, Field, model_validator

from voicebot_local.audio.playout import Playout
from voicebot_local.errors import ProviderUnavailable
from voicebot_local.events import DeviceOverdue, EventLog
from voicebot_local.gpu.outlook import OutlookReader
from voicebot_local.gpu.queue import TENANTS, Outlook
from voicebot_local.gpu.wire import Kind, Record, RecordReader, from_optional

START_S = 10.0
RESTART_S = 0.2


class BrokerSettings(BaseModel):
    """The `[gpu]` section of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker: bool = Field(
        True,
        description="Let one engine at a time compute, whoever would be audibly late first; "
        "false lets all of them contend.",
    )
    parking: Literal["auto", "always", "never"] = Field(
        "auto",
        description="The chat model's and the synthesizer's weights on the GPU by turns, the other "
        "in the machine's memory: auto does it only where nothing else fits; it needs the broker.",
    )
    step_limit_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="An engine that keeps the device longer than this when others wait is "
        "reported (s).",
    )
    step_kill_s: float = Field(
        15.0,
        gt=0,
        le=600,
        description="Its process is ended and started again after this (s); shorter frees the "
        "device sooner, and kills slow machines' steps.",
    )

    @model_validator(mode="after")
    def _parking_needs_a_broker(self) -> BrokerSettings:
        if self.parking == "always" and not self.broker:
            raise ValueError('parking = "always" needs broker = true')
        return self


class Broker:
    """A broker process and the session's connection to it. Made by `open_broker`.

    While the process is being started again, deadlines are not told; the next one is.
    """

    def __init__(
        self, address: str, settings: BrokerSettings, on_overdue: Callable[[DeviceOverdue], object]
    ) -> None:
        self.address = address
        self.process: Process | None = None
        self._settings = settings
        self._on_overdue = on_overdue
        self._connection: socket.socket | None = None

    def look_ahead(self, outlook: Outlook) -> None:
        """Tell the broker when the reply will be audibly late."""
        if self._connection is not None:
            x, y = from_optional(outlook.audio_until), from_optional(outlook.text_until)
            # A broker that is ending is about to be started again.
            flag = int(outlook.speculative)
            with suppress(OSError):
                self._connection.send(Record(Kind.OUTLOOK, flag, x=x, y=y).encode())

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Keep a broker running until cancelled; `started` once it serves."""
        started = False
        while True:
            Path(self.address).unlink(missing_ok=True)
            limits = (str(self._settings.step_limit_s), str(self._settings.step_kill_s))
            process = await anyio.open_process(
                [sys.executable, "-m", "voicebot_local.gpu.broker", self.address, *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None,
                start_new_session=True,
            )
            try:
                await self._ready(process)
                self.process = process
                if not started:
                    task_status.started()
                    started = True
                await self._listen()
            finally:
                self._disconnect()
                with anyio.CancelScope(shield=True):
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.aclose()
            await anyio.sleep(RESTART_S)

    async def _ready(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            with anyio.fail_after(START_S):
                await process.stdout.receive()
        except (TimeoutError, anyio.EndOfStream):
            raise ProviderUnavailable(
                "broker",
                "The broker of the device could not be started.",
                "Run again with --debug, or set broker = false in [gpu].",
                retryable=False,
            ) from None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self.address)
        connection.setblocking(False)
        self._connection = connection

    async def _listen(self) -> None:
        """Returns when the broker has ended."""
        assert self._connection is not None
        reader = RecordReader()
        while True:
            await anyio.wait_readable(self._connection)
            try:
                data = self._connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            for record in reader.feed(data):
                if record.kind in (Kind.OVERDUE, Kind.KILLED):
                    tenant, killed = TENANTS[record.flag], record.kind is Kind.KILLED
                    self._on_overdue(DeviceOverdue(tenant, record.number, record.x, killed))

    def _disconnect(self) -> None:
        self.process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@asynccontextmanager
async def open_broker(
    settings: BrokerSettings, on_overdue: Callable[[DeviceOverdue], object]
) -> AsyncIterator[Broker]:
    """A broker for the block. Raises ProviderUnavailable where it cannot be started."""
    # A short path of its own: addresses of local sockets have at most about 100 characters.
    with TemporaryDirectory(prefix="voicebot-") as directory:
        broker = Broker(str(Path(directory) / "broker"), settings, on_overdue)
        async with anyio.create_task_group() as tasks:
            await tasks.start(broker.run)
            yield broker
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def shared_device(
    settings: BrokerSettings, log: EventLog, playout: Playout, rate: int
) -> AsyncIterator[str | None]:
    """The address of a broker that follows the session of `log`; None where there is none.

    There is none where the configuration says so, and on systems without POSIX local sockets.
    """
    if not settings.broker or not hasattr(socket, "AF_UNIX"):
        yield None
        return
    async with open_broker(settings, lambda overdue: log.append(overdue)) as broker:
        log.add_reader(OutlookReader(playout, rate, broker.look_ahead, time.monotonic))
        yield broker.address
