"""A recognizer of NeMo's parts alone: the same numbers, nothing left behind, and a way out."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import soundfile

from tests.engines.running import CountedSteps
from voicebot_local.providers.asr import nemo_parts
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine
from voicebot_local.providers.asr.nemo_archive import open_archive
from voicebot_local.providers.asr.nemo_build import _with_paths

torch = pytest.importorskip("torch")
pytest.importorskip("nemo")

DATA = Path(__file__).parents[1] / "data"
MODEL = DATA / "nemo_tiny.nemo"
HEAVY = ("nemo", "lightning", "torchmetrics", "transformers", "hydra", "librosa", "scipy", "numba")


def config(**more):
    return NemoConfig(model=MODEL, device="cpu", threads=1, **more)


@pytest.fixture(scope="module")
def engines():
    """One of the parts, one of the library's whole model."""
    both = NemoEngine(config()), NemoEngine(config(fast_start=False))
    assert not isinstance(both[0]._model.nemo, type(both[1]._model.nemo))
    return both


def test_weights_and_buffers_are_those_of_the_whole_model(engines):
    parts, whole = (engine._model.nemo for engine in engines)
    ours, theirs = dict(parts.named_buffers()), dict(whole.named_buffers())
    assert set(ours) <= set(theirs)
    assert {name for name in theirs if "ctc_wer" not in name and "wer." not in name} <= set(ours)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    ours, theirs = parts.state_dict(), whole.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not any(part.training for part in parts.modules())


@pytest.mark.parametrize("decoder", ["rnnt", "ctc"])
@pytest.mark.parametrize("lookahead_ms", [0, 1040])
def test_it_hears_the_same_to_the_last_bit(engines, lookahead_ms, decoder):
    for engine in engines:
        engine.look_ahead(lookahead_ms)
        engine._decoder = decoder
    for name in ("hello.wav", "timer.wav"):
        samples, _ = soundfile.read(DATA / "nemo" / name, dtype="float32")
        parts, whole = (list(e.transcribe(iter([samples]), CountedSteps())) for e in engines)
        assert parts == whole
        assert parts[-1].text


def test_nothing_of_the_cut_stays(engines):
    before, finders = dict(sys.modules), list(sys.meta_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = nemo_parts.nemo_classes.__wrapped__()["ConformerEncoder"]
    assert sys.meta_path == finders
    assert {name: sys.modules[name] for name in before} == before
    assert not {name.partition(".")[0] for name in sys.modules if name not in before} & set(HEAVY)
    real = sys.modules["nemo.collections.asr.modules.conformer_encoder"].ConformerEncoder
    assert real is type(engines[1]._model.nemo.encoder)
    assert again is not real


def test_a_start_imports_little_and_leaves_the_library_whole():
    code = f"""
import sys
import warnings
from pathlib import Path
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine
NemoEngine(NemoConfig(model=Path({str(MODEL)!r}), device="cpu", threads=1))
there = [name for name in {HEAVY} + ("torch._dynamo",) if name in sys.modules]
assert not there, there
import librosa.filters
assert librosa.filters.mel(sr=16000, n_fft=512, n_mels=4).sum() > 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_where_the_parts_are_others_the_whole_library_is_used(engines, monkeypatch, caplog):
    def other():
        raise AttributeError("nemo.core.Else is not among what recognizing needs\nand more")

    monkeypatch.setattr(nemo_parts, "nemo_classes", other)
    engine = NemoEngine(config(recorded=False))
    assert type(engine._model.nemo) is type(engines[1]._model.nemo)
    assert caplog.messages == [
        "NeMo is imported as a whole, which takes longer: "
        "nemo.core.Else is not among what recognizing needs"
    ]


@pytest.mark.parametrize(
    "missing", ["preprocessor.featurizer.fb", "encoder.layers.0.norm_out.weight"]
)
def test_weights_that_are_missing_are_not_left_to_chance(tmp_path, missing):
    archive = open_archive(MODEL, tmp_path)
    weights = {name: weight for name, weight in archive.weights.items() if name != missing}
    with pytest.raises(RuntimeError, match=missing):
        nemo_parts.build_parts(_with_paths(archive.config, tmp_path), weights)
