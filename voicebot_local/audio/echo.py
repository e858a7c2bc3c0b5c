"""Takes the assistant's own voice out of what the microphone hears, where there is no headset.

    heard ──▶ adaptive filter ──▶ WebRTC's AEC3 ──▶ voice detection and recognition
    played ───────┴────────────────────┘

AEC3 alone suppresses a user who is no louder than the echo. Behind a filter that has taken most of
the echo away, it has little left to suppress: docs/echo.md has the figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from voicebot_local.audio.adaptive_filter import BLOCK, AdaptiveFilter
from voicebot_local.errors import DeviceError
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

FRAME = 160
"""Samples that AEC3 takes at once: 10 ms."""
SUPPRESSOR_DELAY = 128
"""Samples by which AEC3 is behind."""
FRAMING_DELAY = 128
"""Samples by which the two block lengths make the result late: whenever a multiple of 512 was
taken, as much has then been given."""
DELAY = SUPPRESSOR_DELAY + FRAMING_DELAY
AUDIBLE = 1e-4
"""Amplitude below which the loudspeaker is silent: -80 dBFS."""
TAIL_S = 1.0
"""How long the echo of the last audible sample can be heard: buffers, air and walls."""


class EchoCanceller:
    """Removes the loudspeaker's sound from the microphone's; mono float32 at 16 kHz.

    What it gives is the user's sound, `DELAY` samples (16 ms) late. From `TAIL_S` after the last
    audible sample that was played it computes nothing and hands the sound on as it is, equally
    late. It finds the delay between loudspeaker and microphone by itself, up to half a second, and
    follows clocks that drift apart.
    """

    def __init__(self) -> None:
        self._filter = AdaptiveFilter()
        self._suppressor = Suppressor()
        self._heard: Samples = np.zeros(0, np.float32)
        self._played: Samples = np.zeros(0, np.float32)
        """What waits until there is a block."""
        self._filtered: Samples = np.zeros(0, np.float32)
        self._far: Samples = np.zeros(0, np.float32)
        """The blocks that wait until there is a frame, and what was played with them."""
        self._raw: Samples = np.zeros(SUPPRESSOR_DELAY, np.float32)
        """What was heard, late as AEC3's output is: before and after it, it sounds in its place."""
        self._blocks = self._frames = 0
        self._runs_to = 0
        """Position up to which echo can be heard."""
        self._awake = False
        self._first = True

    @property
    def awake(self) -> bool:
        """True while the echo of what was played may be heard."""
        return self._frames < self._runs_to

    @property
    def delay(self) -> int:
        """Samples by which what it gives is late."""
        return DELAY

    def push(self, heard: Samples, played: Samples) -> Samples:
        """Take what was heard and what was played at the same time; give what is complete."""
        self._heard = np.concatenate((self._heard, heard))
        self._played = np.concatenate((self._played, played))
        ready = len(self._heard) // BLOCK * BLOCK
        for at in range(0, ready, BLOCK):
            self._filter_block(self._heard[at : at + BLOCK], self._played[at : at + BLOCK])
        self._raw = np.concatenate((self._raw, self._heard[:ready]))
        self._heard, self._played = self._heard[ready:], self._played[ready:]
        out = [np.zeros(FRAMING_DELAY, np.float32)] if self._first and ready else []
        self._first = self._first and not ready
        count = len(self._filtered) // FRAME
        out += [self._suppress_frame(number * FRAME) for number in range(count)]
        done = count * FRAME
        self._filtered, self._far = self._filtered[done:], self._far[done:]
        self._raw = self._raw[done:]
        return np.concatenate(out) if out else np.zeros(0, np.float32)

    def _filter_block(self, heard: Samples, played: Samples) -> None:
        start, self._blocks = self._blocks, self._blocks + BLOCK
        if np.abs(played).max() > AUDIBLE:
            self._runs_to = self._blocks + round(TAIL_S * RECOGNIZER_RATE)
        left = self._filter.push(heard, played) if start < self._runs_to else heard
        self._filtered = np.concatenate((self._filtered, left))
        self._far = np.concatenate((self._far, played))

    def _suppress_frame(self, at: int) -> Samples:
        start, self._frames = self._frames, self._frames + FRAME
        was_awake, self._awake = self._awake, start < self._runs_to
        raw = self._raw[at : at + FRAME]
        if not self._awake:
            return raw
        frame = slice(at, at + FRAME)
        cleaned = self._suppressor.push(self._filtered[frame], self._far[frame])
        # Its first frame after a rest begins with what it still held from before.
        return cleaned if was_awake else raw


class Suppressor:
    """WebRTC's third acoustic echo canceller (AEC3), as the `livekit` package brings it.

    Of that package nothing else is used: no connection is opened. Its library runs a few threads of
    its own, which sleep.
    """

    def __init__(self) -> None:
        """Raises DeviceError where the library cannot be loaded."""
        try:
            from livekit import rtc

            self._module: Any = rtc.AudioProcessingModule(echo_cancellation=True)
        except ImportError as error:
            raise DeviceError(
                f"The echo canceller cannot be loaded: {error}.",
                "Wear a headset and say --headset, or install the `livekit` package.",
            ) from error
        self._frame_of = rtc.AudioFrame

    def push(self, heard: Samples, played: Samples) -> Samples:
        """Take `FRAME` samples of each, give as many, `SUPPRESSOR_DELAY` late."""
        self._module.process_reverse_stream(self._frame(played))
        frame = self._frame(heard)
        self._module.process_stream(frame)
        cleaned: Samples = np.frombuffer(frame.data, np.int16).astype(np.float32)
        return cleaned / np.float32(32768)

    def _frame(self, samples: Samples) -> Any:
        numbers = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
        return self._frame_of(bytearray(numbers.tobytes()), RECOGNIZER_RATE, 1, FRAME)
