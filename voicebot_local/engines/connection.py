"""One life of an engine, from its load to its death, and the calls on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from anyio import BrokenResourceError, EndOfStream, WouldBlock

from voicebot_local.engines import wire
from voicebot_local.engines.link import Link
from voicebot_local.engines.protocol import Frame
from voicebot_local.engines.serving import INPUT_WINDOW
from voicebot_local.engines.steps import StepReport, TimedStep
from voicebot_local.engines.wire import Input, Item
from voicebot_local.errors import ProtocolViolation, VoicebotError
from voicebot_local.providers.base import EngineInfo

ITEM_WINDOW = 64
"""Most items of a call that wait here; more wait in the pipe, and then the engine waits."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How long an engine may take before it is taken for dead."""

    load_s: float = 300.0
    """To load its model and warm up."""
    stall_s: float = 60.0
    """To give or take anything while it has work."""
    cancel_s: float = 5.0
    """To end a call that was left: one step."""
    restart_s: float = 60.0
    """How long a call waits for an engine that is being restarted."""


class Call:
    """One call, as its caller sees it: an iterator of items that may raise the call's error."""

    def __init__(self, number: int, takes_input: bool) -> None:
        self.number = number
        self.finished = False
        self.left = False
        self.steps: dict[str, StepReport] = {}
        self._error: VoicebotError | None = None
        self._give, self._items = anyio.create_memory_object_stream[Item](ITEM_WINDOW)
        self._input_ended = not takes_input
        self._sent = 0
        self._taken: int | None = None
        self._changed = anyio.Event()

    def __aiter__(self) -> Call:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self._items.receive()
        except EndOfStream:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    @property
    def waits_for_us(self) -> bool:
        """Whether the engine has taken all that it was given, and asked for more."""
        return not self._input_ended and self._taken == self._sent

    async def room(self) -> bool:
        """Wait until another input may be sent; False where no more is wanted."""
        while not self.finished and self._sent - (self._taken or 0) >= INPUT_WINDOW:
            await self._changed.wait()
        return not self.finished

    def sent(self) -> None:
        self._sent += 1

    def sent_all(self) -> None:
        self._input_ended = True

    def took(self, count: int) -> None:
        self._taken = count
        self._notify()

    async def give(self, item: Item) -> None:
        """Waits while the caller is slow; a caller that has left gets nothing."""
        try:
            self._give.send_nowait(item)
        except WouldBlock:
            with suppress(BrokenResourceError):
                await self._give.send(item)
        except BrokenResourceError:
            pass

    def finish(self, error: VoicebotError | None = None) -> None:
        if not self.finished:
            self.finished = True
            self._error = error
            self._give.close()
            self._notify()

    def leave(self) -> None:
        """The caller wants nothing more."""
        self.left = True
        self._items.close()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Connection:
    """A link with a loaded engine at its end. `read` and `watch` run as tasks.

    One call at a time: the next may begin once `is_free`, which `on_free` announces.
    """

    def __init__(
        self,
        link: Link,
        name: str,
        limits: EngineLimits,
        on_free: Callable[[Call], None],
        on_steps: Callable[[list[TimedStep]], None],
    ) -> None:
        self.current: Call | None = None
        self.ended = anyio.Event()
        self.violation: ProtocolViolation | None = None
        self.stalled_s: float | None = None
        self._link = link
        self._name = name
        self._limits = limits
        self._on_free = on_free
        self._on_steps = on_steps
        self._loaded: EngineInfo | VoicebotError | None = None
        self._answered = anyio.Event()
        self._calls = 0
        self._moved_at = 0.0
        self._delivering = False
        self._ending = False

    @property
    def is_free(self) -> bool:
        return self.current is None and not self._ending

    async def load(self, head: dict[str, Any]) -> EngineInfo | None:
        """None where it died instead. Raises what the engine said, or TimeoutError."""
        self._link.post(Frame(head | {"type": "load"}))
        with anyio.fail_after(self._limits.load_s):
            await self._answered.wait()
        if isinstance(self._loaded, VoicebotError):
            raise self._loaded
        return self._loaded

    def begin(self, head: dict[str, Any], takes_input: bool) -> Call:
        """Start a call, without waiting. Raises ValueError where `head` is too long."""
        assert self.is_free
        self._calls += 1
        self._link.post(Frame(head | {"type": "start", "call": self._calls}))
        self.current = Call(self._calls, takes_input)
        self._moved_at = anyio.current_time()
        return self.current

    def send_input(self, call: Call, value: Input) -> None:
        for frame in wire.input_frames(call.number, value):
            call.sent()
            self._link.post(frame)
        self._moved_at = anyio.current_time()

    def end_input(self, call: Call) -> None:
        call.sent_all()
        self._link.post(Frame({"type": "end_of_input", "call": call.number}))
        self._moved_at = anyio.current_time()

    def leave(self, call: Call) -> None:
        """Cancel what is left of the call, without waiting for the engine to have seen it."""
        call.leave()
        if not call.finished:
            self._link.post(Frame({"type": "cancel", "call": call.number}))
            self._moved_at = anyio.current_time()

    def break_off(self, error: VoicebotError) -> None:
        """The engine is gone."""
        if self.current is not None:
            self.current.finish(error)

    async def read(self) -> None:
        """Hand out what the engine sends, until its end."""
        try:
            while frames := await self._link.receive():
                for frame in frames:
                    self._moved_at = anyio.current_time()
                    await self._take(frame)
        except ProtocolViolation as violation:
            self.violation = violation
            self._link.kill()
        finally:
            self.ended.set()
            self._answered.set()

    async def watch(self) -> None:
        """Kill an engine that has work and does nothing."""
        while True:
            limit_s = self._limit_s()
            wait_s = self._moved_at + limit_s - anyio.current_time()
            if wait_s <= 0 and self._owes():
                self.stalled_s = limit_s
                self._link.kill()
                return
            # A call that is left meanwhile has a shorter limit: look in time for that one.
            shortest_s = min(self._limits.cancel_s, self._limits.stall_s)
            await anyio.sleep(min(max(wait_s, shortest_s / 8), shortest_s / 2))

    def _limit_s(self) -> float:
        if self.current is None:
            return math.inf
        return self._limits.cancel_s if self.current.left else self._limits.stall_s

    def _owes(self) -> bool:
        call = self.current
        if call is None or self._delivering:
            return False
        return call.left or not call.waits_for_us

    async def _take(self, frame: Frame) -> None:
        match frame.type:
            case "loaded":
                self._loaded = wire.read_info(frame, self._name)
                self._answered.set()
                return
            case "failed":
                self._loaded = wire.read_error(frame.head.get("error", {}), self._name)
                self._answered.set()
                return
            case "steps":
                self._on_steps(wire.read_timed_steps(frame, self._name))
                return
        call = self.current
        if call is None or call.number != frame.head.get("call"):
            raise ProtocolViolation(
                self._name, f"{self._name} sent a {frame.type!r} frame of a call that is over."
            )
        match frame.type:
            case "wants":
                call.took(wire.read_taken(frame, self._name))
            case "item":
                item = wire.read_item(frame, self._name)
                self._delivering = True
                await call.give(item)
                self._delivering = False
                self._moved_at = anyio.current_time()
            case "done" | "error" as kind:
                call.steps = wire.read_steps(frame, self._name)
                error = wire.read_error(frame.head.get("error", {}), self._name)
                self._ending = bool(frame.head.get("ends"))
                self.current = None
                call.finish(error if kind == "error" else None)
                self._on_free(call)
