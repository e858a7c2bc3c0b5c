"""Names and sizes of the tensors in a PyTorch checkpoint, without torch and without reading them.

A checkpoint is a zip whose `data.pkl` says what the tensors are. It is unpickled with nothing but
inert stand-ins, so whatever a file names, nothing of it runs.
"""

from __future__ import annotations

import math
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_MOST_PICKLE = 64 << 20
_NEMO_WEIGHTS = "model_weights.ckpt"
_BYTES = {
    "DoubleStorage": 8,
    "LongStorage": 8,
    "FloatStorage": 4,
    "IntStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "ShortStorage": 2,
    "ByteStorage": 1,
    "CharStorage": 1,
    "BoolStorage": 1,
}
_FLOATS = ("DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage")


class Unreadable(Exception):
    """The file is of a form whose tensors cannot be listed; its size has to do."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor of a checkpoint. `floating`: its numbers change size with the precision."""

    shape: tuple[int, ...]
    bytes_each: int
    floating: bool

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def nemo_tensors(path: Path) -> dict[str, TensorEntry]:
    """The tensors of a `.nemo` file, which is a tar. Raises Unreadable, also for a packed one."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.name.removeprefix("./") == _NEMO_WEIGHTS:
                    file = tar.extractfile(member)
                    if file is not None:
                        return _tensors(file)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Unreadable(str(error)) from error
    raise Unreadable(f"no {_NEMO_WEIGHTS}")


def torch_tensors(path: Path) -> dict[str, TensorEntry]:
    """The tensors that `torch.save` wrote to `path`. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            return _tensors(file)
    except OSError as error:
        raise Unreadable(str(error)) from error


def torch_names(path: Path) -> list[str]:
    """The names on top of what `torch.save` wrote to `path`. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            content = _content(file)
    except OSError as error:
        raise Unreadable(str(error)) from error
    if not isinstance(content, dict):
        raise Unreadable("it holds no names")
    return [str(name) for name in content]


def _tensors(file: IO[bytes]) -> dict[str, TensorEntry]:
    found: dict[str, TensorEntry] = {}
    _collect(_content(file), found)
    return found


def _content(file: IO[bytes]) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            (member,) = (
                one for one in archive.infolist() if one.filename.rpartition("/")[2] == "data.pkl"
            )
            if member.file_size > _MOST_PICKLE:
                raise Unreadable(f"its list of tensors has {member.file_size} bytes")
            with archive.open(member) as content:
                return _Unpickler(content).load()
    except Unreadable:
        raise
    except Exception as error:  # A damaged pickle raises whatever its bytes happen to mean.
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _collect(value: Any, found: dict[str, TensorEntry], depth: int = 0) -> None:
    """The named tensors of a state dict, or of the dict that holds it as "model" or the like."""
    if not isinstance(value, dict) or depth > 2:
        return
    for name, inner in value.items():
        if isinstance(inner, TensorEntry):
            found[str(name)] = inner
        else:
            _collect(inner, found, depth + 1)


class _Stand:
    """Stands for whatever a checkpoint names; takes anything and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _Stand:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: str


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch" and name in _BYTES:
            return _Storage(name)
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        return _Stand

    def persistent_load(self, pid: Any) -> Any:
        kind = pid[1] if isinstance(pid, tuple) and len(pid) > 1 else None
        return kind if isinstance(kind, _Storage) else _Storage("FloatStorage")


def _tensor(storage: Any, _: Any, shape: Any, *__: Any) -> TensorEntry:
    kind = storage.kind if isinstance(storage, _Storage) else "FloatStorage"
    return TensorEntry(tuple(int(one) for one in shape), _BYTES[kind], kind in _FLOATS)


def _parameter(data: Any, *_: Any) -> Any:
    return data
