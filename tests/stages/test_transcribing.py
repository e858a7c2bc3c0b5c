"""`transcribe`: where a recording is cut, and what times are told."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.session.scripted import LoudnessDetector, ScriptRecognizer
from voicebot_local.errors import InputError, ProviderError
from voicebot_local.providers.base import Samples, Transcript, Word
from voicebot_local.stages.transcribing import Said, transcribe
from voicebot_local.turns.settings import TurnSettings

pytestmark = pytest.mark.anyio
SETTINGS = TurnSettings(preroll_s=0.5, end_silence_s=0.7)


def recording(path: Path, *speech: tuple[float, float], seconds: float = 6.0) -> Path:
    sound = np.zeros(round(seconds * 48_000), np.float32)
    for start, end in speech:
        sound[round(start * 48_000) : round(end * 48_000)] = 0.3
    soundfile.write(path, np.stack([sound, sound], axis=1), 48_000)
    return path


async def said(
    recognizer: ScriptRecognizer, path: Path, settings: TurnSettings = SETTINGS
) -> list[Said]:
    found: list[Said] = []
    count = await transcribe(recognizer, path, settings, found.append, LoudnessDetector())
    assert count == len({each.utterance for each in found})
    return found


async def test_each_utterance_by_itself(tmp_path: Path) -> None:
    recognizer = ScriptRecognizer(["one", "two"])
    found = await said(recognizer, recording(tmp_path / "a.wav", (1.0, 1.6), (3.0, 3.5)))
    assert [(each.utterance, each.text) for each in found] == [(1, "one"), (2, "two")]
    assert [each.start_s for each in found] == pytest.approx([0.5, 2.5], abs=0.05)
    assert [each.end_s for each in found] == pytest.approx([1.6, 3.5], abs=0.05)
    lengths = [len(audio) / 16_000 for audio in recognizer.audio]
    assert lengths == pytest.approx([0.5 + 0.6 + 0.7, 0.5 + 0.5 + 0.7], abs=0.1)


async def test_no_sample_is_given_twice(tmp_path: Path) -> None:
    """The second utterance's pre-roll would reach into the first one."""
    recognizer = ScriptRecognizer(["one", "two"])
    settings = TurnSettings(preroll_s=3.0, end_silence_s=0.3)
    found = await said(recognizer, recording(tmp_path / "a.wav", (1.0, 1.6), (2.0, 2.5)), settings)
    end_of_first = found[0].start_s + len(recognizer.audio[0]) / 16_000
    assert found[1].start_s == pytest.approx(end_of_first)


async def test_an_endless_utterance_is_cut_into_parts(tmp_path: Path) -> None:
    recognizer = ScriptRecognizer(["one", "two", "three", "four"])
    settings = TurnSettings(part_s=1.5)
    path = recording(tmp_path / "a.wav", (0.0, 4.0), seconds=4.0)
    found = await said(recognizer, path, settings)
    assert len(found) == 3
    assert sum(map(len, recognizer.audio)) == pytest.approx(4.0 * 16_000, abs=600)


async def test_speech_to_the_very_end(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", (1.0, 2.0), seconds=2.0)
    (found,) = await said(ScriptRecognizer(["one"]), path)
    assert found.end_s == pytest.approx(2.0, abs=0.05)


async def test_nobody_speaks(tmp_path: Path) -> None:
    assert await said(ScriptRecognizer([]), recording(tmp_path / "a.wav")) == []


async def test_partial_results_and_word_times(tmp_path: Path) -> None:
    class Words:
        @asynccontextmanager
        async def transcribe(
            self, audio: AsyncIterable[Samples]
        ) -> AsyncIterator[AsyncIterator[Transcript]]:
            yield self._transcripts(audio)

        async def _transcripts(self, audio: AsyncIterable[Samples]) -> AsyncIterator[Transcript]:
            first = True
            async for _ in audio:
                if first:
                    yield Transcript("hel", is_final=False)
                first = False
            yield Transcript("hello", True, (Word("hello", 0.5, 0.9),), 0.8)

    found: list[Said] = []
    path = recording(tmp_path / "a.wav", (2.0, 2.6))
    await transcribe(Words(), path, SETTINGS, found.append, LoudnessDetector())
    partial, final = found
    assert (partial.text, partial.end_s, final.text, final.confidence) == (
        "hel",
        None,
        "hello",
        0.8,
    )
    assert final.words[0].start_s == pytest.approx(2.0, abs=0.05)
    assert final.words[0].end_s == pytest.approx(2.4, abs=0.05)


async def test_a_recognizer_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="It broke"):
        await said(
            ScriptRecognizer([ProviderError("x", "It broke.")]),
            recording(tmp_path / "a.wav", (1.0, 2.0)),
        )


async def test_a_recording_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        await said(ScriptRecognizer([]), tmp_path / "none.wav")
