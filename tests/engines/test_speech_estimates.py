"""The estimates of the speech models' memory, held to the models as they are loaded."""

from __future__ import annotations

import os
import pickle
import tarfile
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.engines.xtts_fixture import tiny_xtts
from voicebot_local.gpu.checkpoint import Unreadable, nemo_tensors, torch_tensors
from voicebot_local.gpu.estimate_speech import (
    estimate_recognizer,
    estimate_synthesizer,
    recognizer_shape,
    synthesizer_shape,
)
from voicebot_local.gpu.need import MIB
from voicebot_local.gpu.planning import _recognizer_shape, _synthesizer_shape
from voicebot_local.gpu.shapes import known_recognizers, known_synthesizers

__all__ = ["tiny_xtts"]

TINY_NEMO = Path(__file__).parents[1] / "data" / "nemo_tiny.nemo"


def bytes_of(model: Any) -> int:
    """Of its weights, the ones that share memory counted once."""
    weights = {one.data_ptr(): one for one in (*model.parameters(), *model.buffers())}
    return sum(one.numel() * one.element_size() for one in weights.values())


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_xtts_as_it_is_loaded(tiny_xtts: Path, precision: Any) -> None:
    from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

    use_torchaudio_without_cuda()
    from voicebot_local.providers.tts.xtts_load import load_model
    from voicebot_local.providers.tts.xtts_tokens import Sampling, TokenLoop

    model = load_model(tiny_xtts, "cpu", precision)
    shape = synthesizer_shape(torch_tensors(tiny_xtts / "model.pth"), "tiny")
    need = estimate_synthesizer(shape, precision)
    assert need.weights == pytest.approx(bytes_of(model), rel=0.02)
    latents = model.gpt.text_embedding.weight.new_zeros(1, 32, model.gpt.model_dim)
    loop = TokenLoop(model.gpt, Sampling(1.0, 0, 1.0, 1.0), latents)
    assert need.kv == loop._cache.numel() * loop._cache.element_size()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_nemo_as_it_is_loaded(precision: Any) -> None:
    from voicebot_local.providers.asr.nemo_model import LoadedModel

    model = LoadedModel(TINY_NEMO, "cpu", precision, fast_start=True)
    shape = recognizer_shape(nemo_tensors(TINY_NEMO), "tiny")
    shape = replace(shape, positions=2 * model.nemo.encoder.pos_emb_max_len - 1)
    need = estimate_recognizer(shape, precision)
    # The front end's windows stay float32: a tenth of a MiB, which shows only in a tiny model.
    assert need.weights == pytest.approx(bytes_of(model.nemo), rel=0.08)
    model.look_ahead(model.lookaheads_ms[0])
    caches = sum(one.numel() * one.element_size() for one in model.new_caches()[:2])
    assert need.kv == pytest.approx(2 * caches, rel=0.02)


def test_known_shapes_have_the_published_numbers() -> None:
    recognizers = known_recognizers()
    big = recognizers["nemotron-speech-streaming-en-0.6b.nemo"]
    small = recognizers["stt_en_fastconformer_hybrid_large_streaming_multi.nemo"]
    assert big.weights * 4 == pytest.approx(2.47e9, rel=0.01)
    assert small.weights * 4 == pytest.approx(460e6, rel=0.01)
    voice = known_synthesizers()["xtts_v2"]
    assert voice.weights * 4 == pytest.approx(1.87e9, rel=0.01)
    assert voice.longest == 32 + 404 + 608
    # Its cache: keys and values of 30 layers of 1024 numbers at 1,044 positions.
    assert estimate_synthesizer(voice, "float32").kv == 2 * 30 * 1024 * 1044 * 4
    half = estimate_synthesizer(voice, "float16")
    saved = estimate_synthesizer(voice, "float32").weights - half.weights
    assert saved == 377_886_720 * 2
    # And 41 MB for the table of positions of an encoder as wide as this.
    assert estimate_recognizer(big, "bfloat16").weights == (big.weights + 9999 * 1024) * 2


def test_a_checkpoint_runs_nothing(tmp_path: Path) -> None:
    """Whatever a pickle names is replaced by something inert."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path}/ran",)

    file = tmp_path / "model.pth"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model": {"a": Evil()}}))
    assert torch_tensors(file) == {}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_damaged_checkpoints_are_unreadable(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pth"
    file.write_bytes(content)
    for read in (torch_tensors, nemo_tensors):
        with pytest.raises(Unreadable):
            read(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.garbage"[:4])
    with pytest.raises(Unreadable):
        torch_tensors(file)


def test_a_file_whose_tensors_cannot_be_listed_counts_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "old.nemo"
    with tarfile.open(file, "w:gz") as tar:
        entry = tarfile.TarInfo("model_weights.ckpt")
        entry.size = 8 * MIB
        tar.addfile(entry, BytesIO(os.urandom(8 * MIB)))
    shape, basis = _recognizer_shape(file)
    assert shape.weights == file.stat().st_size // 4
    assert basis == "the size of its file, taken for float32"
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "model.pth").write_bytes(bytes(4 * MIB))
    voice, basis = _synthesizer_shape(tmp_path / "voice")
    assert voice.weights == MIB
    assert basis == "the size of its file, taken for float32"


def test_files_that_are_here_count_themselves(tiny_xtts: Path) -> None:
    assert _recognizer_shape(TINY_NEMO)[1] == "its list of tensors"
    assert _synthesizer_shape(tiny_xtts)[1] == "its list of tensors"
