"""The configuration: what may be set, and how a profile, a file and the command line make one.

A profile (`configs/*.toml`) is the ground. On it lies the user's own file, or the one that
`--config` names in its place; then variables of the environment (VOICEBOT_SECTION_KEY), then the
flags of the command line. The result is frozen, and a misspelt key is an error.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebot_local import paths
from voicebot_local.config_errors import explain
from voicebot_local.config_layers import Layer, environment_layers, read_layer
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
from voicebot_local.turns.prompter import NEVER, PrompterSettings
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


class EchoConfig(Section):
    """`[echo]`: what is done where the microphone hears the loudspeaker."""

    cancel: Literal["auto", "on", "off"] = Field(
        "auto",
        description='Take the assistant\'s own voice out of what is heard: "auto" where there is a '
        'microphone beside a loudspeaker, "off" with a headset, "on" with recordings as well.',
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
    save: bool = Field(
        False, description="Keep conversations on this machine, for `voicebot-local history`."
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
    prompter: PrompterSettings = NEVER
    audio: AudioConfig = AudioConfig()
    echo: EchoConfig = EchoConfig()
    persona: PersonaConfig = PersonaConfig()
    session: SessionConfig = SessionConfig()
    gpu: BrokerSettings = BrokerSettings()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each dotted key that something sets, the place of what set it.

    A key without an origin has the default of the schema. `notes`: what the user should know.
    """

    config: Config
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()


def load_config(
    backend: str = "auto", file: Path | None = None, flags: Iterable[tuple[str, str, Any]] = ()
) -> Config:
    """The configuration of a session; see `load`."""
    return load(backend, file, flags).config


def load(
    backend: str = "auto", file: Path | None = None, flags: Iterable[tuple[str, str, Any]] = ()
) -> Loaded:
    """The configuration of a session, and where each value comes from.

    `file` is by default the user's own, where there is one. `backend`: "auto", "starter", "local"
    or "hosted"; "auto" leaves the choice to the file, and then takes local where its models are;
    never hosted, which has to be asked for. Local is the first of LOCAL_PROFILES that is complete.
    `flags` are (flag, dotted key, value), for messages and for what they set. Raises ConfigError.
    """
    upper: list[Layer] = []
    place = "--backend"
    if layer := _file_layer(backend, file):
        upper.append(layer)
        if backend == "auto" and "backend" in layer.table:
            backend, place = str(layer.table["backend"]), layer.place("backend")
    if backend not in BACKENDS:
        raise ConfigError(
            f"{place}: {backend!r} is unknown; it is one of: {', '.join(BACKENDS)}.", BACKEND_MEND
        )
    upper += environment_layers(os.environ, set(Config.model_fields) - {"backend"})
    for flag, key, value in flags:
        section, _, name = key.partition(".")
        upper.append(Layer(flag, {section: {name: value}}))
    candidates = LOCAL_PROFILES if backend in ("auto", "local") else ()
    ready = [name for name in candidates if _is_ready(name, upper)]
    if backend == "auto":
        backend = "local" if ready else "starter"
        place = "what is installed"
    profile = ready[0] if ready else backend
    return _build(_profile(profile), [*upper, Layer(place, {"backend": backend})])


def _file_layer(backend: str, file: Path | None) -> Layer | None:
    """The user's file. What one of their own says of the stages is meant for the backend that it
    names, so with another `--backend` that is left out."""
    if file is not None:
        return read_layer(file)
    own = paths.config_file()
    if not own.is_file():
        return None
    layer = read_layer(own)
    if backend != "auto" and layer.table.get("backend", backend) != backend:
        return layer.without(STAGES)
    return layer


def _is_ready(profile: str, upper: list[Layer]) -> bool:
    """Whether all that a profile needs is here, with what lies on it where that goes together."""
    try:
        config = _build(_profile(profile), upper).config
    except ConfigError:
        config = _build(_profile(profile), ()).config
    return not (missing_models(config) or missing_libraries(config))


def _profile(backend: str) -> Layer:
    return read_layer(paths.configs_dir() / f"{backend}.toml")


def _build(profile: Layer, upper: Iterable[Layer]) -> Loaded:
    layers = (profile, *upper)
    merged, origins = merge(layers)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise explain(error, Config, origins) from None
    found: dict[str, Any] = {name: _with_model_paths(getattr(config, name)) for name in STAGES}
    notes = tuple(note for layer in layers for note in layer.notes)
    return Loaded(config.model_copy(update=found), origins, notes)


def merge(layers: Iterable[Layer]) -> tuple[dict[str, Any], dict[str, str]]:
    """The layers laid upon each other, unchecked, and the place that set each dotted key."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.table.items():
            _put(merged, origins, layer, (name, value))
    return merged, origins


def _put(
    merged: dict[str, Any], origins: dict[str, str], layer: Layer, item: tuple[str, Any]
) -> None:
    """Lay one section or top-level key over what is there. Another provider starts afresh."""
    name, value = item
    below = merged.get(name)
    if isinstance(value, Mapping) and isinstance(below, dict):
        if value.get("provider", below.get("provider")) != below.get("provider"):
            for key in below:
                origins.pop(f"{name}.{key}", None)
            below = {}
        merged[name] = below | dict(value)
    else:
        merged[name] = dict(value) if isinstance(value, Mapping) else value
    origins[name] = layer.place(name)
    if isinstance(value, Mapping):
        origins.update({f"{name}.{key}": layer.place(f"{name}.{key}") for key in value})


def _with_model_paths(section: BaseModel) -> BaseModel:
    found: dict[str, Any] = {name: paths.model_path(path) for name, path in _paths(section)}
    if isinstance(section, XttsConfig) and (own := paths.own_voice(section.voice)):
        found["voice"] = str(own)
    return section.model_copy(update=found)


def _paths(section: BaseModel) -> list[tuple[str, Path]]:
    return [(name, value) for name, value in section if isinstance(value, Path)]


def model_files(config: Config, stages: Collection[Stage] = STAGES) -> list[Path]:
    """The model files and directories that `config` names for `stages`."""
    return [path for section in _sections(config, stages) for _, path in _paths(section)]


def missing_models(config: Config, stages: Collection[Stage] = STAGES) -> list[Path]:
    """Those of them that are not there."""
    return [path for path in model_files(config, stages) if not path.exists()]


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
    require_whole(model_files(config, stages), paths.models_dir(), read_manifest())


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
