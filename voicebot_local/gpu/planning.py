"""From a configuration to the plan of its memory, and from the plan back to a configuration."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from voicebot_local import paths
from voicebot_local.config import STAGES, Config
from voicebot_local.engines.client import EngineSpec
from voicebot_local.errors import ModelError, OutOfMemory
from voicebot_local.events import Stage
from voicebot_local.gpu.checkpoint import TensorEntry, Unreadable, nemo_tensors, torch_tensors
from voicebot_local.gpu.estimate_llm import LlmSettings, LlmShape, host_need, llm_shape
from voicebot_local.gpu.estimate_speech import (
    RecognizerShape,
    SynthesizerShape,
    estimate_recognizer,
    estimate_synthesizer,
    recognizer_shape,
    synthesizer_shape,
)
from voicebot_local.gpu.memory import gpu_memory, machine_memory
from voicebot_local.gpu.need import MIB, Need, gib
from voicebot_local.gpu.plan import (
    PARKING,
    Alternatives,
    Chat,
    Engines,
    Parking,
    Plan,
    PlanOptions,
    Recognizer,
    Row,
    Step,
    Synthesizer,
    plan,
)
from voicebot_local.gpu.plan_text import memory_name, plan_text
from voicebot_local.gpu.shapes import known_chat, known_recognizers, known_synthesizers
from voicebot_local.gpu.swaps import remembered
from voicebot_local.providers.asr.nemo import NemoConfig
from voicebot_local.providers.llm.gguf_header import read_header
from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig
from voicebot_local.providers.tts.xtts import XttsConfig

LEAST_CONTEXT = 2048
PYTORCH_RAM = 700 * MIB
"""Of a process that has imported NeMo, measured: 670 MB resident."""
SMALL_RAM = 100 * MIB
"""Of a process with Python, numpy and a small engine."""

_QUICKLY_READ = 64 * MIB
_SMALL = ("pocketsphinx", "espeak")
"""Engines that take little, and nothing of a GPU."""

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_PUBLISHED = "published sizes; the file is not here"

S = TypeVar("S")


def plan_for(config: Config, free: int | None = None, stages: Collection[Stage] = STAGES) -> Plan:
    """The plan for loading what `config` names for `stages` into `free` bytes of a GPU.

    With None the machine is asked; where it has no GPU, everything runs on the processor, and its
    memory is checked instead, from the files' sizes. Reads headers only, loads nothing. Raises
    ModelError for a file that is no model.
    """
    asked = free
    if free is None:
        memory = gpu_memory()
        if memory is None:
            return _processor_plan(config, stages)
        free = memory.free
    options = PlanOptions(
        on_disk=_on_disk(),
        downloadable=_downloadable(),
        least_context=_least_context(config),
        parking=_parking(config),
        swap_s=_swap_s(config) if asked is None else None,
    )
    return plan(engines_of(config, stages), free, options)


def fitted(config: Config, stages: Collection[Stage] = STAGES) -> tuple[Config, Plan]:
    """`config` as `stages` fit in what is free now. Raises OutOfMemory, with the table, if they
    cannot."""
    made = plan_for(config, stages=stages)
    if not made.fits:
        raise OutOfMemory(
            f"The models need {gib(made.needed + made.reserve)} of {memory_name(made)}, "
            f"{gib(made.reserve)} of them in reserve, and {gib(made.free)} are free.\n\n"
            f"{plan_text(made).rstrip()}",
            made.mend,
        )
    return apply(config, made), made


def apply(config: Config, made: Plan) -> Config:
    """`config` with what the plan decided; the same where it decided nothing."""
    if made.device == "CPU" or not made.fits:
        return config
    sections: dict[str, Any] = {}
    chat = made.engines.chat
    if chat and isinstance(config.chat, LlamaCppConfig):
        settings = chat.settings
        found = {
            "context_tokens": settings.context_tokens,
            "kv_type": settings.kv_type,
            "gpu_layers": settings.gpu_layers,
        }
        model = _other_model(chat.shape.name, config.chat.model)
        sections["chat"] = config.chat.model_copy(update=found | model)
    recognizer = made.engines.recognizer
    if recognizer and isinstance(config.recognizer, NemoConfig):
        model = _other_model(recognizer.shape.name, config.recognizer.model)
        update = {"precision": recognizer.precision} | model
        sections["recognizer"] = config.recognizer.model_copy(update=update)
    synthesizer = made.engines.synthesizer
    if synthesizer and isinstance(config.synthesizer, XttsConfig):
        update = {"precision": synthesizer.precision}
        sections["synthesizer"] = config.synthesizer.model_copy(update=update)
    return config.model_copy(update=sections)


def replanned(config: Config, spec: EngineSpec) -> EngineSpec:
    """`spec`, of an engine of `config` that died, as it fits in what is free now.

    The other engines and the choice of models stay. Where it cannot fit, or that cannot be known,
    it stays as it is: its load then says what is wrong.
    """
    memory = gpu_memory()
    if memory is None:
        return spec
    section = spec.stage  # The configuration's sections are called like the stages.
    present = config.model_copy(update={section: spec.config})
    try:
        engines = engines_of(present)
    except ModelError:
        return spec
    alone = Engines(**{section: getattr(engines, section)})
    made = plan(alone, memory.free, PlanOptions(least_context=_least_context(config)))
    return replace(spec, config=getattr(apply(present, made), section))


def engines_of(config: Config, stages: Collection[Stage] = STAGES) -> Engines:
    """What of `stages` uses a GPU, as `config` asks for it."""
    chat: Chat | None = None
    if "chat" in stages and isinstance(config.chat, LlamaCppConfig) and config.chat.gpu_layers:
        shape, basis = chat_shape(config.chat.model)
        chat = Chat(shape, llm_settings(config.chat), basis)
    recognizer: Recognizer | None = None
    heard = config.recognizer if "recognizer" in stages else None
    if isinstance(heard, NemoConfig) and heard.device != "cpu":
        found, basis = _recognizer_shape(heard.model)
        recognizer = Recognizer(found, heard.precision, basis)
    synthesizer: Synthesizer | None = None
    spoken = config.synthesizer if "synthesizer" in stages else None
    if isinstance(spoken, XttsConfig) and spoken.device != "cpu":
        voice, basis = _synthesizer_shape(spoken.model)
        own = spoken.decoder == "own"
        synthesizer = Synthesizer(voice, spoken.precision, basis, halvable=own)
    return Engines(chat, recognizer, synthesizer)


def llm_settings(chat: LlamaCppConfig) -> LlmSettings:
    return LlmSettings(
        chat.context_tokens,
        chat.kv_type,
        chat.gpu_layers,
        chat.batch_tokens,
        chat.flash_attention,
    )


def chat_shape(path: Path) -> tuple[LlmShape, str]:
    """A chat model's shape, from its file or files, and from what. Raises ModelError."""
    if not path.exists() and path.name in known_chat():
        return known_chat()[path.name], _PUBLISHED
    headers = [read_header(part) for part in _parts(path)]
    return llm_shape(headers, path.name), "its GGUF header"


def _parts(path: Path) -> list[Path]:
    """A model's files; where there are several, their names count them."""
    match = _PART.search(path.name)
    if match is None:
        return [path]
    stem, count = path.name[: match.start()], int(match[2])
    numbers = range(1, count + 1)
    return [path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf") for number in numbers]


def _recognizer_shape(path: Path) -> tuple[RecognizerShape, str]:
    known = known_recognizers()
    if not path.exists() and path.name in known:
        return known[path.name], _PUBLISHED
    size = _size(path)
    rough = RecognizerShape(path.name, size // 4, 24, 1024, 9)
    return _listed(path, nemo_tensors, recognizer_shape, rough)


def _synthesizer_shape(path: Path) -> tuple[SynthesizerShape, str]:
    known = known_synthesizers()
    if not path.exists() and path.name in known:
        return known[path.name], _PUBLISHED
    blocks = known["xtts_v2"].block_weights
    numbers = _size(path / "model.pth") // 4
    rough = SynthesizerShape(
        path.name, min(blocks, numbers), max(0, numbers - blocks), 30, 1024, 1044
    )
    found, basis = _listed(path / "model.pth", torch_tensors, synthesizer_shape, rough)
    return found, basis


def _listed(
    path: Path,
    read: Callable[[Path], dict[str, TensorEntry]],
    shape: Callable[[dict[str, TensorEntry], str], S],
    rough: S,
) -> tuple[S, str]:
    """The shape by the file's list of tensors, or a rough one where that cannot be read."""
    try:
        return shape(read(path), getattr(rough, "name")), "its list of tensors"  # noqa: B009
    except (Unreadable, LookupError, ValueError):
        return rough, "the size of its file, taken for float32"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _least_context(config: Config) -> int:
    """A reply may fill half of the context at the most."""
    chat = config.chat
    reply = chat.max_reply_tokens if isinstance(chat, LlamaCppConfig) else 0
    return max(LEAST_CONTEXT, 2 * reply)


def _parking(config: Config) -> Parking:
    """It takes a broker, which takes local sockets."""
    possible = config.gpu.broker and hasattr(socket, "AF_UNIX")
    return config.gpu.parking if possible else "never"


def _swap_s(config: Config) -> float | None:
    """What bringing both models back to the GPU last took; None where it was never measured."""
    chat, voice = config.chat, config.synthesizer
    if not (isinstance(chat, LlamaCppConfig) and isinstance(voice, XttsConfig)):
        return None
    parts = [remembered(path.name, "GPU") for path in (chat.model, voice.model)]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _on_disk() -> Alternatives:
    """The known models that are here; their own headers count."""
    directory = paths.models_dir()
    chats = [chat_shape(directory / name) for name in known_chat() if (directory / name).exists()]
    names = [name for name in known_recognizers() if (directory / name).exists()]
    return Alternatives(tuple(chats), tuple(_recognizer_shape(directory / name) for name in names))


def _downloadable() -> Alternatives:
    return Alternatives(
        tuple((shape, _PUBLISHED) for shape in known_chat().values()),
        tuple((shape, _PUBLISHED) for shape in known_recognizers().values()),
    )


def _other_model(name: str, present: Path) -> dict[str, Path]:
    return {} if name == present.name else {"model": paths.models_dir() / name}


def _processor_plan(config: Config, stages: Collection[Stage]) -> Plan:
    """Everything on the processor: nothing to decide, but it must fit in the machine's memory."""
    rows = tuple(row for row in _processor_rows(config, stages) if row.stage in stages)
    needed = sum(row.need.total for row in rows)
    free = machine_memory()
    fits = free is None or needed <= free
    why = "there is no GPU, so every engine runs on the processor"
    steps = [Step("everything on the processor", "taken" if fits else "not enough", why)]
    can = isinstance(config.chat, LlamaCppConfig) and isinstance(config.synthesizer, XttsConfig)
    parked = can and _parking(config) == "always"
    if parked:
        why = "it is configured so; it saves nothing where both are in the same memory"
        steps.append(Step(PARKING, "taken", why))
    return Plan(
        device="CPU",
        free=free or 0,
        reserve=0,
        rows=rows,
        steps=tuple(steps),
        fits=fits,
        mend="" if fits else "Close other programs, or use smaller models: --backend starter.",
        parked=parked,
    )


def _processor_rows(config: Config, stages: Collection[Stage]) -> tuple[Row, ...]:
    """From the sizes of the files where these are large: reading them all would delay the start."""
    found: list[Row] = []
    recognizer, chat, synthesizer = config.recognizer, config.chat, config.synthesizer
    if "recognizer" in stages and isinstance(recognizer, NemoConfig):
        shape, basis = _recognizer_shape(recognizer.model)
        need = _on_processor(estimate_recognizer(shape, recognizer.precision))
        found.append(Row("recognizer", shape.name, recognizer.precision, need, basis))
    if "chat" in stages and isinstance(chat, LlamaCppConfig):
        size = _size(chat.model)
        need, basis = Need(weights=size), "the size of its file"
        if size <= _QUICKLY_READ:
            llm, basis = chat_shape(chat.model)
            need = host_need(llm, llm_settings(chat))
        need += Need(context=SMALL_RAM)
        found.append(Row("chat", chat.model.name, f"{chat.context_tokens} tokens", need, basis))
    if "synthesizer" in stages and isinstance(synthesizer, XttsConfig):
        voice, basis = _synthesizer_shape(synthesizer.model)
        need = _on_processor(estimate_synthesizer(voice, synthesizer.precision))
        found.append(Row("synthesizer", voice.name, synthesizer.precision, need, basis))
    for stage, name in (("recognizer", recognizer.provider), ("synthesizer", synthesizer.provider)):
        if name in _SMALL:
            found.append(Row(stage, name, "", Need(context=SMALL_RAM), "an allowance"))
    return tuple(sorted(found, key=lambda row: row.stage != "recognizer"))


def _on_processor(need: Need) -> Need:
    """The same without what only a GPU needs, and with PyTorch's own size."""
    return Need(need.weights, need.kv, 0, PYTORCH_RAM)
