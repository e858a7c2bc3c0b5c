"""Smart Turn: its features are Whisper's, and a model of its shape is run and read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from voicebot_local.audio.smart_turn import SmartTurn
from voicebot_local.audio.whisper_mel import BANDS, FRAMES, log_mel
from voicebot_local.errors import ModelError
from voicebot_local.paths import model_path
from voicebot_local.providers.base import Samples
from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda
from voicebot_local.turns.settings import TurnSettings

onnx = pytest.importorskip("onnx")
RATE = 16_000
REAL = model_path(Path(os.environ.get("VOICEBOT_SMART_TURN") or TurnSettings().smart_turn))


def tone(seconds: float, hertz: float = 300.0) -> Samples:
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(times)) * 0.01
    return (0.2 * np.sin(2 * np.pi * hertz * times * (1 + times / 20)) + noise).astype(np.float32)


def tiny(path: Path, bands: int = BANDS) -> Path:
    """A model of the signature of Smart Turn: the sigmoid of the mean of the last second."""
    helper, kinds = onnx.helper, onnx.TensorProto
    ends = [helper.make_tensor("from", kinds.INT64, [1], [FRAMES - 100])]
    ends += [helper.make_tensor("to", kinds.INT64, [1], [FRAMES])]
    ends += [helper.make_tensor("axis", kinds.INT64, [1], [2])]
    ends += [helper.make_tensor("axes", kinds.INT64, [2], [1, 2])]
    nodes = [
        helper.make_node("Slice", ["input_features", "from", "to", "axis"], ["end"]),
        helper.make_node("ReduceMean", ["end", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis1"], ["column"]),
        helper.make_node("Sigmoid", ["column"], ["logits"]),
    ]
    ends += [helper.make_tensor("axis1", kinds.INT64, [1], [1])]
    features = helper.make_tensor_value_info("input_features", kinds.FLOAT, ["n", bands, FRAMES])
    logits = helper.make_tensor_value_info("logits", kinds.FLOAT, ["n", 1])
    graph = helper.make_graph(nodes, "tiny", [features], [logits], ends)
    # The versions of the format that the real file has; newer ones need a newer onnxruntime.
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


@pytest.mark.parametrize("seconds", [0, 0.5, 3.21, 8, 11.1])
def test_features_are_those_of_the_reference(seconds: float) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    use_torchaudio_without_cuda()
    samples = tone(seconds)
    whole = np.zeros(8 * RATE, np.float32)
    last = samples[-len(whole) :]
    whole[len(whole) - len(last) :] = last
    expected = transformers.WhisperFeatureExtractor(chunk_length=8)(
        whole, sampling_rate=RATE, do_normalize=True, return_tensors="np"
    ).input_features[0]
    features = log_mel(samples)
    assert features.shape == expected.shape == (BANDS, FRAMES)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.anyio
async def test_a_score_is_what_the_model_says_of_the_newest_sound(tmp_path: Path) -> None:
    detector = SmartTurn(tiny(tmp_path / "tiny.onnx"))
    loud = np.concatenate((np.zeros(4 * RATE, np.float32), tone(2)))
    quiet = np.concatenate((tone(2), np.zeros(4 * RATE, np.float32)))
    for samples in (loud, quiet):
        expected = 1 / (1 + np.exp(-log_mel(samples)[:, -100:].mean()))
        assert await detector.score(samples) == pytest.approx(expected, abs=1e-4)
    assert await detector.score(loud) > await detector.score(quiet)


def test_a_missing_damaged_or_other_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        SmartTurn(tmp_path / "none.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be read"):
        SmartTurn(damaged)
    with pytest.raises(ModelError, match="no Smart Turn v3 model"):
        SmartTurn(tiny(tmp_path / "other.onnx", bands=64))


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not there (or VOICEBOT_SMART_TURN)")
def test_the_real_model_gives_probabilities() -> None:
    detector = SmartTurn(REAL)
    begun = time.process_time()
    scores = [detector.probability(tone(seconds)) for seconds in (0, 0.5, 3, 8, 11)]
    print(f"{(time.process_time() - begun) / len(scores) * 1000:.0f} ms of CPU per score")
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 1, "it tells sounds apart"
    assert detector.probability(tone(3)) == scores[2], "and always says the same of one"
