"""Engines at work, with ones that fail in every way they can; no figure is asserted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.engines.fake_engines import FakeConfig, fake
from voicebot_local.doctor.engines import Engines, Used, judge, wants_gpu
from voicebot_local.doctor.result import Result
from voicebot_local.events import EngineLoaded, Stage
from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig
from voicebot_local.providers.registry import Choice, EngineKind, EngineOptions, choice

STAGES: tuple[Stage, ...] = ("recognizer", "chat", "synthesizer")


def chosen(stage: Stage, **config: object) -> Choice:
    spec = fake(stage, **config)
    return Choice("fake", spec.config, EngineKind(stage, spec.engine, spec.config_class))


async def results(*choices: Choice, limit_s: float = 60.0) -> dict[Stage, Result]:
    found: dict[Stage, Result] = {}
    await Engines(choices, EngineOptions(), False, found.__setitem__, limit_s).check()
    return found


@pytest.mark.anyio
async def test_all_are_loaded_and_used() -> None:
    found = await results(*(chosen(stage) for stage in STAGES))
    assert set(found) == set(STAGES)
    for stage, result in found.items():
        assert result.name == stage
        assert result.summary.startswith("fake on the CPU, loaded in ")
        assert result.details["device"] == "cpu"
        assert result.took_s > 0
    assert found["recognizer"].status == found["chat"].status == "green"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("load", "said"),
    [("fail", "the model is not there"), ("crash", "stopped while it was loaded"), ("bug", "bug")],
)
async def test_one_that_does_not_load_is_red_and_the_others_are_tried(load: str, said: str) -> None:
    found = await results(chosen("recognizer"), chosen("chat", load=load), chosen("synthesizer"))
    assert found["chat"].status == "red"
    assert said in found["chat"].summary
    assert found["recognizer"].status == "green"
    assert "synthesizer" in found


@pytest.mark.anyio
async def test_one_that_hangs_does_not_keep_the_doctor() -> None:
    """The other is measured all the same, once the one that hangs is given up."""
    found = await results(chosen("recognizer"), chosen("chat", load="hang"), limit_s=8.0)
    assert found["chat"].status == "yellow"
    assert "not loaded after 8 s" in found["chat"].summary
    assert "doctor --wait 32" in found["chat"].mend
    assert found["recognizer"].status == "green"


@pytest.mark.anyio
async def test_one_that_is_too_slow_at_work_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebot_local.doctor.engines.USE_S", 0.5)
    found = await results(chosen("chat", step_s=3600.0), limit_s=8.0)
    assert found["chat"].status == "yellow"
    assert "was loaded, and took longer" in found["chat"].summary


def loaded(device: str) -> EngineLoaded:
    return EngineLoaded("chat", "llama_cpp", device, 1.5)


def llama(**config: Any) -> Choice:
    return choice(LlamaCppConfig(model="x.gguf", **config))


FAST = Used(0.1, 1.0, 20)


def test_a_silent_fall_back_to_the_processor_is_red() -> None:
    found = judge(llama(), loaded("cpu"), FAST, has_gpu=True)
    assert (found.status, "although there is a GPU" in found.summary) == ("red", True)
    assert "setup.sh local --force" in found.mend


@pytest.mark.parametrize(
    ("device", "layers", "has_gpu"),
    [("cuda:0 (NVIDIA)", -1, True), ("cpu", 0, True), ("cpu", -1, False)],
)
def test_where_it_should_be_is_green(device: str, layers: int, has_gpu: bool) -> None:
    found = judge(llama(gpu_layers=layers), loaded(device), FAST, has_gpu=has_gpu)
    assert found.status == "green"
    assert ("on the GPU" in found.summary) == device.startswith("cuda")


def test_too_slow_for_a_conversation_is_yellow() -> None:
    found = judge(llama(), loaded("cpu"), Used(0.5, 10.0, 20), has_gpu=False)
    assert (found.status, "too slow" in found.mend) == ("yellow", True)
    speaker = chosen("synthesizer")
    slow = judge(speaker, loaded("cpu"), Used(0.5, 8.0, 2.0), has_gpu=False)
    assert (slow.status, "4.0 times slower than speech" in slow.summary) == ("yellow", True)
    quick = judge(speaker, loaded("cpu"), Used(0.05, 0.5, 2.0), has_gpu=False)
    assert (quick.status, "4 times faster than speech" in quick.summary) == ("green", True)


def test_who_wants_a_gpu() -> None:
    assert wants_gpu(llama())
    assert not wants_gpu(llama(gpu_layers=0))
    assert not wants_gpu(replace(chosen("chat"), config=FakeConfig()))
