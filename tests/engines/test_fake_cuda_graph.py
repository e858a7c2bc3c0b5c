"""The stand-in for CUDA graphs: replays in fixed memory, and refuses what a GPU refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.engines.fake_cuda_graph import fake_cuda

NOISE = torch.Generator().manual_seed(1)


@pytest.fixture(autouse=True)
def _cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda(monkeypatch)


def capture(function: Callable[[], Any], pool: Any = None, graph: Any = None) -> tuple[Any, Any]:
    graph = graph or torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        made = function()
    return graph, made


@pytest.mark.parametrize("inference", [True, False])
def test_a_replay_computes_from_what_lies_in_the_same_memory_now(inference: bool) -> None:
    with torch.inference_mode(inference), torch.no_grad():
        x, weight, total = torch.ones(2, 3), torch.eye(3), torch.zeros(2)
        kept, cache = torch.zeros(2, 3), torch.zeros(4, 3)
        place = torch.zeros(1, dtype=torch.long)

        def step() -> tuple[Any, ...]:
            y = torch.nn.functional.linear(x, weight, None)
            kept[:, 1:].copy_(y[:, :2])
            kept[:, 0] = 7.0
            kept[y > 8] = 8.0
            cache.index_copy_(0, place, y[:1])
            torch.add(total, y.sum(-1), out=total)
            place.add_(1)
            values, numbers = y.topk(2)
            return y.view(3, 2).t(), values, numbers, cache[:2].sum()

        graph, made = capture(step)
        assert not any(it.any() for it in (total, kept, cache, place))
        assert torch.stack([made[0].mean(), made[1].mean(), made[3]]).isnan().all()
        assert (made[2] > 1000).all()
        weight *= 2
        x.copy_(torch.arange(6.0).view(2, 3) + 1)
        for count in (1, 2):
            graph.replay()
            wanted = 2 * x
            assert torch.equal(made[0], wanted.view(3, 2).t())
            assert torch.equal(made[1], wanted[:, [2, 1]])
            assert torch.equal(made[2], torch.tensor([[2, 1], [2, 1]]))
            assert made[3] == count * wanted[0].sum()
            assert torch.equal(kept, torch.tensor([[7.0, 2, 4], [7, 8, 8]]))
            assert torch.equal(total, count * wanted.sum(-1))
            assert place == count


def test_numbers_of_python_are_those_of_the_capture() -> None:
    x, number = torch.ones(2), 3.0
    graph, made = capture(lambda: x * number)
    number = 5.0
    graph.replay()
    assert (made == 3).all()


def test_results_last_until_the_next_replay_in_the_pool() -> None:
    x, pool = torch.ones(2), torch.cuda.graph_pool_handle()
    (one, first), (other, second) = (
        capture(lambda: x + 1, pool),
        capture(lambda: x + 2, pool),
    )
    one.replay()
    assert (first == 2).all()
    other.replay()
    assert (second == 3).all()
    assert first.isnan().all()


def test_memory_that_was_exchanged_is_not_found_again() -> None:
    layer = torch.nn.Linear(2, 2).requires_grad_(False)
    x = torch.ones(1, 2)
    graph, made = capture(lambda: layer(x))
    old = layer.weight.data
    layer.weight.data = torch.zeros(2, 2)
    graph.replay()
    assert torch.equal(made, torch.nn.functional.linear(x, old, layer.bias))
    del old
    with pytest.raises(RuntimeError, match="illegal memory access"):
        graph.replay()


def test_random_numbers_go_on_with_each_replay() -> None:
    x, own = torch.zeros(4), torch.Generator().manual_seed(5)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(own)
    with torch.cuda.graph(graph):
        x.exponential_(generator=own)
    assert (x == 0).all()
    own.manual_seed(5)
    wanted = torch.empty(2, 4).exponential_(generator=torch.Generator().manual_seed(5))
    for row in wanted:
        graph.replay()
        assert torch.equal(x, row)


X, MASK, PLACES = torch.arange(4.0), torch.tensor([True, False, True, False]), torch.tensor([0, 2])
REFUSED: dict[str, Callable[[], Any]] = {
    "item": lambda: X[0].item(),
    "int": lambda: int(X[0]),
    "bool": lambda: bool(MASK[0]),
    "tolist": X.tolist,
    "numpy": X.numpy,
    "array": lambda: np.asarray(X),
    "cpu": X.cpu,
    "equal": lambda: torch.equal(X, X),
    "nonzero": MASK.nonzero,
    "masked_select": lambda: X.masked_select(MASK),
    "mask": lambda: X[MASK],
    "mask, put a tensor": lambda: X.__setitem__(MASK, X[0]),
    "unique": lambda: X.unique(),
    "lengths": lambda: X.repeat_interleave(PLACES.repeat(2)),
    "list": lambda: torch.tensor([1, 2]),
    "as tensor": lambda: torch.as_tensor([1.0]),
    "array of numpy": lambda: torch.from_numpy(np.zeros(2)),
    "list as index": lambda: X[[0, 2]],
    "list to put at": lambda: X.__setitem__([0, 2], 1.0),
    "number put at": lambda: X.__setitem__(PLACES, 1.0),
    "number to a place": lambda: X.__setitem__(0, 1.0),
    "random": lambda: X.exponential_(generator=NOISE),
    "pinned": lambda: torch.empty(2, pin_memory=True),
    "pin": X.pin_memory,
    "wait": lambda: torch.cuda.synchronize(),
    "wait for a stream": lambda: torch.cuda.current_stream().synchronize(),
    "capture": lambda: capture(lambda: None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_recorded_is_refused(name: str) -> None:
    graph, before = torch.cuda.CUDAGraph(), X.clone()

    def step() -> None:
        X.add_(1)
        REFUSED[name]()

    with torch.inference_mode(), pytest.raises(RuntimeError, match="when stream is capturing"):
        capture(step, graph=graph)
    assert torch.equal(X, before)
    assert not torch.cuda.is_current_stream_capturing()
    with pytest.raises(RuntimeError, match="replay"):
        graph.replay()
