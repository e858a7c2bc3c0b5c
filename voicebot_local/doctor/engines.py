"""Every local engine of the configuration, really loaded and used: where it runs, and how fast."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from voicebot_local import paths
from voicebot_local.audio.recording import Recording
from voicebot_local.calling import called_as
from voicebot_local.doctor.result import Result, from_error
from voicebot_local.engines.client import EngineNotice
from voicebot_local.errors import VoicebotError
from voicebot_local.events import EngineLoaded, Stage
from voicebot_local.providers.base import RECOGNIZER_RATE, Message, Samples
from voicebot_local.providers.registry import Choice, EngineOptions, open_provider

LOAD_S = 16.0
"""How long the engines may take to be loaded side by side; the whole examination is to take less
than half a minute."""
USE_S = 4.0
"""How long each may then take for its two calls."""
EXAMPLE = "01-hello.wav"
QUESTION = "Hello. What can you do?"
SENTENCE = "Hello, I am ready to talk with you."
MOST_TOKENS = 24
BLOCK = 1600
SLOW_TOKENS = 6.0
"""Tokens a second; speech takes about four."""
_MENDS = {
    "nemo": "PyTorch does not see the GPU: scripts/setup.sh local --force",
    "xtts": "PyTorch does not see the GPU: scripts/setup.sh local --force",
    "llama_cpp": "llama.cpp was built for the processor: scripts/setup.sh local --force",
}
SLOWER = "It is too slow for a conversation here: use a GPU, or --backend starter or hosted."


@dataclass(slots=True)
class Engines:
    """The engines side by side: all are loaded, or given up after `limit_s`, before the first is
    measured, and they are measured one at a time, so that none is measured while another loads or
    computes."""

    chosen: Sequence[Choice]
    options: EngineOptions
    has_gpu: bool
    on_result: Callable[[Stage, Result], None]
    limit_s: float = LOAD_S
    _open: int = 0
    _all_loaded: anyio.Event = field(default_factory=anyio.Event)
    _one: anyio.Lock = field(default_factory=anyio.Lock)

    async def check(self) -> None:
        """Give a result for each through `on_result`, in any order. Nothing is left running."""
        self._open = len(self.chosen)
        async with anyio.create_task_group() as tasks:
            for chosen in self.chosen:
                tasks.start_soon(self._check, chosen)

    async def _check(self, chosen: Choice) -> None:
        stage: Stage = chosen.kind.stage
        began = anyio.current_time()
        result: Result | None = None
        waiting = [True]
        limit = anyio.CancelScope(deadline=began + self.limit_s)
        try:
            with limit:
                result = await self._used(chosen, waiting, limit)
        except VoicebotError as error:
            result = from_error(stage, error)
        except BaseExceptionGroup as group:
            result = from_error(stage, _ours(group))
        finally:
            was_loading = waiting[0]
            self._counted(waiting)
        if result is None:
            what = f"was not loaded after {self.limit_s:g} s"
            if not was_loading:
                what = f"was loaded, and took longer than {self._use_s:g} s for two short calls"
            mend = f"Give it longer: {called_as()} doctor --wait {self.limit_s * 4:g}"
            result = Result(stage, "yellow", f"{chosen.name} {what}", mend)
        took_s = anyio.current_time() - began
        self.on_result(stage, _with_time(result, took_s))

    def _counted(self, waiting: list[bool]) -> None:
        """One engine less is being loaded."""
        if waiting[0]:
            waiting[0] = False
            self._open -= 1
            if not self._open:
                self._all_loaded.set()

    @property
    def _use_s(self) -> float:
        return max(USE_S, self.limit_s / 4)

    async def _used(self, chosen: Choice, waiting: list[bool], limit: anyio.CancelScope) -> Result:
        loaded: list[EngineLoaded] = []

        def on_notice(notice: EngineNotice) -> None:
            if isinstance(notice, EngineLoaded):
                loaded.append(notice)

        async with open_provider(chosen, on_notice, self.options) as provider:
            limit.deadline = math.inf
            self._counted(waiting)
            await self._all_loaded.wait()
            async with self._one:
                limit.deadline = anyio.current_time() + self._use_s
                use = _USES[chosen.kind.stage]
                await use(provider)  # The first call of all is slower than any later one.
                used = await use(provider)
        return judge(chosen, loaded[0], used, has_gpu=self.has_gpu)


@dataclass(frozen=True, slots=True)
class Used:
    """One call: `first_s` to the first of it, `whole_s` to the end, `amount` of it: seconds of
    audio, or tokens."""

    first_s: float
    whole_s: float
    amount: float


def judge(chosen: Choice, loaded: EngineLoaded, used: Used, *, has_gpu: bool) -> Result:
    """Red for an engine that should be on the GPU and is not; yellow for one that is too slow."""
    stage, on_gpu = chosen.kind.stage, loaded.device.startswith("cuda")
    details: dict[str, object] = {
        "provider": chosen.name,
        "device": loaded.device,
        "load_s": round(loaded.load_s, 2),
        "first_s": round(used.first_s, 4),
        "whole_s": round(used.whole_s, 4),
    }
    ratio = used.whole_s / used.amount if used.amount else 0.0
    if stage == "chat":
        speed = used.amount / used.whole_s if used.whole_s else 0.0
        details["tokens_per_s"] = round(speed, 1)
        pace, slow = f"first word {_ms(used.first_s)}, {speed:.0f} tokens/s", speed < SLOW_TOKENS
    elif stage == "synthesizer":
        details["real_time_factor"] = round(ratio, 3)
        pace, slow = f"first sound {_ms(used.first_s)}, {_factor(ratio)}", ratio > 1
    else:
        details["real_time_factor"] = round(ratio, 3)
        pace, slow = _factor(ratio), ratio > 1
    where = "GPU" if on_gpu else "CPU"
    said = f"{chosen.name} on the {where}, loaded in {loaded.load_s:.1f} s, {pace}"
    if has_gpu and not on_gpu and wants_gpu(chosen):
        mend = _MENDS.get(chosen.name, "It found no GPU, although there is one.")
        return Result(stage, "red", f"{said}, although there is a GPU", mend, details)
    if slow:
        return Result(stage, "yellow", said, SLOWER, details)
    return Result(stage, "green", said, "", details)


def wants_gpu(chosen: Choice) -> bool:
    """Whether an engine would use a GPU, by its configuration."""
    config = chosen.config
    if getattr(config, "gpu_layers", 0):
        return True
    return getattr(config, "device", "cpu") != "cpu"


async def _recognize(recognizer: Any) -> Used:
    samples = _example()

    async def blocks() -> AsyncIterator[Samples]:
        for start in range(0, len(samples), BLOCK):
            yield samples[start : start + BLOCK].copy()

    began = anyio.current_time()
    first_s = 0.0
    async with recognizer.transcribe(blocks()) as transcripts:
        async for _ in transcripts:
            first_s = first_s or anyio.current_time() - began
    whole_s = anyio.current_time() - began
    return Used(first_s, whole_s, len(samples) / RECOGNIZER_RATE)


async def _chat(chat: Any) -> Used:
    began = anyio.current_time()
    first_s, count = 0.0, 0
    async with chat.reply([Message("user", QUESTION)]) as deltas:
        async for _ in deltas:
            first_s = first_s or anyio.current_time() - began
            count += 1
            if count >= MOST_TOKENS:
                break
    return Used(first_s, anyio.current_time() - began, count)


async def _speak(synthesizer: Any) -> Used:
    async def clauses() -> AsyncIterator[str]:
        yield SENTENCE

    began = anyio.current_time()
    first_s, samples = 0.0, 0
    async with synthesizer.speak(clauses()) as audio:
        async for chunk in audio:
            first_s = first_s or anyio.current_time() - began
            samples += len(chunk.samples)
    whole_s = anyio.current_time() - began
    return Used(first_s, whole_s, samples / synthesizer.sample_rate)


_USES: dict[Stage, Callable[[Any], Any]] = {
    "recognizer": _recognize,
    "chat": _chat,
    "synthesizer": _speak,
}


def _example() -> Samples:
    with Recording(paths.examples_dir() / EXAMPLE, RECOGNIZER_RATE) as recording:
        return recording.read(10 * RECOGNIZER_RATE)


def _ours(group: BaseExceptionGroup[BaseException]) -> VoicebotError:
    """The first error of ours in a group; others are raised on."""
    for error in group.exceptions:
        if isinstance(error, VoicebotError):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _ours(error)
    raise group


def _with_time(result: Result, took_s: float) -> Result:
    return replace(result, took_s=took_s)


def _factor(ratio: float) -> str:
    """How fast, against speech."""
    if ratio > 1:
        return f"{ratio:.1f} times slower than speech"
    return f"{1 / ratio:.0f} times faster than speech" if ratio else "at once"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
