"""Reads the header of a GGUF file, and trusts nothing in it.

llama.cpp aborts its process on some damaged files, so a file is checked here first. Only the header
is read: metadata and the list of tensors, a few megabytes of a file of many gigabytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from voicebot_local.errors import ModelError

Scalar = int | float | bool | str

_CHUNK = 1 << 20
_LONGEST_HEADER = 256 << 20
_LONGEST_KEY = 65_535
_LONGEST_STRING = 16 << 20
_MOST_DIMENSIONS = 4
_KEPT_ARRAY = 4096
"""Arrays of at most this many numbers are kept; of longer ones only the length is known."""

_SCALARS = {
    0: struct.Struct("<B"), 1: struct.Struct("<b"), 2: struct.Struct("<H"), 3: struct.Struct("<h"),
    4: struct.Struct("<I"), 5: struct.Struct("<i"), 6: struct.Struct("<f"), 7: struct.Struct("<?"),
    10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d"),
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_TOKENS = "tokenizer.ggml.tokens"
_U32, _U64 = _SCALARS[4], _SCALARS[10]

# Type number: name, elements in a block, bytes of a block.
_TENSOR_TYPES = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34),
    10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110), 12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176),
    14: ("q6_k", 256, 210), 16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136), 24: ("i8", 1, 1), 25: ("i16", 1, 2), 26: ("i32", 1, 4),
    27: ("i64", 1, 8), 28: ("f64", 1, 8), 29: ("iq1_m", 256, 56), 30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17), 40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the file. `shape` begins with the length of a row; `size` is in bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself, checked against its size."""

    file_size: int
    values: dict[str, Scalar]
    arrays: dict[str, tuple[Scalar, ...]]
    """Arrays of numbers that are short enough to keep, such as one number for each layer."""
    array_lengths: dict[str, int]
    tensors: dict[str, Tensor]

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def name(self) -> str:
        return str(self.values.get("general.name", ""))

    @property
    def block_count(self) -> int:
        return self._number("block_count")

    @property
    def embedding_length(self) -> int:
        return self._number("embedding_length")

    @property
    def context_length(self) -> int:
        """The longest conversation that it was trained for, in tokens; 0 where it is not said."""
        return self._number("context_length")

    @property
    def head_count(self) -> int:
        """Attention heads; of the first layer that has any, where layers differ."""
        return max(self.per_layer("attention.head_count"), default=0)

    @property
    def head_count_kv(self) -> tuple[int, ...]:
        """Heads whose keys and values are cached, for each layer."""
        key = "attention.head_count_kv"
        return self.per_layer(key) or self.per_layer("attention.head_count")

    @property
    def key_length(self) -> int:
        """Length of a key vector of one head."""
        said = self._number("attention.key_length")
        return said or self.embedding_length // max(1, self.head_count)

    @property
    def value_length(self) -> int:
        said = self._number("attention.value_length")
        return said or self.embedding_length // max(1, self.head_count)

    @property
    def vocab_size(self) -> int:
        return self.array_lengths.get("tokenizer.ggml.tokens", 0) or self._number("vocab_size")

    @property
    def chat_template(self) -> str:
        """The jinja template of a conversation; "" where the file has none."""
        return str(self.values.get("tokenizer.chat_template", ""))

    def per_layer(self, key: str) -> tuple[int, ...]:
        """The number `key` of the architecture for each layer; empty where it is not said."""
        full = f"{self.architecture}.{key}"
        if full in self.arrays:
            return tuple(int(value) for value in self.arrays[full])
        number = self._number(key)
        return (number,) * min(self.block_count, _KEPT_ARRAY) if number else ()

    def _number(self, key: str) -> int:
        value = self.values.get(f"{self.architecture}.{key}", 0)
        return value if isinstance(value, int) else 0


class _Damaged(Exception):
    """The file does not hold what its header promises; the text completes "is damaged: "."""


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of the GGUF file `path`.

    Every length is checked against the file's size before it is used, so that a damaged file costs
    neither memory nor time. Raises ModelError with what is wrong and how to mend it.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(_Reader(file, size))
    except FileNotFoundError:
        raise ModelError(
            f"The chat model {path} does not exist.",
            "Get it with `voicebot-local models download`, or correct `model`.",
        ) from None
    except OSError as error:
        raise ModelError(
            f"The chat model {path} cannot be read: {error.strerror or error}.",
            "Give a GGUF file that this user may read.",
        ) from error
    except _Damaged as error:
        raise ModelError(
            f"The chat model {path} is damaged or no GGUF chat model: {error}.",
            "Delete the file and download it again; compare its size and checksum.",
        ) from None


class _Reader:
    """Takes values off the front of a file, never past its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        self._file = file
        self._buffer = b""
        self._at = 0
        self._dropped = 0

    @property
    def position(self) -> int:
        return self._dropped + self._at

    @property
    def remaining(self) -> int:
        return self.size - self.position

    def take(self, count: int) -> bytes:
        self._need(count)
        start = self._at
        self._at += count
        return self._buffer[start : self._at]

    def number(self, kind: struct.Struct) -> int:
        return int(kind.unpack(self.take(kind.size))[0])

    def string(self, longest: int) -> str:
        length = self.number(_U64)
        if length > longest:
            raise _Damaged(f"a text of {length} bytes in its header")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise _Damaged("a text in its header is not UTF-8") from None

    def skip(self, count: int) -> None:
        while count:
            step = min(count, _CHUNK)
            self.take(step)
            count -= step

    def strings(self, count: int) -> Iterator[bytes]:
        """The next `count` strings, as they are. A vocabulary has hundreds of thousands of them."""
        unpack = _U64.unpack_from
        for _ in range(count):
            at = self._at + 8
            if at > len(self._buffer):
                self._need(8)
                at = self._at + 8
            (length,) = unpack(self._buffer, self._at)
            if at + length > len(self._buffer):
                self._need(8 + length)
                at = self._at + 8
            self._at = at + length
            yield self._buffer[at : self._at]

    def _need(self, count: int) -> None:
        missing = self._at + count - len(self._buffer)
        if missing <= 0:
            return
        if count > self.remaining:
            raise _Damaged(f"it ends after {self.size} bytes, in the middle of its header")
        if self.position + count > _LONGEST_HEADER:
            raise _Damaged(f"its header is longer than {_LONGEST_HEADER} bytes")
        rest = self._buffer[self._at :]
        self._dropped += self._at
        self._at = 0
        self._buffer = rest + self._file.read(max(missing, _CHUNK))
        if len(self._buffer) < count:
            raise _Damaged(f"it ends after {self.position + len(self._buffer)} bytes")


def _read(reader: _Reader) -> GgufHeader:
    if reader.size == 0:
        raise _Damaged("it is empty")
    magic = reader.take(4)
    if magic != b"GGUF":
        raise _Damaged(f"it begins with {magic!r}, not with b'GGUF'")
    version = reader.number(_U32)
    if version not in (2, 3):
        big_endian = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
        what = "it is for big-endian machines" if big_endian else f"GGUF version {version}"
        raise _Damaged(f"{what}, where version 2 or 3 is expected")
    tensor_count, value_count = reader.number(_U64), reader.number(_U64)
    if tensor_count * 24 + value_count * 13 > reader.remaining:
        raise _Damaged(
            f"it promises {tensor_count} tensors and {value_count} values, more than it can hold"
        )
    header = GgufHeader(reader.size, {}, {}, {}, {})
    for _ in range(value_count):
        _read_value(reader, header)
    alignment = header.values.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment % 8:
        raise _Damaged(f"its tensors are aligned to {alignment!r} bytes")
    ends = [_read_tensor(reader, header, alignment) for _ in range(tensor_count)]
    start = -(-reader.position // alignment) * alignment
    if ends and start + max(ends) > reader.size:
        raise _Damaged(f"it has {reader.size} bytes where its tensors need {start + max(ends)}")
    _check_model(header)
    return header


def _read_value(reader: _Reader, header: GgufHeader) -> None:
    key = reader.string(_LONGEST_KEY)
    kind = reader.number(_U32)
    if key in header.values or key in header.array_lengths:
        raise _Damaged(f"it says {key!r} twice")
    if kind == _ARRAY:
        _read_array(reader, header, key)
    else:
        header.values[key] = _scalar(reader, kind, key)


def _scalar(reader: _Reader, kind: int, key: str) -> Scalar:
    if kind == _STRING:
        return reader.string(_LONGEST_STRING)
    layout = _SCALARS.get(kind)
    if layout is None:
        raise _Damaged(f"the value {key!r} is of the unknown type {kind}")
    value: Scalar = layout.unpack(reader.take(layout.size))[0]
    return value


def _read_array(reader: _Reader, header: GgufHeader, key: str) -> None:
    kind, length = reader.number(_U32), reader.number(_U64)
    layout = _SCALARS.get(kind)
    if layout is None and kind != _STRING:
        raise _Damaged(f"the array {key!r} is of the unknown type {kind}")
    if length * (layout.size if layout else 8) > reader.remaining:
        raise _Damaged(f"the array {key!r} promises {length} elements, more than it can hold")
    header.array_lengths[key] = length
    if key == _TOKENS and layout is None:
        _check_tokens(reader.strings(length))
    elif layout is None:
        for _ in reader.strings(length):
            pass
    elif length <= _KEPT_ARRAY:
        data = reader.take(length * layout.size)
        header.arrays[key] = tuple(value for (value,) in layout.iter_unpack(data))
    else:
        reader.skip(length * layout.size)


def _check_tokens(tokens: Iterator[bytes]) -> None:
    """llama.cpp aborts where two tokens are the same up to a NUL, unless nothing is before it."""
    seen: set[bytes] = set()
    for token in tokens:
        text = token.partition(b"\0")[0]
        if text in seen:
            raise _Damaged(f"it has the token {text[:80].decode(errors='replace')!r} twice")
        if text:
            seen.add(text)


def _read_tensor(reader: _Reader, header: GgufHeader, alignment: int) -> int:
    """Read one entry of the list of tensors; where the tensor ends, counted in the data."""
    name = reader.string(_LONGEST_KEY)
    if name in header.tensors:
        raise _Damaged(f"it has the tensor {name!r} twice")
    dimensions = reader.number(_U32)
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _Damaged(f"the tensor {name!r} has {dimensions} dimensions")
    shape = tuple(reader.number(_U64) for _ in range(dimensions))
    type_number, offset = reader.number(_U32), reader.number(_U64)
    if type_number not in _TENSOR_TYPES:
        raise _Damaged(f"the tensor {name!r} is of the unknown type {type_number}")
    type_name, block, block_size = _TENSOR_TYPES[type_number]
    if min(shape) < 1 or shape[0] % block:
        raise _Damaged(f"the tensor {name!r} of type {type_name} has the shape {shape}")
    if offset % alignment:
        raise _Damaged(f"the tensor {name!r} begins at {offset}, which is not aligned")
    size = math.prod(shape) // block * block_size
    if offset + size > reader.size:
        raise _Damaged(
            f"the tensor {name!r} needs the bytes up to {offset + size} "
            f"of a file that has {reader.size}"
        )
    header.tensors[name] = Tensor(name, shape, type_name, size)
    return offset + size


def _check_model(header: GgufHeader) -> None:
    """What llama.cpp takes for granted and would abort on, or divide by."""
    if not header.architecture:
        raise _Damaged("it does not say its architecture")
    # Of a model in several files, the first may hold few tensors or none.
    split = header.values.get("split.count", 0) != 0
    if not header.tensors and not split:
        raise _Damaged("it holds no tensors")
    for key, number in (
        ("block_count", header.block_count),
        ("embedding_length", header.embedding_length),
    ):
        if not 0 < number < 1 << 31:
            raise _Damaged(f"its {key} is {number}")
    if header.block_count > len(header.tensors) and not split:
        raise _Damaged(f"it has {len(header.tensors)} tensors for {header.block_count} blocks")
    heads_kv = header.head_count_kv
    if any(kv < 0 or (kv and header.head_count % kv) for kv in heads_kv):
        raise _Damaged(f"{header.head_count} heads cannot share {max(heads_kv)} keys and values")
    tokens = header.array_lengths.get(_TOKENS, 0)
    if not tokens:
        raise _Damaged("it has no vocabulary")
    for key in ("scores", "token_type"):
        length = header.array_lengths.get(f"tokenizer.ggml.{key}", tokens)
        if length != tokens:
            raise _Damaged(f"it has {tokens} tokens and {length} entries of {key}")
