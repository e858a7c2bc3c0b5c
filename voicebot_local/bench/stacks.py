"""What is compared: a backend or a configuration file, and what of a conversation it sends away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voicebot_local.bench.results import StackInfo
from voicebot_local.bench.wording import HERE
from voicebot_local.config import BACKENDS, Config, load_config
from voicebot_local.errors import ConfigError
from voicebot_local.events import Stage
from voicebot_local.providers.base import ProviderConfig
from voicebot_local.providers.hosted import HostedConfig

SENT: dict[Stage, str] = {
    "recognizer": "what the microphone hears",
    "chat": "the transcript of the whole conversation, with the persona",
    "synthesizer": "the text of the replies",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack to run: `backend` and `config` as `voicebot-local run` takes them."""

    name: str
    backend: str
    config: Path | None = None

    @property
    def flags(self) -> list[str]:
        """For the command line of `run`."""
        flags = ["--backend", self.backend]
        return flags if self.config is None else [*flags, "--config", str(self.config)]

    def settings(self) -> Config:
        """The configuration that `run` will have. Raises ConfigError."""
        return load_config(self.backend, self.config)

    def info(self) -> StackInfo:
        """What the stack is made of. Raises ConfigError where its configuration is wrong."""
        config = self.settings()
        sections: dict[Stage, ProviderConfig] = {
            "recognizer": config.recognizer,
            "chat": config.chat,
            "synthesizer": config.synthesizer,
        }
        hosted = {k: v for k, v in sections.items() if isinstance(v, HostedConfig)}
        leaves = [
            f"{SENT[stage]} to {section.service} ({section.host})"
            for stage, section in hosted.items()
            if not section.is_here
        ]
        providers: dict[str, str] = {
            stage: f"{name_of(section)} ({HERE})"
            if stage in hosted and hosted[stage].is_here
            else name_of(section)
            for stage, section in sections.items()
        }
        file = "" if self.config is None else str(self.config)
        return StackInfo(self.name, config.backend, file, providers, tuple(leaves))


def name_of(section: ProviderConfig) -> str:
    """The provider that a section of the configuration chooses."""
    return str(getattr(section, "provider", ""))


def choose_stacks(backends: Sequence[str], configs: Sequence[Path]) -> list[Stack]:
    """The stacks of `--backend` and `--config`, in that order; one, "auto", where neither is given.

    One backend with several configurations lies under each of them. Raises ConfigError.
    """
    if len(backends) == 1 and configs:
        chosen = [Stack(config.stem, backends[0], config) for config in configs]
    else:
        chosen = [Stack(backend, backend) for backend in backends]
        chosen += [Stack(config.stem, "auto", config) for config in configs]
    return distinct(chosen or [Stack("auto", "auto")])


def distinct(stacks: list[Stack]) -> list[Stack]:
    """The stacks with names that differ: numbered where they would not."""
    if len({stack.name for stack in stacks}) == len(stacks):
        return stacks
    return [
        replace(stack, name=f"{stack.name} ({number})") for number, stack in enumerate(stacks, 1)
    ]


def named_stack(name: str) -> Stack:
    """The stack that `compare` names: a backend, or a configuration file. Raises ConfigError."""
    if name in BACKENDS:
        return Stack(name, name)
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"{name} is neither a backend nor a configuration file.",
            f"Name a TOML file, or one of: {', '.join(BACKENDS)}.",
        )
    return Stack(path.stem, "auto", path)
