"""`say`: what is written to the file and played on the loudspeaker."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from tests.session.scripted import RATE, ScriptCard, ScriptSynthesizer
from voicebot_local.audio.card import CardNotice
from voicebot_local.audio.wav import WavWriter
from voicebot_local.errors import DeviceError, ProviderError
from voicebot_local.stages.saying import arriving, given, say_aloud, say_to_file

pytestmark = pytest.mark.anyio
TEXT = "Good morning, everybody. There are 3 of us."
SPOKEN = ["Good morning, everybody.", "There are three of us."]


async def test_a_file_gets_all_of_it(tmp_path: Path) -> None:
    synthesizer = ScriptSynthesizer(cost_s=0)
    with WavWriter(tmp_path / "a.wav", RATE, 1) as file:
        seconds = await say_to_file(synthesizer, given(TEXT), file)
    assert synthesizer.said == SPOKEN
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert (rate, len(samples) / rate, seconds) == (RATE, 8 * 0.25, 8 * 0.25)
    assert np.count_nonzero(samples) == len(samples)


async def test_the_loudspeaker_gets_all_of_it() -> None:
    card = ScriptCard([], 60.0)
    await say_aloud(ScriptSynthesizer(cost_s=0), given(TEXT), card)
    assert np.count_nonzero(np.concatenate(card.played)) == 8 * 0.25 * RATE


async def test_more_than_the_card_holds_waits_for_room() -> None:
    card = ScriptCard([], 60.0)
    card.playout.capacity = RATE // 10
    await say_aloud(ScriptSynthesizer(cost_s=0), given("one two three"), card)
    assert np.count_nonzero(np.concatenate(card.played)) == 3 * 0.25 * RATE


async def test_nothing_to_say_ends_at_once() -> None:
    card = ScriptCard([], 60.0)
    await say_aloud(ScriptSynthesizer(), given(""), card)
    assert np.count_nonzero(np.concatenate(card.played)) == 0


async def test_a_synthesizer_that_fails_is_told() -> None:
    failing = ScriptSynthesizer(failures=[ProviderError("x", "It broke.", "Mend it.")])
    with pytest.raises(ProviderError) as raised:
        await say_aloud(failing, given(TEXT), ScriptCard([], 60.0))
    assert (raised.value.message, raised.value.mend) == ("It broke.", "Mend it.")


async def test_a_loudspeaker_that_goes_is_told() -> None:
    card = ScriptCard([], 60.0, [(0.1, CardNotice("USB", lost=True, message="it stopped"))])
    with pytest.raises(DeviceError, match="USB is gone: it stopped"):
        await say_aloud(ScriptSynthesizer(), given(TEXT), card)


async def test_text_is_spoken_while_it_comes() -> None:
    """The first sentence is said before the second one is written."""
    reading, writing = os.pipe()
    synthesizer = ScriptSynthesizer(cost_s=0)
    spoken = anyio.Event()

    async def text() -> AsyncIterator[str]:
        with os.fdopen(reading) as stream:
            async for piece in arriving(stream):
                yield piece

    async def write() -> None:
        os.write(writing, "Güten Morgen zusammen. Ja".encode())
        while not synthesizer.said:
            await anyio.sleep(0.01)
        spoken.set()
        os.write(writing, b", so ist es.")
        os.close(writing)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await say_aloud(synthesizer, text(), ScriptCard([], 60.0))
    assert spoken.is_set()
    assert synthesizer.said == ["Güten Morgen zusammen.", "Ja, so ist es."]
