"""The estimate of a chat model's memory, held to what llama.cpp itself says that it allocates."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.make_fixtures.chat.gguf_file import Shape
from scripts.make_fixtures.full_size_gguf import SHAPES, write_full_size
from scripts.make_fixtures.tiny_gguf import write_tiny_gguf
from voicebot_local.gpu.dry_run import dry_run
from voicebot_local.gpu.estimate_llm import (
    CONTEXT_BYTES,
    SCRATCH_BYTES,
    LlmSettings,
    LlmShape,
    compute_bytes,
    estimate_llm,
    host_need,
    llm_shape,
)
from voicebot_local.gpu.need import KIB, MIB
from voicebot_local.gpu.shapes import known_chat
from voicebot_local.providers.llm.gguf_header import read_header

FILES = {
    "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf": "llama-3.1-8b",
    "Llama-3.2-3B-Instruct-Q4_K_M.gguf": "llama-3.2-3b",
    "Qwen3-4B-Instruct-2507-Q4_K_M.gguf": "qwen3-4b",
}
PUBLISHED = {  # bytes of the file, as its repository lists it
    "llama-3.1-8b": 4_920_739_232,
    "llama-3.2-3b": 2_019_377_696,
    "llama-3.2-1b": 807_694_464,
}
SETTINGS = (
    LlmSettings(8192),
    LlmSettings(1000, batch_tokens=64),
    LlmSettings(32768, "q8_0"),
    LlmSettings(4096, batch_tokens=512),
    LlmSettings(4096, flash_attention=False),
    LlmSettings(2048, batch_tokens=1),
)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Headers of published models, over files with no data in them."""
    folder = tmp_path_factory.mktemp("full_size")
    for name, shape in SHAPES.items():
        write_full_size(folder / name, shape)
    return {name: folder / name for name in SHAPES}


def shape_of(path: Path) -> LlmShape:
    return llm_shape([read_header(path)], path.name)


def compare(path: Path, settings: LlmSettings, compute_within: float) -> None:
    buffers = dry_run(path, settings)
    assert buffers is not None, "llama.cpp's dry run has changed"
    need = host_need(shape_of(path), settings)
    model = sum(one.model for one in buffers)
    cache = sum(one.context for one in buffers)
    compute = sum(one.compute for one in buffers)
    assert need.weights == pytest.approx(model, rel=0.01)
    assert need.kv == pytest.approx(cache, rel=0.01)
    assert 0.98 * compute <= need.compute <= (1 + compute_within) * compute
    assert need.total == pytest.approx(model + cache + compute, rel=0.05)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_full_size(full_size: dict[str, Path], name: str, settings: LlmSettings) -> None:
    # Rotating a quantized cache lets llama.cpp reuse one more activation, which is not modelled.
    compare(full_size[name], settings, 0.08 if settings.kv_type == "q8_0" else 0.02)


@pytest.mark.parametrize("ftype", ["f16", "q8_0"])
@pytest.mark.parametrize(
    "shape", [Shape(), Shape(dim=512, layers=3, heads=8, kv_heads=8, ffn=1024)], ids=str
)
def test_tiny(tmp_path: Path, shape: Shape, ftype: str) -> None:
    write_tiny_gguf(tmp_path / "model.gguf", shape, ftype=ftype)
    for settings in (LlmSettings(1024), LlmSettings(2048, "q8_0", batch_tokens=32)):
        # Where the feed-forward blocks are as narrow as in no published model, it needs less.
        compare(tmp_path / "model.gguf", settings, 0.15)


def test_what_is_really_loaded_is_what_the_dry_run_says(tmp_path: Path) -> None:
    """The dry run itself, held to a load that takes its memory."""
    write_tiny_gguf(tmp_path / "model.gguf", Shape(), ftype="f16")
    # In a process of its own: the voice detector's ggml and llama.cpp's do not share one.
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu.really_load", tmp_path / "model.gguf"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    need = host_need(shape_of(tmp_path / "model.gguf"), LlmSettings(1024))
    assert _logged(said, "model buffer size") == pytest.approx(need.weights / MIB, rel=0.05)
    assert _logged(said, "KV buffer size") == pytest.approx(need.kv / MIB, rel=0.05)
    assert _logged(said, "compute buffer size") == pytest.approx(need.compute / MIB, rel=0.05)


def _logged(lines: list[str], what: str) -> float:
    """The sum of the "... size = 12.34 MiB" lines of llama.cpp's log."""
    found = re.findall(rf"{what} += +([\d.]+) MiB", "\n".join(lines))
    assert found, lines
    return sum(map(float, found))


@pytest.mark.parametrize(("file", "name"), FILES.items())
def test_the_known_shapes_are_those_of_the_headers(
    full_size: dict[str, Path], file: str, name: str
) -> None:
    known, header = known_chat()[file], shape_of(full_size[name])
    for settings in SETTINGS:
        assert estimate_llm(known, settings) == estimate_llm(header, settings)
        assert host_need(known, settings) == host_need(header, settings)
    assert known.embedding_bytes == header.embedding_bytes
    assert known.context == header.context


@pytest.mark.parametrize(("name", "size"), PUBLISHED.items())
def test_sizes_of_published_files(full_size: dict[str, Path], name: str, size: int) -> None:
    """They hold 3.8 MB more of vocabulary than ours, whose tokens have no words."""
    assert full_size[name].stat().st_size == pytest.approx(size, rel=0.005)
    shape = shape_of(full_size[name])
    host = 0 if shape.tied else shape.embedding_bytes
    assert shape.device_bytes + host == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize(
    ("name", "f16", "q8_0"),
    [
        ("llama-3.1-8b", 128, 68),
        ("llama-3.2-3b", 112, 59.5),
        ("llama-3.2-1b", 32, 17),
        ("qwen3-4b", 144, 76.5),
    ],
)
def test_cache_per_token(full_size: dict[str, Path], name: str, f16: float, q8_0: float) -> None:
    shape = shape_of(full_size[name])
    assert shape.kv_bytes_per_token("f16") == f16 * KIB
    assert shape.kv_bytes_per_token("q8_0") == q8_0 * KIB


def test_layers_on_the_device_add_up(full_size: dict[str, Path]) -> None:
    """The output goes first, then the layers from the last one down, each with its cache."""
    shape = shape_of(full_size["llama-3.1-8b"])
    settings = LlmSettings(8192)
    everything = estimate_llm(shape, settings)
    assert everything.weights == shape.device_bytes
    assert estimate_llm(shape, replace(settings, gpu_layers=99)) == everything
    assert estimate_llm(shape, replace(settings, gpu_layers=33)) == everything
    assert estimate_llm(shape, replace(settings, gpu_layers=0)).total == 0
    one = estimate_llm(shape, replace(settings, gpu_layers=1))
    assert (one.weights, one.kv) == (shape.output_bytes, 0)
    half = estimate_llm(shape, replace(settings, gpu_layers=17))
    assert half.weights == shape.output_bytes + sum(shape.layer_bytes[16:])
    assert half.kv == everything.kv // 2


def test_what_cuda_adds(full_size: dict[str, Path]) -> None:
    shape, settings = shape_of(full_size["llama-3.2-3b"]), LlmSettings(4096)
    need = estimate_llm(shape, settings)
    assert need.context == CONTEXT_BYTES
    assert need.compute == compute_bytes(shape, settings) + SCRATCH_BYTES
    quantized = estimate_llm(shape, replace(settings, kv_type="q8_0"))
    # Keys and values of one layer, 4,096 tokens by 8 heads by 128, in f16.
    assert quantized.compute == need.compute + 2 * 4096 * 8 * 128 * 2


def test_a_file_that_llama_cpp_cannot_read_has_no_dry_run(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(100))
    assert dry_run(tmp_path / "no.gguf", LlmSettings()) is None
