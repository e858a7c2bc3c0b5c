"""Recordings that are not played in real time wait for the models, and for nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from tests.session.scripted import (
    RATE,
    LoudnessDetector,
    ScriptChat,
    ScriptProviders,
    ScriptRecognizer,
    ScriptSynthesizer,
)
from tests.session.virtual_time import VirtualLoop
from voicebot_local.audio.file_card import FileCard
from voicebot_local.events import Entry, EventLog, TurnRecorded
from voicebot_local.gpu.trace import examine
from voicebot_local.providers.base import Samples, Transcript
from voicebot_local.session import Session, SessionSettings
from voicebot_local.turns.settings import TurnSettings


@dataclass
class SlowRecognizer(ScriptRecognizer):
    """Takes its time for each window and says nothing before the end."""

    async def _transcripts(
        self, audio: AsyncIterable[Samples], call: int
    ) -> AsyncIterator[Transcript]:
        async for _ in audio:
            await anyio.sleep(0.1)
        yield Transcript(str(self.texts[call]), is_final=True)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Five seconds of what the tests' detector takes for speech."""
    file = tmp_path / "speech.wav"
    soundfile.write(file, np.full(5 * RATE, 0.2, np.float32), RATE)
    return file


def outcomes(file: Path, providers: ScriptProviders, playout_s: float = 30.0) -> list[str]:
    """Hold the conversation in virtual time; how its turns ended. A clock that stands still for
    good has nobody to wake it: that is a timeout."""
    entries: list[Entry] = []

    async def run() -> None:
        card = FileCard([file], rate=RATE, pace="fast", playout_s=playout_s)
        settings = SessionSettings(TurnSettings(), "", "scripted", clock=card)
        log = EventLog(anyio.current_time)
        log.add_reader(entries.append)
        with anyio.fail_after(60):
            await Session(card, providers, log, settings, detector=LoudnessDetector()).run()

    anyio.run(run, backend_options={"loop_factory": VirtualLoop})
    assert examine(entries).violations == []
    return [entry.event.outcome for entry in entries if isinstance(entry.event, TurnRecorded)]


def test_a_reply_may_be_very_short(speech: Path) -> None:
    synthesizer = ScriptSynthesizer(word_s=0.02)
    providers = ScriptProviders(ScriptRecognizer(["hello"]), ScriptChat(["Hm."]), synthesizer)
    assert outcomes(speech, providers) == ["completed"]


def test_a_piece_of_audio_may_be_longer_than_what_may_wait(speech: Path) -> None:
    synthesizer = ScriptSynthesizer(word_s=4.0)
    providers = ScriptProviders(ScriptRecognizer(["hello"]), ScriptChat(["Hm."]), synthesizer)
    assert outcomes(speech, providers, playout_s=1.0) == ["completed"]


def test_a_recognizer_may_be_slow_and_silent(speech: Path) -> None:
    providers = ScriptProviders(SlowRecognizer(["hello"]), ScriptChat(["Hm."]))
    assert outcomes(speech, providers) == ["completed"]
