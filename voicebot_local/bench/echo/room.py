"""A simulated room: what a microphone hears of the loudspeaker beside it.

    played ─▶ distortion ─▶ buffers' delay and a clock of its own ─▶ loudspeaker ─▶ walls ─┐
                                                            noise of the room ────────────┴▶ heard

The walls are those of a box, by the image method (Allen and Berkley, 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot_local.providers.base import Samples

SPEED_OF_SOUND = 343.0
BASS_HZ = 150.0
"""Below this a small loudspeaker gives little."""
TAPS = 32
"""Length of the filter that reads sound between two samples."""
PHASES = 256
BLOCK = 1024
"""Samples of a room's response that are applied at once."""


@dataclass(frozen=True, slots=True)
class Room:
    """What lies between a loudspeaker and a microphone, the sound card's buffers included.

    `echo_db`: the gain of white sound from loudspeaker to microphone. `delay_s`: how late the card
    plays what it was given, and gives what it heard, together; the way through the air comes on
    top. `drift_ppm`: how much faster the loudspeaker's clock is than the microphone's. `clip_dbfs`:
    where the loudspeaker begins to saturate, far above what is played it is nearly linear.
    `noise_dbfs`: the room's own noise, pink.
    """

    rt60_s: float = 0.3
    distance_m: float = 0.5
    size_m: tuple[float, float, float] = (4.0, 3.2, 2.5)
    delay_s: float = 0.06
    drift_ppm: float = 0.0
    clip_dbfs: float = 0.0
    noise_dbfs: float = -65.0
    echo_db: float = 0.0


class Echo:
    """The sound of a loudspeaker in a room, block by block as it is played; same length out as in.

    `seed` is that of the noise.
    """

    def __init__(self, room: Room, rate: int, seed: int = 0) -> None:
        self._room = room
        self._clock = _OtherClock(room.delay_s * rate, room.drift_ppm)
        self._walls = _Convolver(impulse_response(room, rate) * 10 ** (room.echo_db / 20))
        self._noise = _PinkNoise(room.noise_dbfs, seed)
        self._clip = 10 ** (room.clip_dbfs / 20)

    def push(self, played: Samples) -> Samples:
        """What is heard while `played` is played, noise included; mono float32."""
        # Smooth saturation, a bit stronger one way than the other, as a small cone does.
        bent = played + 0.1 * played**2 / self._clip
        saturated = (bent / np.sqrt(1 + (bent / self._clip) ** 2)).astype(np.float32)
        return self._walls.push(self._clock.push(saturated)) + self._noise.take(len(played))


class _OtherClock:
    """Delays sound by a number of samples that grows or shrinks as two clocks drift apart."""

    def __init__(self, delay: float, drift_ppm: float) -> None:
        self._step = 1 + drift_ppm * 1e-6
        self._delay = delay
        self._given = 0
        self._past: Samples = np.zeros(TAPS, np.float32)
        self._past_from = -TAPS
        """Position of the first sample of `_past`."""

    def push(self, samples: Samples) -> Samples:
        self._past = np.concatenate((self._past, samples))
        newest = self._past_from + len(self._past) - TAPS // 2
        at = self._step * (self._given + np.arange(len(samples))) - self._delay
        self._given += len(samples)
        # A loudspeaker that is fed too slowly waits; the delay never ends below 0.
        at = np.minimum(at, newest - 1)
        whole = np.floor(at).astype(np.int64)
        phase = ((at - whole) * PHASES).astype(np.int64)
        rows = whole[:, None] + np.arange(1 - TAPS // 2, TAPS // 2 + 1) - self._past_from
        known = np.where(rows >= 0, self._past[np.maximum(rows, 0)], 0)
        out = np.einsum("ij,ij->i", known, _between_samples()[phase])
        keep = int(self._step * self._given - self._delay) - 2 * TAPS
        if keep > self._past_from:
            self._past = self._past[keep - self._past_from :]
            self._past_from = keep
        return np.asarray(out, np.float32)


@lru_cache(1)
def _between_samples() -> Samples:
    """A windowed-sinc filter for each of `PHASES` places between two samples."""
    offsets = np.arange(1 - TAPS // 2, TAPS // 2 + 1)[None, :] - np.arange(PHASES)[:, None] / PHASES
    window = np.cos(np.pi / 2 * np.clip(offsets / (TAPS // 2), -1, 1)) ** 2
    return np.asarray(np.sinc(offsets) * window, np.float32)


class _Convolver:
    """A long filter, applied without delay: its spectrum in pieces, its newest piece at once."""

    def __init__(self, response: Samples) -> None:
        self._response = response
        self._tail: Samples = np.zeros(len(response) - 1, np.float32)

    def push(self, samples: Samples) -> Samples:
        steps = [self._step(samples[at : at + BLOCK]) for at in range(0, len(samples), BLOCK)]
        return np.concatenate(steps) if steps else np.zeros(0, np.float32)

    def _step(self, samples: Samples) -> Samples:
        width = len(samples) + len(self._response) - 1
        size = 1 << (width - 1).bit_length()
        spectrum = np.fft.rfft(samples, size) * _spectrum_of(self._response.tobytes(), size)
        whole = np.fft.irfft(spectrum, size)[:width].astype(np.float32)
        whole[: len(self._tail)] += self._tail
        self._tail = whole[len(samples) :]
        return whole[: len(samples)]


@lru_cache(16)
def _spectrum_of(response: bytes, size: int) -> NDArray[Any]:
    return np.asarray(np.fft.rfft(np.frombuffer(response, np.float32), size))


class _PinkNoise:
    """Noise that falls by 3 dB an octave, from a few seconds of it that are repeated."""

    def __init__(self, dbfs: float, seed: int, samples: int = 1 << 18) -> None:
        spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
        noise = np.fft.irfft(spectrum)
        noise *= 10 ** (dbfs / 20) / np.sqrt(np.mean(noise**2))
        self._noise = noise.astype(np.float32)
        self._at = 0

    def take(self, count: int) -> Samples:
        places = (self._at + np.arange(count)) % len(self._noise)
        self._at += count
        return self._noise[places]


@lru_cache(16)
def impulse_response(room: Room, rate: int) -> Samples:
    """From loudspeaker to microphone, of unit energy; `delay_s` and `echo_db` are not in it."""
    size = np.asarray(room.size_m)
    volume, surface = float(np.prod(size)), 2 * float(size @ np.roll(size, 1))
    # Eyring's formula, for the share of the sound that a wall returns.
    absorbed = 1 - np.exp(-0.161 * volume / (surface * room.rt60_s))
    returned = np.sqrt(1 - absorbed)
    source = size * (0.37, 0.43, 0.4)
    microphone = source + room.distance_m * np.asarray((0.8, 0.55, 0.24))
    length = round(rate * (room.rt60_s + room.distance_m / SPEED_OF_SOUND))
    places, strengths = _images(size, source, microphone, returned, SPEED_OF_SOUND * length / rate)
    # Four times the rate, then back: an image then lies where it is to an eighth of a sample.
    fine = np.bincount(
        np.rint(places * 4 * rate / SPEED_OF_SOUND).astype(int), strengths, minlength=4 * length
    )
    spectrum = np.fft.rfft(fine[: 4 * length])[: length // 2 + 1]
    hz = np.arange(len(spectrum)) * rate / length
    spectrum *= (hz / BASS_HZ) ** 2 / np.sqrt(1 + (hz / BASS_HZ) ** 4)
    response = np.fft.irfft(spectrum, length)
    return np.asarray(response / np.sqrt(np.sum(response**2)), np.float32)


def _images(
    size: NDArray[Any],
    source: NDArray[Any],
    microphone: NDArray[Any],
    returned: float,
    reach_m: float,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """How far each mirrored loudspeaker is (m), and how strong it is heard."""
    axes = []
    for length, at, to in zip(size, source, microphone, strict=True):
        rooms = np.arange(-int(reach_m / length / 2) - 1, int(reach_m / length / 2) + 2)
        straight = 2 * rooms * length + at - to
        mirrored = 2 * rooms * length - at - to
        walls = np.concatenate((2 * np.abs(rooms), np.abs(rooms - 1) + np.abs(rooms)))
        axes.append((np.concatenate((straight, mirrored)), walls))
    (x, nx), (y, ny), (z, nz) = axes
    distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2)
    bounces = nx[:, None, None] + ny[None, :, None] + nz[None, None, :]
    near = distance < reach_m
    return distance[near], returned ** bounces[near] / distance[near]
