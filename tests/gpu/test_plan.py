"""The plan of the memory: the ladder on many sizes of cards, and the configuration it makes."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local import paths
from voicebot_local.config import Config, load_config
from voicebot_local.engines.client import EngineSpec
from voicebot_local.errors import ModelError, OutOfMemory
from voicebot_local.gpu import planning, swaps
from voicebot_local.gpu.memory import GpuMemory
from voicebot_local.gpu.need import GIB
from voicebot_local.gpu.plan import Alternatives, Engines, Plan, PlanOptions, plan, reserve
from voicebot_local.gpu.plan_text import plan_text
from voicebot_local.gpu.planning import apply, engines_of, fitted, plan_for, replanned
from voicebot_local.gpu.shapes import known_chat, known_recognizers
from voicebot_local.gpu.supervisor import BrokerSettings

SNAPSHOT = Path(__file__).with_name("plans.txt")
SIZES_GIB = (6, 8, 12, 16, 24, 141)
ALL = Alternatives(
    tuple((shape, "its GGUF header") for shape in known_chat().values()),
    tuple((shape, "its list of tensors") for shape in known_recognizers().values()),
)


@pytest.fixture(autouse=True)
def _nothing_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "models_dir", lambda: tmp_path / "models")


def profile(name: str) -> Config:
    return load_config("local", paths.configs_dir() / f"{name}.toml")


def step(made: Plan, name: str) -> tuple[str, str]:
    return next((one.decision, one.why) for one in made.steps if one.name.startswith(name))


def test_plans_for_common_cards() -> None:
    """What a reader would agree with. Set UPDATE_SNAPSHOTS=1 to write the file anew."""
    said = []
    config = profile("local")
    for size in SIZES_GIB:
        said.append(f"##### local on {size} GB\n\n{plan_text(plan_for(config, size * GIB))}")
    options = PlanOptions(on_disk=ALL)
    made = plan(engines_of(config), 6 * GIB, options)
    said.append(f"##### local on 6 GB, with smaller models on disk\n\n{plan_text(made)}")
    text = "\n".join(said)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


@pytest.mark.parametrize("size", [8, 10, 12])
def test_the_small_profile_is_resident_as_it_is(size: int) -> None:
    made = plan_for(profile("local-12gb"), size * GIB)
    assert made.fits
    assert made.changes == ""
    assert step(made, "everything")[0] == "taken"


def test_reserve() -> None:
    assert reserve(6 * GIB) == GIB
    assert reserve(100 * GIB) == 8 * GIB


@settings(deadline=None, max_examples=40)
@given(st.floats(0.5, 30), st.booleans())
def test_a_plan_that_fits_leaves_the_reserve(free_gib: float, on_disk: bool) -> None:
    free = int(free_gib * GIB)
    options = PlanOptions(on_disk=ALL if on_disk else Alternatives())
    asked = engines_of(profile_once())
    made = plan(asked, free, options)
    if made.fits:
        assert made.needed + made.reserve <= free
        assert sum(one.decision == "taken" for one in made.steps) == 1
    else:
        assert made.engines == asked
        assert step(made, "refuse")[0] == "taken"
        assert "GiB more" in made.mend


def profile_once() -> Config:
    if not _PROFILE:
        _PROFILE.append(profile("local"))
    return _PROFILE[0]


_PROFILE: list[Config] = []


def test_more_memory_never_changes_more() -> None:
    """Each later step of the ladder is taken on smaller cards only."""
    asked, options = engines_of(profile("local")), PlanOptions(on_disk=ALL)
    order = []
    for tenths in range(30, 170):
        made = plan(asked, tenths * GIB // 10, options)
        taken = [number for number, one in enumerate(made.steps) if one.decision == "taken"]
        order.append(taken[0])
    assert all(after <= before for before, after in pairwise(order))
    assert set(order) == {0, 1, 2, 3, 4, 5, 6}


def test_refusal_says_what_would_fit() -> None:
    made = plan_for(profile("local"), 6 * GIB)
    assert not made.fits
    assert "Llama-3.2-3B-Instruct-Q4_K_M.gguf instead of Meta-Llama-3.1-8B" in made.mend
    nothing = plan_for(profile("local"), 3 * GIB)
    assert "gpu_layers = 0" in nothing.mend


def test_parking_is_the_last_resort() -> None:
    config = profile("local")
    made = plan_for(config, 7 * GIB)
    decision, why = step(made, "parking")
    assert decision == "taken"
    assert "by estimate" in why
    assert made.parked
    assert made.engines.chat is not None
    assert made.engines.synthesizer is not None
    # The synthesizer's weights are the smaller part of the two.
    assert made.saved == made.engines.synthesizer.need.weights
    assert made.needed + made.reserve <= made.free
    assert made.needed + made.saved + made.reserve > made.free
    # The rest of what was decided reaches the configuration.
    assert apply(config, made).chat.gpu_layers == made.engines.chat.settings.gpu_layers


def test_parking_can_be_forced_and_forbidden() -> None:
    config = profile("local")
    forced = config.model_copy(update={"gpu": BrokerSettings(parking="always")})
    made = plan_for(forced, 24 * GIB)
    assert made.parked
    assert made.fits
    assert step(made, "parking")[0] == "taken"
    assert made.changes == ""
    for gpu in (BrokerSettings(parking="never"), BrokerSettings(broker=False)):
        made = plan_for(config.model_copy(update={"gpu": gpu}), 7 * GIB)
        assert not made.fits
        assert step(made, "parking")[0] == "not possible"
    with pytest.raises(ValueError, match="needs broker = true"):
        BrokerSettings(parking="always", broker=False)


def test_a_measured_swap_stands_in_the_plan() -> None:
    made = plan(engines_of(profile("local")), 7 * GIB, PlanOptions(swap_s=0.42))
    assert "moving both in takes 0.42 s a turn, as measured here" in step(made, "parking")[1]


def test_what_was_measured_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swaps, "cache_dir", lambda: tmp_path / "cache")
    assert swaps.remembered("a.gguf", "GPU") is None
    swaps.remember("a.gguf", "GPU", 0.25)
    swaps.remember("b.gguf", "CPU", 0.5)
    assert swaps.remembered("a.gguf", "GPU") == 0.25
    assert swaps.remembered("a.gguf", "CPU") is None
    (tmp_path / "cache" / "swaps.json").write_text("[1, 2")
    assert swaps.remembered("a.gguf", "GPU") is None


def test_a_stock_decoder_is_not_halved() -> None:
    asked = engines_of(profile("local"))
    assert asked.synthesizer is not None
    stock = replace(asked, synthesizer=replace(asked.synthesizer, halvable=False))
    made = plan(stock, 10 * GIB)
    assert made.engines.synthesizer is not None
    assert made.engines.synthesizer.precision == "float32"
    assert made.engines.recognizer is not None
    assert made.engines.recognizer.precision == "bfloat16"


def test_without_flash_attention_the_cache_is_not_quantized() -> None:
    asked = engines_of(profile("local"))
    assert asked.chat is not None
    plain = replace(asked.chat.settings, flash_attention=False)
    made = plan(Engines(chat=replace(asked.chat, settings=plain)), int(6.5 * GIB))
    assert made.engines.chat is not None
    assert made.engines.chat.settings.kv_type == "f16"
    assert made.engines.chat.settings.context_tokens == 4096


def test_a_decision_reaches_the_configuration() -> None:
    config = profile("local")
    made = plan_for(config, 8 * GIB)
    found = apply(config, made)
    assert found.chat.context_tokens == 4096
    assert found.chat.kv_type == "q8_0"
    assert 17 <= found.chat.gpu_layers <= 32
    assert found.chat.model == config.chat.model
    assert getattr(found.recognizer, "precision", "") == "bfloat16"
    assert getattr(found.synthesizer, "precision", "") == "float16"
    # What was decided is valid as if it had been written so, and is not decided again.
    assert Config.model_validate(found.model_dump()) == found
    assert plan_for(found, 8 * GIB).changes == ""


def test_a_smaller_model_reaches_the_configuration() -> None:
    config = profile("local")
    made = plan(engines_of(config), 6 * GIB, PlanOptions(on_disk=ALL))
    found = apply(config, made)
    assert found.chat.model == paths.models_dir() / "Llama-3.2-3B-Instruct-Q4_K_M.gguf"
    assert str(getattr(found.recognizer, "model", "")).endswith("streaming_multi.nemo")


def test_what_needs_no_change_stays() -> None:
    config = profile("local")
    assert apply(config, plan_for(config, 24 * GIB)) == config


def test_a_gpu_that_is_too_small_is_refused_with_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = GpuMemory("a small card", 6 * GIB, 6 * GIB)
    monkeypatch.setattr(planning, "gpu_memory", lambda: memory)
    with pytest.raises(OutOfMemory) as raised:
        fitted(profile("local"))
    assert "12.42 GiB of the GPU's memory" in raised.value.message
    assert "smaller context, quantized KV" in raised.value.message
    assert "Llama-3.2-3B" in raised.value.mend


def test_without_a_gpu_the_machines_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "gpu_memory", lambda: None)
    monkeypatch.setattr(planning, "machine_memory", lambda: 64 * GIB)
    config = profile("local")
    made = plan_for(config)
    assert (made.device, made.fits, made.changes) == ("CPU", True, "")
    assert [row.stage for row in made.rows] == ["recognizer", "chat", "synthesizer"]
    assert fitted(config)[0] is config
    monkeypatch.setattr(planning, "machine_memory", lambda: 4 * GIB)
    with pytest.raises(OutOfMemory, match="this machine's memory"):
        fitted(config)
    monkeypatch.setattr(planning, "machine_memory", lambda: None)
    assert plan_for(config).fits


def test_engines_on_the_processor_need_nothing_of_the_gpu() -> None:
    starter = load_config("starter")
    made = plan_for(starter, 2 * GIB)
    assert made.fits
    assert made.rows == ()
    local = profile("local")
    silent = local.model_copy(update={"chat": local.chat.model_copy(update={"gpu_layers": 0})})
    assert [row.stage for row in plan_for(silent, 12 * GIB).rows] == ["recognizer", "synthesizer"]


def test_a_damaged_model_is_said_before_anything_loads(tmp_path: Path) -> None:
    config = profile("local")
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF")
    broken = config.model_copy(update={"chat": config.chat.model_copy(update={"model": file})})
    with pytest.raises(ModelError, match=r"broken\.gguf is damaged"):
        plan_for(broken, 12 * GIB)


def test_an_engine_that_died_is_planned_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    config = profile("local")
    spec = EngineSpec("chat", "llama_cpp", "", "", config.chat)
    monkeypatch.setattr(planning, "gpu_memory", lambda: GpuMemory("", 6 * GIB, 24 * GIB))
    again = replanned(config, spec)
    assert getattr(again.config, "kv_type", "") == "q8_0"
    assert getattr(again.config, "model", None) == config.chat.model
    monkeypatch.setattr(planning, "gpu_memory", lambda: GpuMemory("", 12 * GIB, 24 * GIB))
    assert replanned(config, spec) == spec
    monkeypatch.setattr(planning, "gpu_memory", lambda: GpuMemory("", GIB, 24 * GIB))
    assert replanned(config, spec) == spec
    monkeypatch.setattr(planning, "gpu_memory", lambda: None)
    assert replanned(config, spec) is spec
