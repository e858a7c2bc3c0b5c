"""`transcribe`: a recording is cut where nobody speaks, and each utterance is recognized."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

from voicebot_local.audio.recording import Recording
from voicebot_local.audio.vad import WINDOW, VoiceActivity
from voicebot_local.hearing import Detector
from voicebot_local.providers.base import RECOGNIZER_RATE, Recognizer, Samples, Word
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.settings import TurnSettings


@dataclass(frozen=True, slots=True)
class Said:
    """What an utterance says so far, or finally; times count from the start of the recording.

    `end_s` is None while it goes on, then where its last speech ended.
    """

    utterance: int
    text: str
    start_s: float
    end_s: float | None = None
    words: tuple[Word, ...] = ()
    confidence: float | None = None


async def transcribe(
    recognizer: Recognizer,
    path: Path,
    settings: TurnSettings,
    on_said: Callable[[Said], None],
    detector: Detector | None = None,
) -> int:
    """Recognize the recording at `path`, of any rate and number of channels; counts utterances.

    `on_said` gets each change of what was understood, and of each utterance exactly one final
    `Said`, in order; it must not wait. An utterance begins and ends where `settings` would begin
    and end it in a conversation. Raises InputError and ProviderError.
    """
    with Recording(path, RECOGNIZER_RATE) as recording:
        cutter = _Cutter(recording, settings, detector or VoiceActivity())
        count = 0
        while (start := await cutter.next_start()) is not None:
            count += 1
            start_s = start / RECOGNIZER_RATE
            async with recognizer.transcribe(cutter.utterance()) as transcripts:
                async for found in transcripts:
                    end_s = cutter.speech_end / RECOGNIZER_RATE if found.is_final else None
                    words = tuple(
                        Word(word.text, start_s + word.start_s, start_s + word.end_s)
                        for word in found.words
                    )
                    on_said(Said(count, found.text, start_s, end_s, words, found.confidence))
        return count


class _Cutter:
    """Reads a recording window by window, and says where in it somebody speaks."""

    def __init__(self, recording: Recording, settings: TurnSettings, detector: Detector) -> None:
        self._recording = recording
        self._settings = settings
        self._detector = detector
        self._run = SpeechRun(settings)
        self._kept: Samples = np.zeros(0, np.float32)
        """The sound before the place that was read to, as long as a pre-roll can be."""
        self._read_to = self._used_to = 0
        self.speech_end = 0
        """Where the latest speech ended, in samples."""

    async def next_start(self) -> int | None:
        """Read on to the next speech; where its sound begins, or None where there is no more."""
        while self._run.voiced_s < self._settings.start_speech_s:
            if not await self._read():
                return None
        self._run.hold()
        preroll = round(self._settings.preroll_s * RECOGNIZER_RATE)
        oldest = self._read_to - len(self._kept)
        self._used_to = max(self._run.start - preroll, self._used_to, oldest)
        return self._used_to

    async def utterance(self) -> AsyncIterator[Samples]:
        """The sound from `next_start` to the end of the utterance; then speech is looked for
        again."""
        longest = self._used_to + round(self._settings.part_s * RECOGNIZER_RATE)
        more = True
        while more:
            new = self._kept[len(self._kept) - (self._read_to - self._used_to) :]
            self._used_to = self._read_to
            yield new
            over = self._run.silence_s >= self._settings.end_silence_s or self._read_to >= longest
            more = not over and await self._read()
        self.speech_end = self._run.last_voiced
        self._run.reset()

    async def _read(self) -> bool:
        """Read and judge one more window; False at the end."""
        await anyio.lowlevel.checkpoint()
        samples = self._recording.read(WINDOW)
        if not len(samples):
            return False
        self._read_to += len(samples)
        longest = round(
            (self._settings.preroll_s + self._settings.start_speech_s + 1) * RECOGNIZER_RATE
        )
        self._kept = np.concatenate((self._kept, samples))[-longest:]
        for position, probability in self._detector.push(samples):
            self._run.push(position, probability)
        return True
