"""Each engine on a GPU: it is there, it says what it says on the processor, and it falls back.

Opt-in, `pytest --run-gpu -m gpu`; `scripts/gpu_check.sh tests` runs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from tests.engines.xtts_fixture import VOICES, tiny_xtts
from voicebot_local.gpu.memory import gpu_memory, measured_bytes, nvml_memory, unwatched
from voicebot_local.paths import CHECKOUT
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine
from voicebot_local.providers.tts.xtts import XttsConfig, XttsEngine

__all__ = ["tiny_xtts"]

pytestmark = pytest.mark.gpu

DATA = CHECKOUT / "tests" / "data"
EXPECTED: dict[str, str] = json.loads((DATA / "nemo" / "expected.json").read_text())
TEXT = "This is a sentence that is spoken on two devices."


def test_the_driver_answers() -> None:
    assert gpu_memory() is not None
    assert nvml_memory() is not None
    assert unwatched() == ""
    assert measured_bytes(os.getpid()) is not None


# --- NeMo ---


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_recognizer_hears_the_same_on_the_gpu(
    precision: Literal["float32", "bfloat16"],
) -> None:
    engine = NemoEngine(
        NemoConfig(model=DATA / "nemo_tiny.nemo", device="cuda", precision=precision)
    )
    assert engine.info.device.startswith("cuda:0 (")
    assert engine.info.details["steps"] == "CUDA graph"
    weights = next(engine._model.nemo.encoder.parameters())
    assert weights.is_cuda
    assert str(weights.dtype) == f"torch.{precision}"
    heard = {}
    for name in EXPECTED:
        samples, _ = soundfile.read(DATA / "nemo" / name, dtype="float32")
        *_, last = engine.transcribe(iter([samples]), lambda _: nullcontext())
        heard[name] = last.text
    assert heard == EXPECTED


def test_the_recognizers_graph_hears_what_its_other_steps_hear() -> None:
    samples, _ = soundfile.read(DATA / "nemo" / "timer.wav", dtype="float32")
    config = NemoConfig(model=DATA / "nemo_tiny.nemo", device="cuda")
    heard = []
    for steps, change in {
        "CUDA graph": {},
        "recorded": {"cuda_graph": False},
        "one by one": {"recorded": False},
    }.items():
        engine = NemoEngine(config.model_copy(update=change))
        assert engine.info.details["steps"] == steps
        blocks = (samples[at : at + 320] for at in range(0, len(samples), 320))
        heard.append([said.text for said in engine.transcribe(blocks, lambda _: nullcontext())])
    assert heard[0] == heard[1] == heard[2]


# --- XTTS ---


def speaker(model: Path, **settings: Any) -> XttsEngine:
    """Greedy, so that devices can be compared."""
    return XttsEngine(XttsConfig(model=model, voice=VOICES[0], seed=3, top_k=1, **settings))


def said(engine: XttsEngine) -> np.ndarray:
    spoken = engine.speak(iter([TEXT, TEXT]), lambda _: nullcontext())
    return np.concatenate([part.samples for part in spoken])


def test_the_synthesizer_says_the_same_on_the_gpu(tiny_xtts: Path) -> None:
    on_gpu = speaker(tiny_xtts, device="cuda", cuda_graph=False)
    assert on_gpu.info.device.startswith("cuda:0 (")
    assert on_gpu.info.details["steps"] == "one by one"
    assert on_gpu.model.device.type == "cuda"
    one, other = said(on_gpu), said(speaker(tiny_xtts, device="cpu"))
    assert len(one) == len(other)
    assert np.abs(one - other).max() <= 1e-3


def test_recorded_steps_say_the_same_as_steps_made_anew(tiny_xtts: Path) -> None:
    recorded = speaker(tiny_xtts, device="cuda")
    assert recorded.info.details["steps"] == "recorded"
    anew = speaker(tiny_xtts, device="cuda", cuda_graph=False)
    for _ in range(2):
        assert np.abs(said(recorded) - said(anew)).max() <= 1e-4


def test_where_no_graph_can_be_recorded_steps_are_made_anew(
    tiny_xtts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refuse() -> None:
        raise RuntimeError("this driver records nothing")

    wanted = said(speaker(tiny_xtts, device="cuda", cuda_graph=False))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", refuse)
    engine = speaker(tiny_xtts, device="cuda")
    assert engine.info.details["steps"] == "one by one"
    assert np.abs(said(engine) - wanted).max() <= 1e-4


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_makes_speech_of_the_same_kind(
    tiny_xtts: Path, precision: Literal["float16", "bfloat16"]
) -> None:
    sound = said(speaker(tiny_xtts, device="cuda", precision=precision))
    assert np.isfinite(sound).all()
    assert 0.01 < np.sqrt(np.mean(sound**2)) < 1


def test_parking_gives_the_memory_back(tiny_xtts: Path) -> None:
    import torch

    engine = speaker(tiny_xtts, device="cuda")
    before = said(engine)
    engine.park(lambda _: nullcontext())
    assert engine._moving is not None
    resident = torch.cuda.memory_allocated()
    engine.unpark(lambda _: nullcontext())
    assert torch.cuda.memory_allocated() - resident >= engine._moving.size
    assert np.abs(said(engine) - before).max() <= 1e-4


# --- llama.cpp ---


def test_the_chat_model_says_the_same_on_the_gpu() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.cuda_llama_child"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cpu"]["device"] == "cpu"
    for name in ("gpu", "half", "parked"):
        assert found[name]["device"].startswith("cuda:0 ("), name
        assert found[name]["replies"] == found["cpu"]["replies"], name
