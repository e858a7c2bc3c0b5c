"""The GGUF reader: what it reads of a good file, and that a bad one costs a sentence only."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.make_fixtures.chat.gguf_file import Shape
from scripts.make_fixtures.tiny_gguf import write_tiny_gguf
from voicebot_local.errors import ModelError
from voicebot_local.providers.llm import gguf_header
from voicebot_local.providers.llm.gguf_header import read_header

SHAPE = Shape(dim=32, layers=2, heads=4, kv_heads=2, ffn=64, context=512)


@cache
def folder() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="gguf-"))


@cache
def good_bytes() -> bytes:
    path = folder() / "good.gguf"
    write_tiny_gguf(path, SHAPE, ftype="q8_0", vocab=300)
    return path.read_bytes()


def read(data: bytes) -> gguf_header.GgufHeader:
    path = folder() / "changed.gguf"
    path.write_bytes(data)
    return read_header(path)


def test_reads_what_the_file_says_of_itself() -> None:
    header = read(good_bytes())
    assert header.architecture == "llama"
    assert header.block_count == 2
    assert header.embedding_length == 32
    assert header.head_count == 4
    assert header.head_count_kv == (2, 2)
    assert (header.key_length, header.value_length) == (8, 8)
    assert header.context_length == 512
    assert header.vocab_size == 300
    assert "start_header_id" in header.chat_template
    assert header.file_size == len(good_bytes())


def test_reads_the_tensors_and_their_sizes() -> None:
    tensors = read(good_bytes()).tensors
    assert tensors["blk.1.ffn_up.weight"].shape == (32, 64)
    assert tensors["blk.1.ffn_up.weight"].type == "q8_0"
    assert tensors["blk.1.ffn_up.weight"].size == 32 * 64 // 32 * 34
    assert tensors["output_norm.weight"].size == 32 * 4
    assert sum(tensor.size for tensor in tensors.values()) < len(good_bytes())


def test_knows_the_tensor_types_of_the_format() -> None:
    import gguf

    for number, (name, block, size) in gguf_header._TENSOR_TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert kind.name.lower() == name
        assert gguf.GGML_QUANT_SIZES[kind] == (block, size)


def patched(at: int, layout: str, value: int) -> bytes:
    data = bytearray(good_bytes())
    struct.pack_into(layout, data, at, value)
    return bytes(data)


def renamed(old: bytes, new: bytes) -> bytes:
    assert old in good_bytes()
    return good_bytes().replace(old, new, 1)


def number_after(key: bytes, value: int) -> bytes:
    """The file with the four-byte number of the value `key` changed."""
    return patched(good_bytes().index(key) + len(key) + 4, "<I", value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"", "it is empty"),
        (lambda: b"RIFF" + good_bytes()[4:], "begins with b'RIFF'"),
        (lambda: patched(4, "<I", 1), "GGUF version 1"),
        (lambda: patched(4, ">I", 3), "big-endian"),
        (lambda: patched(8, "<Q", 2**60), "more than it can hold"),
        (lambda: patched(16, "<Q", 2**60), "more than it can hold"),
        (lambda: patched(24, "<Q", 2**62), "a text of"),
        (lambda: good_bytes()[:-100], "where its tensors need|of a file that has"),
        (lambda: renamed(b".embedding_length", b".embedding_xength"), "embedding_length is 0"),
        (lambda: renamed(b"general.architecture", b"general.architectura"), "its architecture"),
        (lambda: renamed(b"tokenizer.ggml.tokens", b"tokenizer.ggml.xokens"), "no vocabulary"),
        (lambda: renamed(b"blk.1.ffn_up", b"blk.0.ffn_up"), "'blk.0.ffn_up.weight' twice"),
        (lambda: renamed(b"<|end_of_text|>", b"<|eot_id|>\0text"), "'<|eot_id|>' twice"),
        (lambda: number_after(b"llama.attention.head_count_kv", 3), "cannot share"),
        (lambda: number_after(b"llama.block_count", 0), "block_count is 0"),
        (lambda: number_after(b"llama.block_count", 999_999), "999999 blocks"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        read(make())
    assert caught.value.mend


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"x\.gguf does not exist"):
        read_header(tmp_path / "x.gguf")
    with pytest.raises(ModelError, match="cannot be read"):
        read_header(tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6))
def test_any_truncation_is_refused(kept: int) -> None:
    with pytest.raises(ModelError):
        read(good_bytes()[: kept % len(good_bytes())])


HEADER_BYTES = 20_000
FLIPS = st.lists(
    st.tuples(st.integers(0, HEADER_BYTES), st.integers(0, 255)), min_size=1, max_size=8
)


@settings(max_examples=500, deadline=None)
@given(FLIPS)
def test_any_flipped_bytes_are_read_or_refused(flips: list[tuple[int, int]]) -> None:
    data = bytearray(good_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    tracemalloc.start()
    try:
        header = read(bytes(data))
        assert all(0 < tensor.size <= len(data) for tensor in header.tensors.values())
    except ModelError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 16 * len(data) + (8 << 20)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic_are_refused(rest: bytes) -> None:
    with pytest.raises(ModelError):
        read(b"GGUF\x03\x00\x00\x00" + rest)
