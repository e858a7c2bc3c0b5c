"""The providers that the scenarios run over, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.make_fixtures.tiny_gguf import write_tiny_gguf
from tests.engines.fake_engines import fake
from tests.engines.xtts_fixture import VOICES
from voicebot_local.engines.client import EngineSpec, Placement
from voicebot_local.engines.serving import load_class
from voicebot_local.events import Stage
from voicebot_local.providers.registry import LOCAL_ENGINES

DATA = Path(__file__).parents[1] / "data"

Settings = Callable[[pytest.FixtureRequest], dict[str, object]]


@dataclass(frozen=True)
class Row:
    """A provider as the scenarios use it. `needs` are packages it cannot do without."""

    name: str
    spec: Callable[[pytest.FixtureRequest], EngineSpec]
    needs: tuple[str, ...] = ()
    placement: Placement = "process"
    backend: str = "asyncio"

    def __str__(self) -> str:
        return f"{self.name}-{self.placement}-{self.backend}"

    @property
    def missing(self) -> list[str]:
        return [package for package in self.needs if find_spec(package) is None]


def _fakes(stage: Stage, step_s: float = 0.0) -> list[Row]:
    return [
        Row("fake", lambda _: fake(stage, step_s=step_s), placement=placement, backend=backend)
        for placement in ("process", "inline")
        for backend in ("asyncio", "trio")
    ]


def _real(name: str, settings: Settings, *needs: str) -> Row:
    kind = LOCAL_ENGINES[name]

    def spec(request: pytest.FixtureRequest) -> EngineSpec:
        config = load_class(kind.config_class)(**settings(request))
        return EngineSpec(kind.stage, name, kind.engine, kind.config_class, config, offline=True)

    return Row(name, spec, needs)


def _xtts(request: pytest.FixtureRequest) -> dict[str, object]:
    model = request.getfixturevalue("tiny_xtts")
    return {"model": model, "voice": VOICES[0], "device": "cpu", "threads": 1}


def _llama_cpp(request: pytest.FixtureRequest) -> dict[str, object]:
    model = request.getfixturevalue("tmp_path_factory").mktemp("gguf") / "tiny.gguf"
    write_tiny_gguf(model)
    return {"model": model, "threads": 1, "context_tokens": 1024, "max_reply_tokens": 200}


RECOGNIZERS = [
    *_fakes("recognizer"),
    _real("pocketsphinx", lambda _: {}, "pocketsphinx"),
    _real(
        "nemo",
        lambda _: {"model": DATA / "nemo_tiny.nemo", "device": "cpu", "threads": 1},
        "torch",
        "nemo",
    ),
]
CHAT_MODELS = [
    *_fakes("chat", step_s=0.02),
    _real("llama_cpp", _llama_cpp, "llama_cpp"),
]
SYNTHESIZERS = [
    *_fakes("synthesizer"),
    _real("espeak", lambda _: {}, "espeakng_loader"),
    _real("xtts", _xtts, "torch", "TTS"),
]
