"""How the loudspeaker comes back into the microphone: a chirp, and what is heard of it. Pure.

The chirp rises from 300 to 6000 Hz, which every loudspeaker and microphone for speech can do. What
was heard is correlated with it; the place where they fit best is the round trip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voicebot_local.providers.base import Samples

CHIRP_S = 0.5
LOW_HZ, HIGH_HZ = 300.0, 6000.0
LEVEL = 0.25
"""Peak of the chirp: loud enough for a laptop, no shock in headphones."""
FADE_S = 0.02
LONGEST_S = 1.0
"""Later echoes than this are not looked for; Bluetooth takes 0.3 s at the worst."""
CERTAIN = 10.0
"""How far the best fit stands out of all others, in standard deviations. Noise reaches 5."""


@dataclass(frozen=True, slots=True)
class Loopback:
    """What was heard of the chirp.

    `delay_s` is from the sample that was handed to the loudspeaker to the one that came from the
    microphone. `return_db` is how loud it was heard, against how loud it was played; `sure` is how
    far the fit stands out. `noise_dbfs` is the level just before it.
    """

    delay_s: float
    return_db: float
    noise_dbfs: float
    sure: float


def chirp(rate: int) -> Samples:
    """The chirp at `rate` Hz: mono float32, `CHIRP_S` long."""
    t = np.arange(round(CHIRP_S * rate)) / rate
    high = min(HIGH_HZ, 0.45 * rate)
    growth = np.log(high / LOW_HZ) / CHIRP_S
    phase = 2 * np.pi * LOW_HZ * (np.exp(growth * t) - 1) / growth
    fade = round(FADE_S * rate)
    shape = np.ones(len(t))
    shape[:fade] = np.sin(np.pi / 2 * np.arange(fade) / fade) ** 2
    shape[-fade:] = shape[:fade][::-1]
    return np.asarray(LEVEL * shape * np.sin(phase), np.float32)


def measure(heard: Samples, played_at: int, rate: int) -> Loopback | None:
    """What came back of the `chirp` that was handed to the loudspeaker at sample `played_at` of
    `heard`, both on one clock at `rate`; None where it was not heard.

    `heard` goes on for `LONGEST_S` after the chirp's end, or what is missing is taken for silence.
    """
    wanted = chirp(rate).astype(np.float64)
    span = round(LONGEST_S * rate)
    sound = heard[played_at : played_at + len(wanted) + span].astype(np.float64)
    sound = np.pad(sound, (0, len(wanted) + span - len(sound)))
    size = 1 << (len(sound) + len(wanted) - 1).bit_length()
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(wanted, size))
    fits = np.fft.irfft(product, size)[:span]
    best = int(np.argmax(np.abs(fits)))
    # Reflections stand near the best fit; the rest says what chance would give.
    near = round(0.1 * rate)
    rest = np.concatenate((fits[: max(0, best - near)], fits[best + near :]))
    spread = float(np.sqrt(np.mean(np.square(rest)))) if len(rest) else 0.0
    if not fits[best]:
        return None
    sure = float(abs(fits[best]) / spread) if spread else float("inf")
    if sure < CERTAIN:
        return None
    before = heard[max(0, played_at - rate // 2) : played_at]
    noise = _power(before)
    came = _power(sound[best : best + len(wanted)])
    back = max(came - noise, 1e-12)
    played = _power(wanted)
    return Loopback(best / rate, float(10 * np.log10(back / played)), _db(noise), sure)


def _power(samples: Samples | np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def _db(power: float) -> float:
    return float(10 * np.log10(max(power, 1e-12)))
