"""XTTS's step as CUDA graphs, recorded and replayed on the processor by `fake_cuda_graph`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.running import CountedSteps
from tests.engines.test_xtts import WORDS, engine_of, say
from tests.engines.xtts_fixture import endless_xtts
from voicebot_local.engines.steps import Cancelled
from voicebot_local.providers.tts.xtts import XttsEngine

__all__ = ["endless_xtts"]

PIECES = ("Yes.", WORDS * 2, "Hello there, how are you?", (WORDS * 4)[:249])
"""One that ends in each cache: of 192, 384 and all places; the last begins beyond 192."""


@pytest.fixture(autouse=True)
def _cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.engines.fake_cuda_graph import fake_cuda

    fake_cuda(monkeypatch)


@pytest.fixture(scope="module")
def engines(endless_xtts: Path) -> dict[str, XttsEngine]:
    drawn = {"top_k": 50, "seed": 7, "temperature": 1.0}
    return {"greedy": engine_of(endless_xtts), "drawn": engine_of(endless_xtts, **drawn)}


@pytest.fixture(params=["greedy", "drawn"])
def engine(request: pytest.FixtureRequest, engines: dict[str, XttsEngine]) -> Iterator[XttsEngine]:
    """Its steps are made one by one until `record`."""
    yield engines[request.param]
    loop(engines[request.param]).replay = None


def loop(engine: XttsEngine) -> Any:
    from voicebot_local.providers.tts.xtts_decode import OwnDecoder

    assert isinstance(engine._decoder, OwnDecoder)
    return engine._decoder.loop


def record(engine: XttsEngine) -> Any:
    assert loop(engine).replay is None
    assert engine._decoder.record(engine._piece("hello there."))  # type: ignore[union-attr]
    return loop(engine).replay


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return len(one) == len(other) and float(np.abs(one - other).max()) < 1e-5


def test_recorded_steps_say_the_same(engine: XttsEngine) -> None:
    wanted = say(engine, *PIECES)
    graphs = record(engine)
    used = []
    for size, graph in graphs._graphs.items():
        graph.replay = lambda size=size, replay=graph.replay: (used.append(size), replay())
    assert same(say(engine, *PIECES), wanted)
    assert set(used) == {192, 384, loop(engine).longest}
    assert used != sorted(used)


def test_so_they_do_after_a_cancelled_reply(engine: XttsEngine) -> None:
    wanted = say(engine, "Hello there.")
    record(engine)
    for allowed in (0, 1, 5, 14):
        with pytest.raises(Cancelled):
            for _ in engine.speak(iter([WORDS * 2]), CountedSteps(allowed)):
                pass
        assert same(say(engine, "Hello there."), wanted)


def test_so_they_do_in_another_thread(engine: XttsEngine) -> None:
    wanted = say(engine, "Hello there.")
    record(engine)
    said: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: said.append(say(engine, "Hello there.")))
    thread.start()
    thread.join()
    assert same(said[0], wanted)


def test_the_weights_may_come_back_to_another_place(engine: XttsEngine) -> None:
    wanted = say(engine, PIECES[1])
    graphs = record(engine)
    for _ in range(2):
        engine.park(lambda _: nullcontext())
        assert not graphs._graphs
        engine.unpark(lambda _: nullcontext())
        assert same(say(engine, PIECES[1]), wanted)
        assert set(graphs._graphs) == {192, 384}
        assert loop(engine).replay is graphs


def test_seeds_count(endless_xtts: Path, engines: dict[str, XttsEngine]) -> None:
    engine = engines["drawn"]
    record(engine)
    piece = engine._piece("hello.", 20)

    def spoken(seed: int) -> np.ndarray:
        engine._decoder.seed(seed)
        return np.concatenate(list(engine._decoder.speak(piece, CountedSteps())))

    assert same(spoken(1), spoken(1))
    assert not same(spoken(1), spoken(2))
    loop(engine).replay = None


def test_a_recording_that_fails_later_is_done_without(
    engine: XttsEngine, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    wanted = say(engine, "Hello there.")
    graphs = record(engine)
    graphs.forget()
    stream = torch.cuda.current_stream()

    def wait(*_: Any) -> None:
        if torch.cuda.is_current_stream_capturing():
            torch.cuda.synchronize()

    with loop(engine)._blocks[0].mlp.c_fc.register_forward_hook(wait):
        assert same(say(engine, "Hello there."), wanted)
    assert "one by one" in caplog.text
    assert loop(engine).replay is None
    assert torch.cuda.current_stream() is stream
