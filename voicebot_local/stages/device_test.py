"""`devices --test`: three seconds from the microphone, played back on the loudspeaker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voicebot_local.audio.card import CardNotice, SoundCard
from voicebot_local.errors import DeviceError
from voicebot_local.providers.base import Samples

RECORD_S = 3.0
TAIL_S = 0.3
"""What a sound card may still hold when the last sample was handed to it."""
SILENT_DBFS = -80.0
"""A real microphone in a quiet room is louder; one that is muted or missing gives zeros."""
QUIET_DBFS = -45.0
"""Loudest speech below this is hard to understand."""
CLIPPED = 0.999


async def record_and_play(
    card: SoundCard, on_level: Callable[[str, float, float], None]
) -> Samples:
    """Record `RECORD_S`, play it back; what was recorded, at the card's rate.

    `on_level` gets "recording" or "playing", the share that is done (0 to 1), and the level (dBFS),
    often; it must not wait. Raises DeviceError where a device goes.
    """
    wanted = round(RECORD_S * card.rate)
    blocks: list[Samples] = []
    taken, left = 0, round(TAIL_S * card.rate)
    number = 0
    recorded: Samples = np.zeros(0, np.float32)
    async with card.open() as ticks:
        async for tick in ticks:
            if isinstance(tick, CardNotice):
                raise DeviceError(f"{tick.name} is gone: {tick.message}.", "Plug it in again.")
            if not number:
                blocks.append(tick.heard)
                taken += len(tick.heard)
                on_level("recording", min(1.0, taken / wanted), level_dbfs(tick.heard))
                if taken >= wanted:
                    recorded = np.concatenate(blocks)[:wanted]
                    number = card.playout.begin()
                    card.playout.write(number, recorded)
                    card.playout.close(number)
                continue
            done = tick.played.reply_played / wanted
            on_level("playing", min(1.0, done), level_dbfs(tick.played.samples))
            if tick.played.finished:
                left -= len(tick.heard)
                if left <= 0:
                    break
    return recorded


def level_dbfs(samples: Samples) -> float:
    """The RMS level; -120 for silence."""
    power = float(np.dot(samples, samples)) / len(samples) if len(samples) else 0.0
    return 10 * float(np.log10(power)) if power > 1e-12 else -120.0


def verdict(recorded: Samples, rate: int) -> str:
    """What the recording says of the microphone, with the mend where something is wrong."""
    window = max(1, rate // 20)
    levels = [level_dbfs(recorded[at : at + window]) for at in range(0, len(recorded), window)]
    loudest = max(levels, default=-120.0)
    clipped = int(np.count_nonzero(np.abs(recorded) >= CLIPPED))
    said = f"Loudest moment {loudest:.0f} dBFS, quietest {min(levels, default=-120.0):.0f} dBFS."
    if loudest < SILENT_DBFS:
        return f"{said} The microphone gave silence: it is muted, or another one is meant."
    if clipped > 10:
        return f"{said} {clipped} samples are clipped: turn the microphone's level down."
    if loudest < QUIET_DBFS:
        return f"{said} That is quiet: come closer, or turn the microphone's level up."
    return f"{said} That is a good level, if you spoke."
