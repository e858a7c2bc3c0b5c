"""XTTS's weights, moved off the device and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from tests.engines.xtts_fixture import VOICES, tiny_xtts
from voicebot_local.engines.steps import Cancelled
from voicebot_local.providers.tts.xtts import XttsConfig, XttsEngine

__all__ = ["tiny_xtts"]

TEXT = "This is a sentence that is spoken before and after."


class CancelAt:
    """Steps that are counted by kind, and cancelled at number `number`."""

    def __init__(self, number: int = -1) -> None:
        self.number = number
        self.done: list[str] = []

    def __call__(self, kind: str) -> AbstractContextManager[None]:
        if len(self.done) == self.number:
            raise Cancelled
        self.done.append(kind)
        return nullcontext()


def said(engine: XttsEngine) -> np.ndarray:
    chunks: Iterator[np.ndarray] = (
        part.samples for part in engine.speak(iter([TEXT]), lambda _: nullcontext())
    )
    return np.concatenate(list(chunks))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def engine(request: pytest.FixtureRequest, tiny_xtts: Path) -> XttsEngine:
    config = XttsConfig(
        model=tiny_xtts, voice=VOICES[0], device=request.param, threads=1, seed=3, top_k=1
    )
    return XttsEngine(config)


def test_it_says_the_same_after_parking(engine: XttsEngine) -> None:
    before = said(engine)
    for _ in range(2):
        steps = CancelAt()
        engine.park(steps)
        assert all(one.device.type == "cpu" for one in engine.model.parameters())
        engine.unpark(steps)
        assert set(steps.done) == {"park", "unpark"}
        assert np.abs(said(engine) - before).max() <= 1e-6


def test_an_unparking_that_is_interrupted_leaves_it_parked(engine: XttsEngine) -> None:
    before = said(engine)
    engine.park(CancelAt())
    with pytest.raises(Cancelled):
        engine.unpark(CancelAt(2))
    engine.unpark(CancelAt())
    assert np.abs(said(engine) - before).max() <= 1e-6
