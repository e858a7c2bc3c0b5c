"""Serving an engine: what the child process does, whatever its frames travel on.

Two threads: one puts frames in (`Desk.put`, which never blocks, so that a cancel is seen at once)
and the owner thread (`serve`) builds the engine and does all its work.
"""

from __future__ import annotations

import importlib
import logging
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from voicebot_local.engines import wire
from voicebot_local.engines.parking import Parking, ParkingEngine
from voicebot_local.engines.protocol import Frame
from voicebot_local.engines.steps import CallSteps, Cancelled, Lease, TimedStep
from voicebot_local.engines.wire import Input, Item
from voicebot_local.errors import OutOfMemory, ProviderError, VoicebotError
from voicebot_local.events import Stage
from voicebot_local.gpu.queue import TENANT_OF
from voicebot_local.gpu.room import HOME
from voicebot_local.providers.base import (
    ChatEngine,
    EngineInfo,
    ProviderConfig,
    RecognizerEngine,
    Samples,
    Steps,
    SynthesizerEngine,
)

if TYPE_CHECKING:
    from voicebot_local.gpu.lease import DeviceLease

logger = logging.getLogger(__name__)

Emit = Callable[[Frame], None]
"""Sends a frame to the client; blocks while the client is slow, raises OSError when it is gone."""

SWITCH_S = 0.0005
"""How soon the thread that listens to the broker gets Python's global lock (s)."""
CHUNK_S = 0.1
"""A recognizer's chunk is due when the next one comes; most are about this long (s)."""
STEPS_TOLD = 64
"""Steps are told to the client in lots of this many, and at the end of a call."""
INPUT_WINDOW = 256
"""Most inputs of a call that wait in the child: the client sends more only as they are taken."""


class ClientGone(OSError):
    """There is nobody to send frames to."""


class DeviceLost(Exception):
    """The engine's device no longer works in this process; a new process may be able to use it."""


class AnyEngine(Protocol):
    info: EngineInfo


class Wake:
    """Among what the owner thread waits for: there is something to be done for the broker."""


def load_class(path: str) -> Any:
    """The object at "module:Name". Raises ImportError or AttributeError."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class ServedCall:
    """One call, as the child sees it."""

    def __init__(
        self, head: dict[str, Any], emit: Emit, lease: Lease | None, parking: Parking | None = None
    ) -> None:
        self.number = int(head["call"])
        self.head = head
        self.cancelled = threading.Event()
        self._emit = emit
        self._lease = lease
        self.parking = parking
        self._inputs: queue.SimpleQueue[Input | Wake | None] = queue.SimpleQueue()

    def put(self, value: Input | None) -> None:
        """An input, or None at their end. Never blocks; the client keeps to INPUT_WINDOW."""
        self._inputs.put(value)

    def wake(self) -> None:
        """Let the owner thread look around where it waits for an input."""
        self._inputs.put(Wake())

    def cancel(self) -> None:
        self.cancelled.set()
        if self._lease is not None:
            self._lease.interrupt()
        self._inputs.put(None)  # wakes the owner thread where it waits for an input

    def inputs(self, steps: Steps) -> Iterator[Input]:
        """The inputs, as they come; the iterator blocks. Raises Cancelled.

        With an input in hand, the engine's weights are on the device.
        """
        taken = 0
        while True:
            self._emit(Frame({"type": "wants", "call": self.number, "taken": taken}))
            if self._lease is not None and self._inputs.empty():
                self._lease.rest()
                if self.parking is not None:
                    self.parking.rests(over=False)
                    self.parking.obey()
            value = self._next()
            if self.cancelled.is_set():
                raise Cancelled
            if value is None:
                return
            taken += 1
            if self.parking is not None:
                self.parking.ensure(steps)
            yield value

    def _next(self) -> Input | None:
        while isinstance(value := self._inputs.get(), Wake):
            if self.parking is not None and self._inputs.empty():
                self.parking.obey()
        return value


class Desk:
    """Frames from the client, sorted for the owner thread."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._work: queue.SimpleQueue[ServedCall | Frame | Wake | None] = queue.SimpleQueue()
        self._current: ServedCall | None = None
        self._lease: Lease | None = None
        self._parking: Parking | None = None
        self._timed: list[TimedStep] = []
        self.loaded = False

    def put(self, frame: Frame) -> None:
        """Take a frame from the client. Never blocks. Frames of finished calls are dropped."""
        if frame.type == "load":
            self._work.put(frame)
            return
        if frame.type == "start":
            self._current = ServedCall(frame.head, self._emit, self._lease, self._parking)
            self._work.put(self._current)
            if self._parking is not None and not frame.head.get("speculative"):
                self._parking.urge()
            return
        call = self._current
        if call is None or call.number != frame.head["call"]:
            return
        match frame.type:
            case "input":
                call.put(wire.read_input(frame))
            case "end_of_input":
                call.put(None)
            case "cancel":
                call.cancel()

    def close(self) -> None:
        """The client is gone: interrupt the call and end `serve`."""
        if self._current is not None:
            self._current.cancel()
        self._work.put(None)

    def serve(self) -> None:
        """Load the engine and work off the calls until `close`. Runs in the owner thread.

        Raises DeviceLost, after the call that met it was answered, and OSError where the client is
        gone.
        """
        load = self._work.get()
        if not isinstance(load, Frame):
            return
        stage: Stage = load.head["stage"]
        name: str = load.head["name"]
        try:
            engine, info = self._load(load.head, stage)
        except Exception as error:
            told = wire.error_head(_told(error, stage, name, "could not be loaded"))
            self._emit(Frame({"type": "failed", "error": told}))
            return
        self.loaded = True
        self._emit(Frame({"type": "loaded", "info": wire.info_head(info)}))
        try:
            while isinstance(work := self._work.get(), ServedCall | Wake):
                if isinstance(work, ServedCall):
                    self._serve_call(engine, stage, name, work)
                if self._parking is not None and self._work.empty():
                    if not self._parking.obey():
                        self._work.put(Wake())
                    self._tell_steps()
        finally:
            close = getattr(engine, "close", None)
            if close is not None:
                close()

    def _load(self, head: dict[str, Any], stage: Stage) -> tuple[AnyEngine, EngineInfo]:
        if not head.get("parks") or head["broker"] is None:
            self._lease = _lease(head)
            engine = _build(head)
            return engine, engine.info
        lease = _device_lease(head, self._on_room)
        self._lease = lease
        parking = Parking(lease, self._record)
        self._parking = parking
        with parking.loading():
            engine = _build(head)
        took = parking.measure(cast(ParkingEngine, engine), at_home=TENANT_OF[stage] == HOME)
        self._tell_steps()
        return engine, replace(engine.info, details=engine.info.details | took)

    def _on_room(self, unpark: bool) -> None:
        """The broker's wish; wakes the owner thread, wherever it waits."""
        parking, call = self._parking, self._current
        if parking is not None:
            parking.order(unpark)
        if call is not None:
            call.wake()
        self._work.put(Wake())

    def _serve_call(self, engine: AnyEngine, stage: Stage, name: str, call: ServedCall) -> None:
        steps = CallSteps(call.cancelled, self._lease, self._record if self._lease else None)
        if self._lease is not None:
            self._lease.begin(speculative=bool(call.head.get("speculative")))
        lost: Exception | None = None
        last: dict[str, Any] = {"type": "done"}
        try:
            self._give(call, _items(engine, stage, call, steps))
        except Cancelled:
            pass
        except ClientGone:
            raise
        except Exception as error:
            told = _told(error, stage, name, "failed")
            last = {"type": "error", "error": wire.error_head(told)}
            if _is_device_lost(error):
                lost = error
                last["ends"] = True
        if self._lease is not None:
            self._lease.rest()
        if self._parking is not None:
            self._parking.rests(over=True)
        self._tell_steps()
        steps_told = {kind: tuple(report) for kind, report in steps.report().items()}
        self._emit(Frame(last | {"call": call.number, "steps": steps_told}))
        if lost is not None:
            raise DeviceLost(str(lost)) from lost

    def _record(self, step: TimedStep) -> None:
        self._timed.append(step)
        if len(self._timed) >= STEPS_TOLD:
            self._tell_steps()

    def _tell_steps(self) -> None:
        if self._timed:
            self._emit(Frame({"type": "steps", "steps": self._timed}))
            self._timed = []

    def _give(self, call: ServedCall, items: Iterator[Item]) -> None:
        try:
            for item in items:
                for frame in wire.item_frames(call.number, item):
                    if call.cancelled.is_set():
                        raise Cancelled
                    self._emit(frame)
        finally:
            close = getattr(items, "close", None)  # a generator's `finally` blocks run here, now
            if close is not None:
                close()


def _build(head: dict[str, Any]) -> AnyEngine:
    config_class = load_class(head["config_class"])
    assert issubclass(config_class, ProviderConfig), config_class
    config = config_class.model_validate(head["config"])
    return cast(AnyEngine, load_class(head["engine"])(config))


def _lease(head: dict[str, Any]) -> Lease | None:
    """The right to the device that is shared, where a broker arbitrates."""
    return None if head["broker"] is None else _device_lease(head)


def _device_lease(
    head: dict[str, Any], on_room: Callable[[bool], None] | None = None
) -> DeviceLease:
    # Imported here: the broker's sockets exist on POSIX systems only.
    from voicebot_local.gpu.lease import DeviceLease

    sys.setswitchinterval(SWITCH_S)
    tenant = TENANT_OF[head["stage"]]
    return DeviceLease(head["broker"], tenant, period_s=CHUNK_S, on_room=on_room)


def _items(engine: AnyEngine, stage: Stage, call: ServedCall, steps: Steps) -> Iterator[Item]:
    match stage:
        case "recognizer":
            audio = cast(Iterator[Samples], call.inputs(steps))
            return cast(RecognizerEngine, engine).transcribe(audio, steps)
        case "chat":
            messages = wire.read_messages(call.head["messages"])
            if call.parking is not None:
                call.parking.ensure(steps)
            if call.head.get("prefill"):
                cast(ChatEngine, engine).prefill(messages, steps)
                return iter(())
            return cast(ChatEngine, engine).reply(messages, steps)
        case "synthesizer":
            clauses = cast(Iterator[str], call.inputs(steps))
            return cast(SynthesizerEngine, engine).speak(clauses, steps)


def _told(error: Exception, stage: Stage, name: str, what: str) -> VoicebotError:
    """The error as it is told to the client; the trace of an unexpected one goes to the log."""
    if isinstance(error, VoicebotError):
        return error
    label = f"The {wire.STAGE_NAMES[stage]} ({name})"
    logger.error("%s %s:\n%s", label, what, "".join(traceback.format_exception(error)))
    if _is_out_of_memory(error):
        return OutOfMemory(
            f"{label} ran out of memory: {_first_line(error)}",
            "Close other programs that use the memory, or choose a smaller model.",
        )
    return ProviderError(
        name,
        f"{label} {what}: {type(error).__name__}: {_first_line(error)}",
        "Run again with --debug to see where.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]


def _is_out_of_memory(error: Exception) -> bool:
    # torch has its own class for it, and this module must not import torch to know.
    return isinstance(error, MemoryError) or any(
        kind.__name__ == "OutOfMemoryError" and kind.__module__.startswith("torch")
        for kind in type(error).__mro__
    )


def _is_device_lost(error: Exception) -> bool:
    # After an error of its own, a CUDA context answers every later call with that same error.
    return not _is_out_of_memory(error) and "CUDA error" in str(error)
