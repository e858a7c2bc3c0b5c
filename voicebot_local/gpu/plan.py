"""What is loaded, and how, so that it fits: decided before anything is loaded. Pure.

The ladder is climbed from what was asked for to what changes more and more of it, and the first
way that fits is taken. A later step may still use the earlier ones, as little of them as it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Literal, TypeAlias

from voicebot_local.gpu.estimate_llm import LlmSettings, LlmShape, estimate_llm
from voicebot_local.gpu.estimate_speech import (
    Precision,
    RecognizerShape,
    SynthesizerShape,
    estimate_recognizer,
    estimate_synthesizer,
)
from voicebot_local.gpu.need import GIB, Need, gib

RESERVE_BYTES = GIB
RESERVE_SHARE = 0.08
"""Kept free: this much, or this share of what is free, whichever is more. For what the estimates
miss, and for the desktop."""
LEAST_SHARE = 0.5
"""Of a chat model's layers on the device: with fewer, its processor's memory sets the pace, and a
smaller model is the better choice."""
PINNED_BYTES_PER_S = 20e9
"""From page-locked memory over PCIe 4.0 x16, of 31.5 GB/s by its standard; an assumption."""
MAPPED_BYTES_PER_S = 5e9
"""From a file that the system has in memory, which is not page-locked; an assumption."""
PARKING = "parking weights in the machine's memory"

_NOTHING = {
    "smaller context, quantized KV": "the context is as small as it may be",
    "half-precision speech models": "no speech model on the device can be halved",
    "fewer GPU layers": "half of the layers or fewer are on the device as it is",
    "smaller models on disk": "no smaller model of models/manifest.toml is here",
    PARKING: "it takes a chat model and a synthesizer that share the device",
}
"""Why a step had nothing to try."""

Parking: TypeAlias = Literal["auto", "always", "never"]
Decision: TypeAlias = Literal["taken", "not needed", "not enough", "not possible"]


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat model and how it is to be run; `basis` says where its sizes come from."""

    shape: LlmShape
    settings: LlmSettings
    basis: str

    @property
    def need(self) -> Need:
        return estimate_llm(self.shape, self.settings)


@dataclass(frozen=True, slots=True)
class Recognizer:
    shape: RecognizerShape
    precision: Precision
    basis: str

    @property
    def need(self) -> Need:
        return estimate_recognizer(self.shape, self.precision)


@dataclass(frozen=True, slots=True)
class Synthesizer:
    """`halvable`: it has a decoder that works in half precision."""

    shape: SynthesizerShape
    precision: Precision
    basis: str
    halvable: bool = True

    @property
    def need(self) -> Need:
        return estimate_synthesizer(self.shape, self.precision)


@dataclass(frozen=True, slots=True)
class Engines:
    """What uses the device; None for an engine that does not.

    `parked`: the chat model and the synthesizer are on it by turns, see `room.py`.
    """

    chat: Chat | None = None
    recognizer: Recognizer | None = None
    synthesizer: Synthesizer | None = None
    parked: bool = False

    @property
    def total(self) -> int:
        """The most that is on the device at a time."""
        parts = (self.chat, self.recognizer, self.synthesizer)
        return sum(part.need.total for part in parts if part is not None) - self.saved

    @property
    def saved(self) -> int:
        """What parking saves: the smaller of the two that take turns."""
        return min(self.moving) if self.parked else 0

    @property
    def moving(self) -> tuple[int, int]:
        """What the chat model and the synthesizer move, whose caches stay on the device."""
        if self.chat is None or self.synthesizer is None:
            return 0, 0
        chat = self.chat.need
        return chat.total - chat.context, self.synthesizer.need.weights


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Models that could stand in: their shapes and where those come from."""

    chats: tuple[tuple[LlmShape, str], ...] = ()
    recognizers: tuple[tuple[RecognizerShape, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """`on_disk` may be taken, `downloadable` are only told of. `least_context` in tokens.

    `parking` of weights: the last resort, from the start, or not at all. `swap_s`: what bringing
    back both took when it was measured; None where it never was.
    """

    on_disk: Alternatives = Alternatives()
    downloadable: Alternatives = Alternatives()
    least_context: int = 2048
    parking: Parking = "auto"
    swap_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ladder: what was decided, and why."""

    name: str
    decision: Decision
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """One engine in the table: how it is run, what it needs, and what that is known from."""

    stage: str
    name: str
    how: str
    need: Need
    basis: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome. `engines` are to be loaded so; where nothing fits, they are as asked for.

    `device` is "GPU" or "CPU"; on the CPU nothing is decided, and `engines` is empty. `mend` says
    what would make it fit. `parked`: the chat model and the synthesizer take turns on the device,
    which saves `saved` bytes.
    """

    device: Literal["GPU", "CPU"]
    free: int
    reserve: int
    rows: tuple[Row, ...]
    steps: tuple[Step, ...]
    fits: bool
    engines: Engines = Engines()
    changes: str = ""
    mend: str = ""
    parked: bool = False
    saved: int = 0

    @property
    def needed(self) -> int:
        """The most bytes that the engines take at a time, without the reserve."""
        return sum(row.need.total for row in self.rows) - self.saved


def reserve(free: int) -> int:
    """What stays free of `free` bytes."""
    return max(RESERVE_BYTES, round(RESERVE_SHARE * free))


def plan(engines: Engines, free: int, options: PlanOptions = PlanOptions()) -> Plan:
    """Find the way to load `engines` into `free` bytes that changes least of what was asked for."""
    kept = reserve(free)
    room = free - kept
    by_turns = replace(engines, parked=all(engines.moving))
    if options.parking == "always":
        engines = by_turns
    rungs: list[tuple[str, Callable[[], Iterable[Engines]]]] = [
        ("everything resident", lambda: [engines]),
        ("smaller context, quantized KV", lambda: _smaller_kv(engines, options)),
        ("half-precision speech models", lambda: _halved(engines, options)),
        ("fewer GPU layers", lambda: _fewer_layers(engines, options)),
        ("smaller models on disk", lambda: _smaller_models(engines, options.on_disk, options)),
        (PARKING, lambda: _parked(by_turns, options)),
    ]
    steps: list[Step] = []
    chosen: Engines | None = None
    least = engines
    for name, candidates in rungs:
        if name == PARKING and engines.parked:
            steps.append(Step(name, "taken", f"it is configured so; {_swap(engines, options)}"))
            continue
        if chosen is not None:
            steps.append(Step(name, "not needed", ""))
            continue
        if name == PARKING and options.parking == "never":
            steps.append(Step(name, "not possible", "[gpu] parking or broker forbids it"))
            continue
        seen = False
        for candidate in candidates():
            seen = True
            least = min(least, candidate, key=lambda one: one.total)
            if candidate.total <= room:
                chosen = candidate
                break
        step = _step(name, (engines, chosen, least), room, seen)
        if name == PARKING and seen:
            step = replace(step, why=f"{step.why}; {_swap(chosen or by_turns, options)}")
        steps.append(step)
    fits = chosen is not None
    steps.append(
        Step("refuse", "not needed", "")
        if fits
        else Step("refuse", "taken", f"{gib(least.total - room)} are missing at the least")
    )
    return Plan(
        device="GPU",
        free=free,
        reserve=kept,
        rows=rows(chosen or engines),
        steps=tuple(steps),
        fits=fits,
        engines=chosen or engines,
        changes=changes(engines, chosen) if chosen else "",
        mend="" if fits else _mend(engines, least, room, options),
        parked=(chosen or engines).parked,
        saved=(chosen or engines).saved,
    )


def rows(engines: Engines) -> tuple[Row, ...]:
    found: list[Row] = []
    if one := engines.recognizer:
        found.append(Row("recognizer", one.shape.name, one.precision, one.need, one.basis))
    if chat := engines.chat:
        settings = chat.settings
        how = f"{settings.context_tokens} tokens {settings.kv_type}, {_layers(chat)}"
        found.append(Row("chat", chat.shape.name, how, chat.need, chat.basis))
    if voice := engines.synthesizer:
        found.append(Row("synthesizer", voice.shape.name, voice.precision, voice.need, voice.basis))
    return tuple(found)


def changes(before: Engines, after: Engines) -> str:
    """What is different in `after`, for people; "" where nothing is."""
    said: list[str] = []
    if before.recognizer and after.recognizer and before.recognizer != after.recognizer:
        old, new = before.recognizer, after.recognizer
        if new.shape != old.shape:
            said.append(f"{new.shape.name} instead of {old.shape.name}")
        if new.precision != old.precision:
            said.append(f"the recognizer in {new.precision}")
    if before.chat and after.chat:
        said += _chat_changes(before.chat, after.chat)
    if before.synthesizer and after.synthesizer and before.synthesizer != after.synthesizer:
        said.append(f"the synthesizer in {after.synthesizer.precision}")
    if after.parked and not before.parked:
        said.append("the chat model and the synthesizer on the GPU by turns")
    return ", ".join(said)


def _chat_changes(old: Chat, new: Chat) -> list[str]:
    said: list[str] = []
    if new.shape != old.shape:
        said.append(f"{new.shape.name} instead of {old.shape.name}")
    if new.settings.context_tokens != old.settings.context_tokens:
        said.append(f"{new.settings.context_tokens} tokens of context")
    if new.settings.kv_type != old.settings.kv_type:
        said.append(f"the conversation in {new.settings.kv_type}")
    if new.settings.gpu_layers != old.settings.gpu_layers:
        said.append(_layers(new))
    return said


def _layers(chat: Chat) -> str:
    everything, wanted = chat.shape.all_layers, chat.settings.gpu_layers
    count = everything if wanted < 0 else min(wanted, everything)
    return f"{count} of {everything} layers on the GPU"


def _smaller_kv(engines: Engines, options: PlanOptions) -> Iterator[Engines]:
    """With a cache that takes less and less; f16 is given up before the context is shortened."""
    chat = engines.chat
    if chat is None:
        return
    settings = chat.settings
    if settings.flash_attention:
        settings = replace(settings, kv_type="q8_0")
    tokens = settings.context_tokens
    while True:
        smaller = replace(settings, context_tokens=tokens)
        if smaller != chat.settings:
            yield replace(engines, chat=replace(chat, settings=smaller))
        if tokens // 2 < options.least_context:
            return
        tokens //= 2


def _halved(engines: Engines, options: PlanOptions) -> Iterator[Engines]:
    """In half precision, the synthesizer before the recognizer; then with a smaller cache, too."""
    halved = engines
    ways: list[Engines] = []
    synthesizer, recognizer = engines.synthesizer, engines.recognizer
    if synthesizer and synthesizer.halvable and synthesizer.precision == "float32":
        halved = replace(halved, synthesizer=replace(synthesizer, precision="float16"))
        ways.append(halved)
    if recognizer and recognizer.precision == "float32":
        halved = replace(halved, recognizer=replace(recognizer, precision="bfloat16"))
        ways.append(halved)
    yield from ways
    for way in ways:
        yield from _smaller_kv(way, options)


def _all_resident(engines: Engines, options: PlanOptions) -> Iterator[Engines]:
    return chain([engines], _smaller_kv(engines, options), _halved(engines, options))


def _fewer_layers(engines: Engines, options: PlanOptions) -> Iterator[Engines]:
    """With as many layers on the device as go with the other steps; at least half of them.

    Below half of the context that was asked for, layers are given up before more of the context.
    """
    if engines.chat is not None:
        half = max(options.least_context, engines.chat.settings.context_tokens // 2)
        yield from _by_layers([engines], replace(options, least_context=half))
        yield from _by_layers([engines], options)


def _by_layers(ways: Iterable[Engines], options: PlanOptions) -> Iterator[Engines]:
    """Each of `ways` with one layer less on the device, then each with two less, and so on."""
    chats = [(way, way.chat) for way in ways if way.chat and way.chat.settings.gpu_layers]
    for fewer in range(1, max((chat.shape.all_layers for _, chat in chats), default=0)):
        for way, chat in chats:
            everything, wanted = chat.shape.all_layers, chat.settings.gpu_layers
            count = (everything if wanted < 0 else min(wanted, everything)) - fewer
            if count > LEAST_SHARE * everything:
                settings = replace(chat.settings, gpu_layers=count)
                with_fewer = replace(way, chat=replace(chat, settings=settings))
                yield from _all_resident(with_fewer, options)


def _smaller_models(
    engines: Engines, others: Alternatives, options: PlanOptions
) -> Iterator[Engines]:
    """With other models, the largest first; all layers on the device where any can have that."""
    chats: list[Chat | None] = [engines.chat]
    if chat := engines.chat:
        settings = replace(chat.settings, gpu_layers=-1)
        chats += [
            Chat(shape, settings, basis)
            for shape, basis in others.chats
            if shape.device_bytes < chat.shape.device_bytes
        ]
    recognizers: list[Recognizer | None] = [engines.recognizer]
    if recognizer := engines.recognizer:
        recognizers += [
            Recognizer(shape, recognizer.precision, basis)
            for shape, basis in others.recognizers
            if shape.weights < recognizer.shape.weights
        ]
    pairs = list(product(chats, recognizers))[1:]
    swapped = [replace(engines, chat=one, recognizer=other) for one, other in pairs]
    swapped.sort(key=lambda one: -one.total)
    for candidate in swapped:
        yield from _all_resident(candidate, options)
    yield from _by_layers(swapped, options)


def _step(name: str, found: tuple[Engines, Engines | None, Engines], room: int, seen: bool) -> Step:
    asked, chosen, least = found
    if chosen is not None:
        said = changes(asked, chosen)
        left = f"{gib(room - chosen.total)} to spare beside the reserve"
        return Step(name, "taken", f"{said}; {left}" if said else left)
    if not seen:
        return Step(name, "not possible", _NOTHING[name])
    said = changes(asked, least)
    missing = f"{gib(least.total - room)} missing"
    return Step(name, "not enough", f"{missing} even with {said}" if said else missing)


def _parked(by_turns: Engines, options: PlanOptions) -> Iterator[Engines]:
    """By turns, with what the steps before it would change besides, as little as it needs."""
    if by_turns.parked:
        yield from _all_resident(by_turns, options)
        yield from _fewer_layers(by_turns, options)
        yield from _smaller_models(by_turns, options.on_disk, options)


def _swap(engines: Engines, options: PlanOptions) -> str:
    chat, voice = engines.moving
    if options.swap_s is not None:
        return f"moving both in takes {options.swap_s:.2f} s a turn, as measured here"
    swap_s = chat / MAPPED_BYTES_PER_S + voice / PINNED_BYTES_PER_S
    return f"moving both in takes about {swap_s:.1f} s a turn, by estimate"


def _mend(asked: Engines, least: Engines, room: int, options: PlanOptions) -> str:
    said = f"Free {gib(least.total - room)} more of the GPU's memory"
    if least_changes := changes(asked, least):
        said += f", which then holds it with {least_changes}"
    for candidate in _smaller_models(asked, options.downloadable, options):
        if candidate.total <= room:
            return f"{said}; or download smaller models: it fits with {changes(asked, candidate)}."
    return f'{said}; or run on the processor: gpu_layers = 0 and device = "cpu".'
