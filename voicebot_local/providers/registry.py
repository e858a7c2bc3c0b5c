"""Which providers there are, and how a session's three are opened.

Nothing here imports an engine's libraries: a provider is a pair of "module:Class" paths, and its
engine is imported in its own process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from voicebot_local.engines.client import (
    EngineNotice,
    EngineSpec,
    LocalEngine,
    Placement,
    Replan,
    running,
)
from voicebot_local.engines.connection import EngineLimits
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer, EngineSynthesizer
from voicebot_local.errors import ConfigError
from voicebot_local.events import Stage
from voicebot_local.providers.base import ChatModel, ProviderConfig, Recognizer, Synthesizer


@dataclass(frozen=True, slots=True)
class EngineKind:
    """A local engine: what it is for, and the "module:Class" of it and of its configuration."""

    stage: Stage
    engine: str
    config_class: str


def _kind(stage: Stage, module: str, stem: str) -> EngineKind:
    path = f"voicebot_local.providers.{module}:{stem}"
    return EngineKind(stage, f"{path}Engine", f"{path}Config")


LOCAL_ENGINES: Mapping[str, EngineKind] = {
    "pocketsphinx": _kind("recognizer", "asr.pocketsphinx", "Pocketsphinx"),
    "nemo": _kind("recognizer", "asr.nemo", "Nemo"),
    "llama_cpp": _kind("chat", "llm.llama_cpp", "LlamaCpp"),
    "espeak": _kind("synthesizer", "tts.espeak", "Espeak"),
    "xtts": _kind("synthesizer", "tts.xtts", "Xtts"),
}
"""By name, as `provider = "..."` in a configuration says it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider and its configuration."""

    name: str
    config: ProviderConfig
    kind: EngineKind


def choice(config: ProviderConfig, kind: EngineKind | None = None) -> Choice:
    """What a configuration chooses: its `provider` names an entry of LOCAL_ENGINES.

    `kind` stands in for the entry where the engine is not in the table. Raises ConfigError.
    """
    name = str(getattr(config, "provider", ""))
    kind = kind or LOCAL_ENGINES.get(name)
    if kind is None:
        raise ConfigError(
            f"The provider {name!r} is unknown; it is one of: {', '.join(LOCAL_ENGINES)}.",
            "Correct `provider` in the configuration.",
        )
    return Choice(name, config, kind)


@dataclass(frozen=True, slots=True)
class Providers:
    """What listens, thinks and speaks in a session, loaded and ready."""

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


def local_engine(
    chosen: Choice, options: EngineOptions, on_notice: Callable[[EngineNotice], None]
) -> LocalEngine:
    kind = chosen.kind
    spec = EngineSpec(
        kind.stage,
        chosen.name,
        kind.engine,
        kind.config_class,
        chosen.config,
        options.offline,
        options.broker,
    )
    return LocalEngine(
        spec,
        placement=options.placement,
        on_notice=on_notice,
        limits=options.limits,
        replan=options.replan,
    )


@asynccontextmanager
async def open_providers(
    recognizer: Choice,
    chat: Choice,
    synthesizer: Choice,
    on_notice: Callable[[EngineNotice], None],
    options: EngineOptions = EngineOptions(),
) -> AsyncIterator[Providers]:
    """Load the three side by side, and keep them alive for the block.

    Raises the VoicebotError of the first load that fails, with no process left behind.
    `on_notice` learns of every load and every death; it is called in the event loop.
    """
    engines = [local_engine(it, options, on_notice) for it in (recognizer, chat, synthesizer)]
    async with running(*engines):
        yield Providers(
            EngineRecognizer(engines[0]),
            EngineChatModel(engines[1]),
            EngineSynthesizer(engines[2]),
            tuple(engines),
        )
