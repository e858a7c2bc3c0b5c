"""CUDA graphs on tensors of the processor, so that what is recorded on a GPU can be tested without.

`fake_cuda(monkeypatch)` puts them in the place of torch.cuda's. As the real ones they

- record operations, with their numbers and shapes, by the memory that these read and write; where
  a tensor's `data` is other memory later, the old is meant, and it is an error if that was freed;
- compute nothing while recording: fixed memory is as before afterwards, and what was made is NaN;
- keep what they made in memory of their own, valid until the next replay of a graph in the pool;
- refuse what would wait for the device, or copy from or to the machine's memory.

What they cannot show: a mix of devices (all tensors are the processor's; `.to(device)` is let by),
the order of streams, memory that the graph itself uses again, and kernels that cannot be recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NOT_IN_A_CAPTURE = {
    *("tensor", "as_tensor", "asarray", "from_numpy", "frombuffer"),  # copies to the device
    *("numpy", "__array__", "tolist", "cpu", "__repr__", "pin_memory"),
}
_WAIT = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_INDEXING = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default}
_recording: CUDAGraph | None = None


def refuse(what: str) -> None:
    raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({what})")


@dataclass(frozen=True)
class Outside:
    """A place in memory that is not the graph's."""

    storage: StorageWeakRef
    dtype: torch.dtype
    layout: tuple[Any, ...]

    def tensor(self) -> torch.Tensor:
        storage = torch.UntypedStorage._new_with_weak_ptr(self.storage.cdata)
        if storage is None:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return torch.empty(0, dtype=self.dtype).set_(storage, *self.layout)


def _cdata(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())


class _Calls(TorchFunctionMode):
    """Refuses what operations do not show: on a CPU it is no copy."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in NOT_IN_A_CAPTURE or (kwargs or {}).get("pin_memory"):
            refuse(name)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    def __init__(self, graph: CUDAGraph) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:
            made = func.decompose(*args, **kwargs)
        return self.graph._add(func, args, kwargs) if made is NotImplemented else made


class CUDAGraph:
    def __init__(self, keep_graph: bool = False) -> None:
        self.reset()

    def reset(self) -> None:
        self._operations: list[tuple[Any, Any, Any, list[Any]]] | None = None
        self._made: dict[int, torch.Tensor] = {}  # by storage
        self._scalars: set[int] = set()  # Python's numbers, as tensors of the machine's memory
        self._before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._generators = {torch.default_generator._cdata}
        self._pool: list[CUDAGraph] = []
        self._holds_results = True

    def register_generator_state(self, generator: torch.Generator) -> None:
        self._generators.add(generator._cdata)

    def pool(self) -> list[CUDAGraph]:
        return self._pool

    def replay(self) -> None:
        if _recording is not None or self._operations is None:
            refuse("replay")
        with torch.inference_mode():
            for other in self._pool:
                if other is not self:
                    other._overwrite()
            self._holds_results = True
            for func, args, kwargs, outputs in self._operations or ():
                args, kwargs = tree_map(_found, (args, kwargs))
                for kept, new in zip(outputs, tree_leaves(func(*args, **kwargs)), strict=True):
                    if kept is not None:
                        kept.copy_(new)

    def _add(self, func: Any, args: Any, kwargs: Any) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if func is torch.ops.aten.lift_fresh.default:
            if args[0].dim():
                refuse("a tensor of the machine's memory")
            self._scalars.add(_cdata(args[0]))
            self._made[_cdata(args[0])] = args[0]
            return args[0]
        scalars = [it for it in tensors if _cdata(it) in self._scalars]
        self._check(func, args, kwargs, bool(scalars))
        written = [
            args[place] if place < len(args) else kwargs.get(it.name)
            for place, it in enumerate(func._schema.arguments)
            if it.alias_info is not None and it.alias_info.is_write
        ]
        for tensor in tree_leaves(written):
            if _cdata(tensor) not in self._made:
                self._before.setdefault(_cdata(tensor), (_bytes(tensor), _bytes(tensor).clone()))
        known = {_cdata(tensor) for tensor in tensors}
        recorded = tree_map(self._place, (args, kwargs))
        result = func(*args, **kwargs)
        outputs: list[Any] = []
        for it in tree_leaves(result):
            new = isinstance(it, torch.Tensor) and _cdata(it) not in known
            outputs.append(it.detach() if new else None)
            if new:
                self._made[_cdata(it)] = outputs[-1]
        if written or any(it is not None for it in outputs):  # not a mere view
            assert self._operations is not None
            self._operations.append((func, *recorded, outputs))
        return result

    def _check(self, func: Any, args: Any, kwargs: Any, scalar: bool) -> None:
        masked = func in _INDEXING and any(
            it is not None and it.dtype in (torch.bool, torch.uint8) for it in args[1]
        )
        if func in _INDEXING:
            if masked and not (func is torch.ops.aten.index_put_.default and scalar):
                refuse("a mask as an index")
            if scalar and not masked:
                refuse("a number put at indices")
        elif _WAIT & set(func.tags) or "pin" in func.__name__:
            refuse(func.__name__)
        elif scalar and func is not torch.ops.aten.fill_.Tensor:
            refuse(f"a tensor of the machine's memory, to {func.__name__}")
        generator = kwargs.get("generator")
        if generator is not None and generator._cdata not in self._generators:
            refuse("a generator that is not registered")

    def _place(self, leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if _cdata(leaf) in self._made:
            return leaf.detach()
        layout = (leaf.storage_offset(), leaf.size(), leaf.stride())
        return Outside(StorageWeakRef(leaf.untyped_storage()), leaf.dtype, layout)

    def _end(self, *, whole: bool) -> None:
        for memory, before in self._before.values():
            memory.copy_(before)
        self._before = {}
        self._made = {key: it for key, it in self._made.items() if key not in self._scalars}
        self._overwrite()
        if not whole:
            self._operations = None

    def _overwrite(self) -> None:
        for tensor in self._made.values() if self._holds_results else ():
            if tensor.dtype == torch.bool:
                tensor.logical_not_()
            else:
                floating = tensor.is_floating_point() or tensor.is_complex()
                tensor.fill_(torch.nan if floating else torch.iinfo(tensor.dtype).max)
        self._holds_results = False


def _found(leaf: Any) -> Any:
    return leaf.tensor() if isinstance(leaf, Outside) else leaf


class Stream:
    current: Stream

    def wait_stream(self, stream: Stream) -> None:
        assert isinstance(stream, Stream)

    def synchronize(self) -> None:
        _synchronize()


Stream.current = Stream()


@contextmanager
def graph(
    cuda_graph: CUDAGraph,
    pool: list[CUDAGraph] | None = None,
    stream: Stream | None = None,
    capture_error_mode: str = "global",
) -> Iterator[None]:
    """As PyTorch's, a capture that fails leaves its stream the current one."""
    global _recording
    if _recording is not None or cuda_graph._operations is not None:
        refuse("another capture")
    assert capture_error_mode in ("global", "thread_local", "relaxed")
    cuda_graph._operations, _recording = [], cuda_graph
    cuda_graph._pool = [] if pool is None else pool
    before, Stream.current = Stream.current, stream or Stream()
    whole = False
    try:
        with _Calls(), _Operations(cuda_graph):
            yield
        whole = True
        Stream.current = before
    finally:
        _recording = None
        with torch.inference_mode():
            cuda_graph._end(whole=whole)
        cuda_graph._pool.append(cuda_graph)


@contextmanager
def _stream(stream: Stream) -> Iterator[None]:
    before, Stream.current = Stream.current, stream
    try:
        yield
    finally:
        Stream.current = before


def _synchronize(device: Any = None) -> None:
    if _recording is not None:
        refuse("synchronize")


def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, torch.cuda records on the processor. It stays unavailable by name."""
    for name, fake in {
        "CUDAGraph": CUDAGraph,
        "graph": graph,
        "graph_pool_handle": list,
        "is_current_stream_capturing": lambda: _recording is not None,
        "Stream": Stream,
        "current_stream": lambda _device=None: Stream.current,
        "stream": _stream,
        "synchronize": _synchronize,
        "empty_cache": lambda: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
