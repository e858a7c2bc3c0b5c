"""Which providers there are, and how a session's three are opened.

Nothing here imports a provider's libraries: a provider is a pair of "module:Class" paths. A local
engine is imported in its own process, a hosted one in this process when it is opened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from voicebot_local.engines.client import (
    EngineNotice,
    EngineSpec,
    LocalEngine,
    Placement,
    Replan,
    Runs,
    running,
)
from voicebot_local.engines.connection import EngineLimits
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer, EngineSynthesizer
from voicebot_local.engines.serving import load_class
from voicebot_local.errors import ConfigError
from voicebot_local.events import Stage
from voicebot_local.providers.base import ChatModel, ProviderConfig, Recognizer, Synthesizer


@dataclass(frozen=True, slots=True)
class EngineKind:
    """A local engine: what it is for, and the "module:Class" of it and of its configuration."""

    stage: Stage
    engine: str
    config_class: str
    parks: bool = False
    """It can move its weights off the device and back, see `engines/parking.py`."""


def _kind(stage: Stage, module: str, stem: str, *, parks: bool = False) -> EngineKind:
    path = f"voicebot_local.providers.{module}:{stem}"
    return EngineKind(stage, f"{path}Engine", f"{path}Config", parks)


LOCAL_ENGINES: Mapping[str, EngineKind] = {
    "pocketsphinx": _kind("recognizer", "asr.pocketsphinx", "Pocketsphinx"),
    "nemo": _kind("recognizer", "asr.nemo", "Nemo"),
    "llama_cpp": _kind("chat", "llm.llama_cpp", "LlamaCpp", parks=True),
    "espeak": _kind("synthesizer", "tts.espeak", "Espeak"),
    "xtts": _kind("synthesizer", "tts.xtts", "Xtts", parks=True),
}
"""By name, as `provider = "..."` in a configuration says it."""


@dataclass(frozen=True, slots=True)
class HostedKind:
    """A hosted provider: what it is for, and the "module:Class" of it and of its configuration.

    See `providers/hosted.py` for what such a class is.
    """

    stage: Stage
    provider: str
    config_class: str


def _hosted(stage: Stage, module: str, stem: str) -> HostedKind:
    path = f"voicebot_local.providers.{module}:{stem}"
    roles = {"recognizer": "Recognizer", "chat": "ChatModel", "synthesizer": "Synthesizer"}
    return HostedKind(stage, f"{path}{roles[stage]}", f"{path}Config")


HOSTED: Mapping[str, HostedKind] = {
    "assemblyai": _hosted("recognizer", "asr.assemblyai", "AssemblyAI"),
    "openai": _hosted("chat", "llm.openai", "OpenAI"),
    "elevenlabs": _hosted("synthesizer", "tts.elevenlabs", "ElevenLabs"),
    "cartesia": _hosted("synthesizer", "tts.cartesia", "Cartesia"),
}
"""Likewise, those that work elsewhere and are reached over the network."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider and its configuration."""

    name: str
    config: ProviderConfig
    kind: EngineKind | HostedKind


def choice(config: ProviderConfig, kind: EngineKind | None = None) -> Choice:
    """What a configuration chooses: its `provider` names an entry of LOCAL_ENGINES or HOSTED.

    `kind` stands in for the entry where the engine is not in the table. Raises ConfigError.
    """
    name = str(getattr(config, "provider", ""))
    found = kind or LOCAL_ENGINES.get(name) or HOSTED.get(name)
    if found is None:
        raise ConfigError(
            f"The provider {name!r} is unknown; it is one of: "
            f"{', '.join((*LOCAL_ENGINES, *HOSTED))}.",
            "Correct `provider` in the configuration.",
        )
    return Choice(name, config, found)


@dataclass(frozen=True, slots=True)
class Providers:
    """What listens, thinks and speaks in a session; `engines` are the local. They are loaded and
    ready, or what is asked of them waits until they are."""

    recognizer: Recognizer
    chat: ChatModel
    synthesizer: Synthesizer
    engines: tuple[LocalEngine, ...]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How engines are run, the same for each."""

    offline: bool = True
    broker: str | None = None
    placement: Placement = "process"
    limits: EngineLimits = field(default_factory=EngineLimits)
    replan: Replan | None = None
    parking: bool = False
    """Those that can park have their weights on the device by turns."""
    early: bool = False
    """Begin as soon as the recognizer hears; a reply waits for engines that are still loaded."""


def local_engine(
    chosen: Choice, options: EngineOptions, on_notice: Callable[[EngineNotice], None]
) -> LocalEngine:
    """The engine that was chosen, not loaded yet."""
    kind = chosen.kind
    assert isinstance(kind, EngineKind)
    spec = EngineSpec(
        kind.stage,
        chosen.name,
        kind.engine,
        kind.config_class,
        chosen.config,
        options.offline,
        options.broker,
        options.parking and kind.parks,
    )
    return LocalEngine(
        spec,
        placement=options.placement,
        on_notice=on_notice,
        limits=options.limits,
        replan=options.replan,
    )


_FACES: Mapping[Stage, Callable[[LocalEngine], Any]] = {
    "recognizer": EngineRecognizer,
    "chat": EngineChatModel,
    "synthesizer": EngineSynthesizer,
}


def _provider(
    chosen: Choice, options: EngineOptions, on_notice: Callable[[EngineNotice], None]
) -> tuple[Runs, Any]:
    """What has to run for the provider that was chosen, and the provider."""
    if isinstance(chosen.kind, HostedKind):
        provider = load_class(chosen.kind.provider)(chosen.config, on_notice)
        return provider, provider
    engine = local_engine(chosen, options, on_notice)
    return engine, _FACES[chosen.kind.stage](engine)


@asynccontextmanager
async def open_provider(
    chosen: Choice,
    on_notice: Callable[[EngineNotice], None],
    options: EngineOptions = EngineOptions(),
) -> AsyncIterator[Any]:
    """Load or connect one provider alone and keep it alive for the block, as `open_providers`."""
    run, provider = _provider(chosen, options, on_notice)
    async with running(run):
        yield provider


@asynccontextmanager
async def open_providers(
    recognizer: Choice,
    chat: Choice,
    synthesizer: Choice,
    on_notice: Callable[[EngineNotice], None],
    options: EngineOptions = EngineOptions(),
) -> AsyncIterator[Providers]:
    """Load or connect the three side by side, and keep them alive for the block.

    Raises the VoicebotError of the first load that fails, with no process left behind; with
    `options.early` that may be in the block.
    `on_notice` learns of every load and every death; it is called in the event loop.
    """
    opened = [_provider(it, options, on_notice) for it in (recognizer, chat, synthesizer)]
    runs = [run for run, _ in opened]
    # A service is connected at once, and cannot be called before.
    late = [run for run in runs[1:] if options.early and isinstance(run, LocalEngine)]
    async with running(*(run for run in runs if run not in late), later=late):
        hears, thinks, speaks = (provider for _, provider in opened)
        engines = tuple(engine for engine in runs if isinstance(engine, LocalEngine))
        yield Providers(hears, thinks, speaks, engines)
