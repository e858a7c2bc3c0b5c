"""`devices --test`: what comes back, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session.scripted import RATE, ScriptCard
from voicebot_local.audio.card import CardNotice
from voicebot_local.errors import DeviceError
from voicebot_local.stages.device_test import RECORD_S, record_and_play, verdict


@pytest.mark.anyio
async def test_what_was_recorded_is_played() -> None:
    card = ScriptCard([(1.0, 2.0)], 3.1)
    told: list[str] = []
    recorded = await record_and_play(card, lambda what, share, dbfs: told.append(what))
    assert len(recorded) == RECORD_S * RATE
    assert np.count_nonzero(recorded) == RATE
    played = np.concatenate(card.played)
    assert np.count_nonzero(played) == 0
    assert list(dict.fromkeys(told)) == ["recording", "playing"]


@pytest.mark.anyio
async def test_a_device_that_goes_is_told() -> None:
    card = ScriptCard([], 60.0, [(0.1, CardNotice("USB", lost=True, message="it stopped"))])
    with pytest.raises(DeviceError, match="USB is gone"):
        await record_and_play(card, lambda what, share, dbfs: None)


@pytest.mark.parametrize(
    ("amplitude", "words"),
    [(0.0, "muted"), (0.002, "quiet"), (0.2, "good level"), (3.0, "clipped")],
)
def test_the_level_is_judged(amplitude: float, words: str) -> None:
    noise = np.random.default_rng(1).uniform(-amplitude, amplitude, 3 * RATE)
    assert words in verdict(np.clip(noise, -1, 1).astype(np.float32), RATE)
