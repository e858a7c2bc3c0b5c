"""The sound system's streams behind a card: what runs in PortAudio's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot_local.audio.devices import Direction, Plan, Way, refused
from voicebot_local.audio.playout import Played, Playout
from voicebot_local.audio.resample import Resampler
from voicebot_local.providers.base import Samples

BLOCK_S = 0.01
RELAY_S = 0.2
"""The most sound that may wait between a microphone's clock and a loudspeaker's."""
RELAY_START_S = 0.03
"""How much waits before the loudspeaker begins, so that the two clocks' jitter is not heard."""

Frames = NDArray[np.float32]
"""What PortAudio gives and takes: float32, one row a frame, one column a channel."""


class Relay:
    """Carries sound from the microphone's clock to a loudspeaker on a clock of its own.

    Two crystals never agree. Where the loudspeaker is slower, the oldest sound beyond `RELAY_S` is
    dropped; where it is faster, it pauses until `RELAY_START_S` wait again. Both are rare: clocks
    that differ by 50 parts in a million do it once in an hour or so.
    """

    def __init__(self, rate: int) -> None:
        self._most, self._enough = round(RELAY_S * rate), round(RELAY_START_S * rate)
        self._lock = threading.Lock()
        self._waiting: Samples = np.zeros(0, np.float32)
        self._flowing = False

    def put(self, samples: Samples) -> None:
        with self._lock:
            self._waiting = np.concatenate((self._waiting, samples))[-self._most :]

    def take(self, count: int) -> Samples:
        """`count` samples, silence where there are too few."""
        out = np.zeros(count, np.float32)
        with self._lock:
            self._flowing = len(self._waiting) >= (count if self._flowing else self._enough)
            if self._flowing:
                ready = self._waiting[:count]
                out[: len(ready)] = ready
                self._waiting = self._waiting[count:]
        return out


class Streams:
    """The open streams of a card, from `Streams(...)` until `close`.

    Each time sound came in, `on_sound(heard, played)` is called in PortAudio's thread: both at the
    card's rate and of one length. `on_end()` is called there when a stream stops. Where the plan
    joins both directions they share one stream, if the sound system can; else the microphone is
    the clock, and a `Relay` feeds the loudspeaker. Raises DeviceError; nothing is then left open.
    """

    def __init__(
        self,
        portaudio: Any,
        plan: Plan,
        playout: Playout,
        on_sound: Callable[[Samples, Played], None],
        on_end: Callable[[], None],
    ) -> None:
        self._portaudio = portaudio
        self._playout = playout
        self._on_sound = on_sound
        self._on_end = on_end
        self._open: list[Any] = []
        try:
            if plan.heard_from is None:
                self._begin("output", plan.played_to, self._play_alone)
            elif not self._begin_both(plan, plan.heard_from):
                self._begin_apart(plan, plan.heard_from)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop at once. What a device that is gone still complains of is of no use to anyone."""
        while self._open:
            self._open.pop().close(ignore_errors=True)

    def _play_alone(self, played: Frames, count: int, _time: Any, _status: Any) -> None:
        block = self._playout.pull(count)
        played[:] = block.samples[:, None]
        self._on_sound(np.zeros(count, np.float32), block)

    def _begin_both(self, plan: Plan, heard_from: Way) -> bool:
        """One stream for both directions; False where that is not planned or not possible."""
        if not plan.joined:
            return False

        def callback(heard: Frames, played: Frames, count: int, _time: Any, _status: Any) -> None:
            block = self._playout.pull(count)
            played[:] = block.samples[:, None]
            self._on_sound(_mono(heard), block)

        try:
            self._start(
                self._portaudio.Stream,
                device=(heard_from.device.index, plan.played_to.device.index),
                channels=(heard_from.channels, plan.played_to.channels),
                samplerate=plan.rate,
                blocksize=round(BLOCK_S * plan.rate),
                callback=callback,
            )
        except self._portaudio.PortAudioError:
            # The two streams that are tried next say what is wrong, if it is not the joining.
            return False
        return True

    def _begin_apart(self, plan: Plan, heard_from: Way) -> None:
        relay = Relay(plan.played_to.rate)
        to_card = Resampler(heard_from.rate, plan.rate)
        to_loudspeaker = Resampler(plan.rate, plan.played_to.rate)

        def hear(heard: Frames, _count: int, _time: Any, _status: Any) -> None:
            samples = to_card.push(_mono(heard))
            block = self._playout.pull(len(samples))
            relay.put(to_loudspeaker.push(block.samples))
            self._on_sound(samples, block)

        def play(played: Frames, count: int, _time: Any, _status: Any) -> None:
            played[:] = relay.take(count)[:, None]

        self._begin("output", plan.played_to, play)
        self._begin("input", heard_from, hear)

    def _begin(self, direction: Direction, way: Way, callback: Callable[..., None]) -> None:
        stream = {"input": "InputStream", "output": "OutputStream"}[direction]
        try:
            self._start(
                getattr(self._portaudio, stream),
                device=way.device.index,
                channels=way.channels,
                samplerate=way.rate,
                blocksize=round(BLOCK_S * way.rate),
                callback=callback,
            )
        except self._portaudio.PortAudioError as error:
            raise refused(way.device, direction, error) from error

    def _start(self, kind: Any, **options: Any) -> None:
        stream = kind(dtype="float32", latency="low", finished_callback=self._on_end, **options)
        self._open.append(stream)
        try:
            stream.start()
        except BaseException:
            self._open.remove(stream)
            stream.close(ignore_errors=True)
            raise


def _mono(frames: Frames) -> Samples:
    """A copy, for PortAudio uses its memory again: what is not a number is silence."""
    mono = np.nan_to_num(frames.mean(axis=1, dtype=np.float32))
    return np.asarray(np.clip(mono, -1, 1), np.float32)
