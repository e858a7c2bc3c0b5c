"""The microphone's side of a session: the card's blocks become voice activity and speech."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import anyio
import numpy as np
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from voicebot_local.audio import vad
from voicebot_local.audio.far_end import FarEnd
from voicebot_local.audio.level import LevelMeter
from voicebot_local.audio.preroll import Preroll
from voicebot_local.audio.resample import Resampler, at_rate
from voicebot_local.events import VoiceActivity
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

KEEP_S = 10
"""Audio kept for a part that begins in the past: pre-roll, a barge-in's first words (s)."""
QUEUE_BLOCKS = 1024
"""Windows that may wait for a recognizer that is behind or restarting: about half a minute."""
SILENT_DBFS = -120.0


class Detector(Protocol):
    """Tells speech from other sound; `audio.vad.VoiceActivity` is the real one."""

    @property
    def position(self) -> int:
        """16 kHz samples judged so far."""
        ...

    def push(self, samples: Samples) -> list[tuple[int, float]]:
        """Take 16 kHz samples; give (position after the window, probability) of full windows."""
        ...


class Hearing:
    """Resamples the microphone to 16 kHz, detects voice, and feeds the part that is being heard.

    With a `far_end`, the loudspeaker's sound is taken out first. Positions count the 16 kHz samples
    since the start of the session. A part's audio is handed on window by window, so that
    consecutive parts neither repeat nor miss a sample.

    The meter for the end of speech has the card's rate; what a canceller leaves has 16 kHz and is
    late, for only that is without the echo.
    """

    def __init__(self, card_rate: int, detector: Detector, far_end: FarEnd | None = None) -> None:
        self._resampler = Resampler(card_rate, RECOGNIZER_RATE)
        self._detector = detector
        self._far_end = far_end
        self._ring = Preroll(KEEP_S * RECOGNIZER_RATE)
        self._card_rate = card_rate
        self._level = LevelMeter(card_rate if far_end is None else RECOGNIZER_RATE)
        self._waiting: list[Samples] = []
        self._pushed = 0
        self._part: MemoryObjectSendStream[Samples] | None = None
        self._fed_to = 0

    @property
    def position(self) -> int:
        """Samples judged so far."""
        return self._detector.position

    @property
    def backlog(self) -> int:
        """Windows of the present part that its recognizer has not taken yet."""
        return self._part.statistics().current_buffer_used if self._part else 0

    def push(self, heard: Samples, played: Samples) -> Iterator[VoiceActivity]:
        """Take a block from the card, and what it played meanwhile; yields one observation for each
        complete window.

        Raises anyio.WouldBlock when the recognizer is `QUEUE_BLOCKS` windows behind.
        """
        self._waiting.append(heard)
        self._pushed += len(heard)
        if self._far_end is None:
            self._level.push(heard)
        else:
            self._far_end.play(played)
        # Until a window can be complete nobody asks, and one large block costs less than three.
        if self._pushed < self._resampler.needed(self.position + vad.WINDOW):
            return
        samples = self._resampler.push(np.concatenate(self._waiting))
        self._waiting.clear()
        if self._far_end is not None:
            samples = self._far_end.cancel(samples)
            self._level.push(samples)
        self._ring.push(samples)
        for end, probability in self._detector.push(samples):
            if self._part is not None:
                self._feed(self._part, end)
            window = self.sound(end - vad.WINDOW, end)
            yield VoiceActivity(end, round(probability, 3), round(_dbfs(window), 1))

    def begin_part(self, audio_from: int) -> MemoryObjectReceiveStream[Samples]:
        """A part begins: its audio comes from here, first what was heard since `audio_from`."""
        self.end_part()
        send, receive = anyio.create_memory_object_stream[Samples](QUEUE_BLOCKS)
        self._part, self._fed_to = send, audio_from
        self._feed(send, self.position)
        return receive

    def _feed(self, part: MemoryObjectSendStream[Samples], end: int) -> None:
        if end > self._fed_to:
            # A recognizer that failed has closed its end; its failure is reported by itself.
            with suppress(anyio.BrokenResourceError):
                part.send_nowait(self.sound(self._fed_to, end))
            self._fed_to = end

    def sound(self, begin: int, end: int) -> Samples:
        """What was heard between two positions, as far as it is kept (`KEEP_S`)."""
        newest = self._ring.since(begin)
        return newest[: max(0, end - max(begin, self._ring.oldest))]

    def last_audible(self, before: int) -> int | None:
        """The card's sample after the last that was audible before position `before`; what is
        audible depends on the room's noise. None where nothing was."""
        before = at_rate(before, RECOGNIZER_RATE, self._level.rate)
        last = self._level.last_audible(before, self._level.threshold_db(before))
        if last is None or self._far_end is None:
            return last
        return at_rate(max(0, last - self._far_end.delay), RECOGNIZER_RATE, self._card_rate)

    def end_part(self) -> None:
        """The part is over: its stream ends after what was fed to it."""
        if self._part is not None:
            self._part.close()
            self._part = None


def _dbfs(samples: Samples) -> float:
    power = float(np.dot(samples, samples)) / len(samples) if len(samples) else 0.0
    return 10 * math.log10(power) if power > 1e-12 else SILENT_DBFS
