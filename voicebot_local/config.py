"""The configuration: what may be set, and how a profile, a file and the command line make one.

A profile (`configs/*.toml`) is the ground; `--config FILE` lies on top of it, and the flags of the
command line on top of both. The result is frozen, and a misspelt key is an error.
"""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebot_local import paths
from voicebot_local.config_errors import explain
from voicebot_local.errors import ConfigError, ModelError
from voicebot_local.events import Stage
from voicebot_local.gpu.supervisor import BrokerSettings
from voicebot_local.models.check import how_to_get, require_whole
from voicebot_local.models.manifest import read_manifest
from voicebot_local.providers.asr.assemblyai import AssemblyAIConfig
from voicebot_local.providers.asr.nemo import NemoConfig
from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig
from voicebot_local.providers.base import ProviderConfig
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig
from voicebot_local.providers.llm.openai import OpenAIConfig
from voicebot_local.providers.tts.cartesia import CartesiaConfig
from voicebot_local.providers.tts.elevenlabs import ElevenLabsConfig
from voicebot_local.providers.tts.espeak import EspeakConfig
from voicebot_local.providers.tts.xtts import XttsConfig
from voicebot_local.turns.settings import TurnSettings

Backend: TypeAlias = Literal["starter", "local", "hosted"]
BACKENDS = ("auto", "starter", "local", "hosted")
LOCAL_PROFILES = ("local", "local-12gb")
STAGES: tuple[Stage, ...] = ("recognizer", "chat", "synthesizer")
BACKEND_MEND = "Use --backend local, starter or hosted, or leave it at auto."

LIBRARIES = {
    "pocketsphinx": "pocketsphinx",
    "nemo": "nemo",
    "llama_cpp": "llama_cpp",
    "espeak": "espeakng_loader",
    "xtts": "TTS",
    "assemblyai": "websockets",
    "openai": "openai",
    "elevenlabs": "websockets",
    "cartesia": "websockets",
}
"""The package that each provider needs, by the name that it is imported by."""
STARTER_NOTICE = (
    "The starter models are in use: quick, small, and of few words. The real ones want "
    "`scripts/setup.sh local && scripts/download_models.sh` (about 15 GB in all)."
)


class Section(BaseModel):
    """A section of the configuration: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioConfig(Section):
    """`[audio]`: the devices."""

    input_device: int | str = Field(
        "", description='The microphone, by number or part of its name; "" is the system\'s choice.'
    )
    output_device: int | str = Field(
        "", description='The loudspeaker, likewise; "" is the system\'s choice.'
    )


class PersonaConfig(Section):
    """`[persona]`: who the assistant is."""

    text: str = Field("", description="The system prompt, in so many words.")
    file: Path | None = Field(
        None, description="A text file with the system prompt; it goes before `text`."
    )


class SessionConfig(Section):
    """`[session]`: the conversation as a whole."""

    turns: int = Field(0, ge=0, description="End after this many turns; 0 goes on until Ctrl-C.")
    offline: bool = Field(
        True, description="Open no connection to anything but this machine; false allows it."
    )


RecognizerConfig: TypeAlias = Annotated[
    PocketsphinxConfig | NemoConfig | AssemblyAIConfig, Field(discriminator="provider")
]
ChatConfig: TypeAlias = Annotated[LlamaCppConfig | OpenAIConfig, Field(discriminator="provider")]
SynthesizerConfig: TypeAlias = Annotated[
    EspeakConfig | XttsConfig | ElevenLabsConfig | CartesiaConfig, Field(discriminator="provider")
]


class Config(Section):
    """Everything that can be set. `backend` is the profile that lies underneath."""

    backend: Backend
    recognizer: RecognizerConfig
    chat: ChatConfig
    synthesizer: SynthesizerConfig
    turn: TurnSettings = TurnSettings()
    audio: AudioConfig = AudioConfig()
    persona: PersonaConfig = PersonaConfig()
    session: SessionConfig = SessionConfig()
    gpu: BrokerSettings = BrokerSettings()


@dataclass(frozen=True, slots=True)
class Layer:
    """Some of the configuration, and what to call the place it comes from."""

    name: str
    table: Mapping[str, Any]


def load_config(
    backend: str = "auto", file: Path | None = None, flags: Iterable[tuple[str, str, Any]] = ()
) -> Config:
    """The configuration of a session.

    `backend`: "auto", "starter", "local" or "hosted"; "auto" leaves the choice to `file`, and then
    takes local where its models are; never hosted, which has to be asked for. Local is the first
    of LOCAL_PROFILES that is complete. `flags` are (flag, dotted key, value), for messages and for
    what they set. Raises ConfigError.
    """
    upper: list[Layer] = []
    place = "--backend"
    if file is not None:
        layer = read_layer(file)
        upper.append(layer)
        if backend == "auto" and "backend" in layer.table:
            backend, place = str(layer.table["backend"]), f"{file}: backend"
    if backend not in BACKENDS:
        raise ConfigError(
            f"{place}: {backend!r} is unknown; it is one of: {', '.join(BACKENDS)}.", BACKEND_MEND
        )
    for flag, key, value in flags:
        section, _, name = key.partition(".")
        upper.append(Layer(flag, {section: {name: value}}))
    candidates = LOCAL_PROFILES if backend in ("auto", "local") else ()
    ready = [name for name in candidates if _is_ready(name, upper)]
    if backend == "auto":
        backend = "local" if ready else "starter"
    profile = ready[0] if ready else backend
    return _build(_profile(profile), [*upper, Layer("--backend", {"backend": backend})])


def _is_ready(profile: str, upper: list[Layer]) -> bool:
    """Whether all that a profile needs is here, with what lies on it where that goes together."""
    try:
        config = _build(_profile(profile), upper)
    except ConfigError:
        config = _build(_profile(profile), ())
    return not (missing_models(config) or missing_libraries(config))


def read_layer(file: Path) -> Layer:
    """The tables of a TOML file. Raises ConfigError for a file that is missing or no TOML."""
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration file {file}.", f"Profiles are in {paths.configs_dir()}."
        ) from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text in UTF-8.", "Save it as UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(*_syntax(file, str(error))) from error
    persona = table.get("persona")
    if isinstance(persona, dict) and isinstance(persona.get("file"), str):
        persona["file"] = str(file.parent / persona["file"])
    return Layer(str(file), table)


def _syntax(file: Path, message: str) -> tuple[str, str]:
    """`message` ends in "(at line 3, column 7)" or "(at end of document)"."""
    what, _, where = message.rpartition(" (at ")
    where = where.removesuffix(")")
    line = f":{where.split(',')[0].removeprefix('line ')}" if where.startswith("line") else ""
    return f"{file}{line}: this is no TOML: {what}.", 'A line is `key = value`; text is in "…".'


def _profile(backend: str) -> Layer:
    return read_layer(paths.configs_dir() / f"{backend}.toml")


def _build(profile: Layer, upper: Iterable[Layer]) -> Config:
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in (profile, *upper):
        for name, value in layer.table.items():
            _put(merged, origins, layer.name, (name, value))
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise explain(error, Config, origins) from None
    return config.model_copy(
        update={
            name: _with_model_paths(getattr(config, name))
            for name in ("recognizer", "chat", "synthesizer")
        }
    )


def _put(
    merged: dict[str, Any], origins: dict[str, str], layer: str, item: tuple[str, Any]
) -> None:
    """Lay one section or top-level key over what is there. Another provider starts afresh."""
    name, value = item
    below = merged.get(name)
    if isinstance(value, Mapping) and isinstance(below, dict):
        if value.get("provider", below.get("provider")) != below.get("provider"):
            below = {}
        merged[name] = below | dict(value)
    else:
        merged[name] = dict(value) if isinstance(value, Mapping) else value
    origins[name] = layer
    if isinstance(value, Mapping):
        origins.update({f"{name}.{key}": layer for key in value})


def _with_model_paths(section: BaseModel) -> BaseModel:
    found = {name: paths.model_path(path) for name, path in _paths(section)}
    return section.model_copy(update=found)


def _paths(section: BaseModel) -> list[tuple[str, Path]]:
    return [(name, value) for name, value in section if isinstance(value, Path)]


def missing_models(config: Config, stages: Collection[Stage] = STAGES) -> list[Path]:
    """The model files and directories that `config` names for `stages` and that are not there."""
    found = [path for section in _sections(config, stages) for _, path in _paths(section)]
    return [path for path in found if not path.exists()]


def _sections(config: Config, stages: Collection[Stage]) -> list[ProviderConfig]:
    return [getattr(config, stage) for stage in STAGES if stage in stages]


def missing_libraries(config: Config, stages: Collection[Stage] = STAGES) -> list[str]:
    """The providers that `config` names for `stages` and whose libraries are not installed."""
    names = [str(getattr(section, "provider", "")) for section in _sections(config, stages)]
    return [name for name in names if importlib.util.find_spec(LIBRARIES[name]) is None]


def require_stack(config: Config, stages: Collection[Stage] = STAGES) -> None:
    """Raise ModelError where a library or a model that `stages` need is not there, ConfigError
    where a hosted provider has no key or the session is offline."""
    hosted = [it for it in _sections(config, stages) if isinstance(it, HostedConfig)]
    for section in hosted:
        section.require(offline=config.session.offline)
    if libraries := missing_libraries(config, stages):
        extras = {
            "hosted" if name in [it.provider for it in hosted] else config.backend
            for name in libraries
        }
        raise ModelError(
            f"What {' and '.join(libraries)} need{'s' * (len(libraries) == 1)} is not installed.",
            f"Install it with scripts/setup.sh {' '.join(sorted(extras))}.",
        )
    if missing := missing_models(config, stages):
        names = ", ".join(str(path) for path in missing)
        raise ModelError(f"A model is missing: {names}.", _how_to_get(missing, config.backend))
    needed = [path for section in _sections(config, stages) for _, path in _paths(section)]
    require_whole(needed, paths.models_dir(), read_manifest())


def _how_to_get(missing: list[Path], backend: Backend) -> str:
    command = how_to_get(missing, paths.models_dir(), read_manifest())
    if command:
        return f"Get it with `{command}`, or use --backend starter."
    if backend == "starter":
        return "It came with voicebot-local; install or check that out again."
    return "Correct its path in the configuration; a relative one counts from models/."


def system_prompt(persona: PersonaConfig) -> str:
    """The words of the persona. Raises ConfigError where its file cannot be read."""
    if persona.file is None:
        return persona.text.strip()
    try:
        words = persona.file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigError(
            f"The persona file {persona.file} cannot be read: {reason}.",
            "Name a text file in [persona] file or --persona.",
        ) from error
    return f"{words.strip()}\n{persona.text}".strip()
