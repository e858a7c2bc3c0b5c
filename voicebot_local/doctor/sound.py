"""Microphone and loudspeaker as they really run: rates, levels, and what comes back of a chirp."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voicebot_local.audio.card import CardNotice, SoundCard
from voicebot_local.audio.devices import KIND, Direction, Plan, list_devices
from voicebot_local.audio.level import LevelMeter
from voicebot_local.config import AudioConfig
from voicebot_local.doctor.loopback import LONGEST_S, Loopback, chirp, measure
from voicebot_local.doctor.result import Result
from voicebot_local.errors import DeviceError
from voicebot_local.providers.base import Samples

SETTLE_S = 0.5
"""Sound cards begin with a click and with silence; that says nothing."""
QUIET_S = 1.0
"""How long the room is listened to before the chirp."""
MUTED_DBFS = -85.0
NOISY_DBFS = -40.0
GATED_PEAK = 0.003
"""Something louder than this was heard, so that what is silent is not the microphone."""
CLIPPED = 0.999
RATE_OFF = 0.03
"""A card whose clock differs by more has a rate that is not the one it says."""
LATE_S = 0.25
LOUD_DB = -6.0
"""An echo louder than this is as loud as the user."""
BY_HAND = "`voicebot-local devices` lists them, `devices --test` records and plays."


@dataclass(frozen=True, slots=True)
class Take:
    """What was recorded, at `rate`: quiet first, then from sample `played_at` on the chirp (None
    where none was played). `took_s` is the time of the clock for `counted` of the samples."""

    rate: int
    heard: Samples
    played_at: int | None
    counted: int
    took_s: float
    lost: int


async def take(card: SoundCard, clock: Callable[[], float], *, play: bool) -> Take:
    """Listen to the room and, with `play`, play the chirp and go on listening.

    Raises DeviceError where the devices cannot be opened or go.
    """
    rate = card.rate
    start = round((SETTLE_S + QUIET_S) * rate)
    end = start + (len(chirp(rate)) + round(LONGEST_S * rate) if play else 0)
    blocks: list[Samples] = []
    position = lost = 0
    played_at: int | None = None
    number = 0
    began = (0.0, 0)
    async with card.open() as ticks:
        async for tick in ticks:
            if isinstance(tick, CardNotice):
                raise DeviceError(f"{tick.name} is gone: {tick.message}.", "Plug it in again.")
            if not number and position >= start and play:
                number = card.playout.begin()
                card.playout.write(number, chirp(rate))
                card.playout.close(number)
            if number and played_at is None and tick.played.reply_played:
                sounding = np.flatnonzero(tick.played.samples)
                # The chirp begins with a zero.
                played_at = position + max(0, (int(sounding[0]) if len(sounding) else 0) - 1)
                end = max(end, played_at + len(chirp(rate)) + round(LONGEST_S * rate))
            lost += tick.lost
            blocks.append(tick.heard)
            position += len(tick.heard)
            if not began[1] and position >= SETTLE_S * rate:
                began = (clock(), position)
            if position >= end:
                break
        ended = clock()
    heard = np.concatenate(blocks)
    return Take(rate, heard, played_at, position - began[1], ended - began[0], lost)


def described(plan: Plan) -> str:
    """The devices, and the rates of those that do not run at the card's."""
    ways = {"microphone": plan.heard_from, "loudspeaker": plan.played_to}
    odd = [
        f"{kind} {way.rate} Hz"
        for kind, way in ways.items()
        if way is not None and way.rate != plan.rate
    ]
    return f"{plan.name} ({', '.join(odd)}, converted)" if odd else plan.name


def judge_microphone(name: str, taken: Take) -> Result:
    """The rate that it really runs at, its level and its noise floor; `name` of the devices."""
    settled = round(SETTLE_S * taken.rate)
    meter = LevelMeter(taken.rate)
    meter.push(taken.heard[settled : settled + round(QUIET_S * taken.rate)])
    floor = max(-120.0, meter.quietest_db())
    peak = float(np.abs(taken.heard[settled:]).max(initial=0))
    real = taken.counted / taken.took_s if taken.took_s else 0.0
    loudest = 20 * math.log10(max(peak, 1e-6))
    details = {
        "rate": taken.rate,
        "measured_rate": round(real),
        "noise_floor_dbfs": round(floor, 1),
        "peak_dbfs": round(loudest, 1),
        "lost_samples": taken.lost,
    }
    said = (
        f"{name}: {taken.rate} Hz ({real:.0f} measured), noise floor {floor:.0f} dBFS, "
        f"loudest {loudest:.0f} dBFS"
    )
    level = "Look at its level in the system's sound settings. "
    if floor < MUTED_DBFS and peak > GATED_PEAK:
        mend = (
            "It gives exact silence between sounds: a noise gate, which cuts off soft beginnings."
        )
        return Result("microphone", "yellow", said, mend, details)
    if floor < MUTED_DBFS:
        mend = f"It gives silence: it is muted, or another one is meant. {BY_HAND}"
        return Result("microphone", "red", said, mend, details)
    if real and abs(real / taken.rate - 1) > RATE_OFF:
        mend = "It does not run at the rate it says. Choose another with --input-device. " + BY_HAND
        return Result("microphone", "red", said, mend, details)
    if taken.lost:
        mend = "Sound was lost: the machine is too busy. Close other programs."
        return Result("microphone", "yellow", said, mend, details)
    if peak >= CLIPPED:
        mend = f"{level}It is too loud: it clips."
        return Result("microphone", "yellow", said, mend, details)
    if floor > NOISY_DBFS:
        mend = f"{level}The room or its level is too loud to hear you well."
        return Result("microphone", "yellow", said, mend, details)
    return Result("microphone", "green", said, "", details)


def judge_echo(taken: Take) -> Result:
    """What came back of the chirp."""
    name = "echo"
    if taken.played_at is None:
        return Result(name, "red", "the loudspeaker played nothing", BY_HAND)
    found: Loopback | None = measure(taken.heard, taken.played_at, taken.rate)
    if found is None:
        return Result(
            name,
            "yellow",
            "the microphone did not hear the loudspeaker's chirp",
            "With a headset that is right. Else turn the loudspeaker up, or choose another with "
            "--output-device.",
        )
    details = {
        "round_trip_s": round(found.delay_s, 4),
        "return_db": round(found.return_db, 1),
        "certainty": round(min(found.sure, 1e6), 1),
    }
    said = (
        f"round trip {found.delay_s * 1000:.0f} ms, the loudspeaker comes back at "
        f"{found.return_db:.0f} dB"
    )
    if found.return_db > LOUD_DB:
        mend = "Turn the loudspeaker down, move the microphone away, or use a headset."
        return Result(name, "yellow", said, mend, details)
    if found.delay_s > LATE_S:
        mend = "That is slow, as Bluetooth is: use a cable, so that answers come sooner."
        return Result(name, "yellow", said, mend, details)
    return Result(name, "green", said, "", details)


def lacking(audio: AudioConfig) -> Result | None:
    """A yellow line where the machine has no microphone or no loudspeaker, and none was named;
    recordings then stand in for them."""
    try:
        devices = list_devices()
    except DeviceError as error:
        return Result("sound", "yellow", error.message.rstrip("."), error.mend)
    if audio.input_device != "" or audio.output_device != "":
        return None
    directions: list[Direction] = ["input", "output"]
    none = [
        KIND[direction]
        for direction in directions
        if not any(device.channels(direction) for device in devices)
    ]
    if not none:
        return None
    return Result(
        "sound",
        "yellow",
        f"no {' and no '.join(none)} on this machine",
        "Plug one in, or talk with recordings: `voicebot-local run --input FILE`.",
    )
