"""The recording of a room, from a card whose room is known, and what is said of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.cli.fake_portaudio import FakePortAudio
from tests.unit.fake_portaudio import FakeDevice
from tests.unit.fake_portaudio import FakePortAudio as DevicePortAudio
from voicebot_local.audio.card import Block, CardNotice
from voicebot_local.audio.device_card import DeviceCard
from voicebot_local.audio.playout import Playout
from voicebot_local.config import AudioConfig
from voicebot_local.doctor.result import Result
from voicebot_local.doctor.sound import Take, described, judge_echo, judge_microphone, lacking, take
from voicebot_local.errors import DeviceError

BLOCK = 480


@dataclass
class Room:
    """A sound card in a room: what it plays comes back `delay` samples later, times `gain`.

    Its clock runs `fast` times as fast as it says; at sample `gone_at` it goes; `lost` samples are
    lost in the tenth block.
    """

    rate: int = 48_000
    delay: int = 2000
    gain: float = 0.1
    noise: float = 0.001
    fast: float = 1.0
    gone_at: int = 10**9
    lost: int = 0
    name: str = "Room"
    time_s: float = 0.0
    playout: Playout = field(default_factory=lambda: Playout(480_000))

    def clock(self) -> float:
        return self.time_s

    def rest(self, resting: bool) -> None:
        pass

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Block | CardNotice], None]:
        ticks = self._ticks()
        try:
            yield ticks
        finally:
            await ticks.aclose()

    async def _ticks(self) -> AsyncGenerator[Block | CardNotice, None]:
        rng = np.random.default_rng(1)
        air = np.zeros(20 * self.rate)
        for position in range(0, len(air) - BLOCK - self.delay, BLOCK):
            if position >= self.gone_at:
                yield CardNotice(self.name, lost=True, message="unplugged")
            self.time_s += BLOCK / self.rate / self.fast
            played = self.playout.pull(BLOCK)
            air[position + self.delay :][:BLOCK] += self.gain * played.samples
            heard = air[position : position + BLOCK] + self.noise * rng.standard_normal(BLOCK)
            heard = np.clip(heard, -1, 1).astype(np.float32)
            yield Block(position, heard, played, self.lost if position == 10 * BLOCK else 0)


async def judged(room: Room) -> tuple[Result, Result]:
    taken = await take(room, room.clock, play=True)
    return judge_microphone(room.name, taken), judge_echo(taken)


@pytest.mark.anyio
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
async def test_a_good_room(rate: int) -> None:
    microphone, echo = await judged(Room(rate=rate))
    assert (microphone.status, microphone.mend) == ("green", "")
    assert microphone.details["rate"] == rate
    measured = microphone.details["measured_rate"]
    assert isinstance(measured, int)
    assert abs(measured / rate - 1) < 0.005
    assert microphone.details["noise_floor_dbfs"] == pytest.approx(-60, abs=1)
    assert (echo.status, echo.mend) == ("green", "")
    assert echo.details["round_trip_s"] == pytest.approx(2000 / rate, abs=2 / rate + 1e-4)
    assert echo.details["return_db"] == pytest.approx(-20, abs=0.5)


@pytest.mark.anyio
async def test_a_muted_microphone() -> None:
    microphone, echo = await judged(Room(noise=0, gain=0))
    assert (microphone.status, "muted" in microphone.mend) == ("red", True)
    assert echo.status == "yellow"


@pytest.mark.anyio
async def test_a_noise_gate_is_not_taken_for_a_muted_microphone() -> None:
    microphone, echo = await judged(Room(noise=0))
    assert (microphone.status, "noise gate" in microphone.mend) == ("yellow", True)
    assert echo.status == "green"


@pytest.mark.anyio
async def test_a_headset_hears_no_loudspeaker() -> None:
    microphone, echo = await judged(Room(gain=0))
    assert microphone.status == "green"
    assert (echo.status, "headset" in echo.mend) == ("yellow", True)


@pytest.mark.anyio
async def test_a_noisy_room() -> None:
    microphone, _ = await judged(Room(noise=0.02))
    assert (microphone.status, "too loud to hear you" in microphone.mend) == ("yellow", True)


@pytest.mark.anyio
async def test_a_microphone_that_clips() -> None:
    microphone, _ = await judged(Room(gain=6.0))
    assert (microphone.status, "clips" in microphone.mend) == ("yellow", True)


@pytest.mark.anyio
async def test_a_loud_echo() -> None:
    _, echo = await judged(Room(gain=1.0))
    assert (echo.status, "headset" in echo.mend) == ("yellow", True)
    assert echo.details["return_db"] == pytest.approx(0, abs=0.5)


@pytest.mark.anyio
async def test_a_slow_way() -> None:
    _, echo = await judged(Room(delay=19_200))
    assert (echo.status, "Bluetooth" in echo.mend) == ("yellow", True)
    assert echo.details["round_trip_s"] == pytest.approx(0.4, abs=0.001)


@pytest.mark.anyio
async def test_a_rate_that_is_not_the_one_it_says() -> None:
    microphone, _ = await judged(Room(fast=44_100 / 48_000))
    assert (microphone.status, "rate it says" in microphone.mend) == ("red", True)
    assert microphone.details["measured_rate"] == pytest.approx(44_100, abs=50)


@pytest.mark.anyio
async def test_lost_sound() -> None:
    microphone, _ = await judged(Room(lost=480))
    assert (microphone.status, "too busy" in microphone.mend) == ("yellow", True)


@pytest.mark.anyio
async def test_a_card_that_goes() -> None:
    with pytest.raises(DeviceError, match="Room is gone: unplugged"):
        await judged(Room(gone_at=48_000))


def test_a_loudspeaker_that_plays_nothing() -> None:
    silence = np.zeros(48_000, np.float32)
    assert judge_echo(Take(48_000, silence, None, 48_000, 1.0, 0)).status == "red"


def test_a_machine_without_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", FakePortAudio())
    found = lacking(AudioConfig())
    assert found is not None
    assert (found.status, found.summary) == (
        "yellow",
        "no microphone and no loudspeaker on this machine",
    )
    assert "--input FILE" in found.mend
    assert lacking(AudioConfig(input_device="usb")) is None


def test_devices_that_agree_on_no_rate() -> None:
    portaudio = DevicePortAudio(
        [
            FakeDevice("Mic", inputs=1, rates=(16_000,)),
            FakeDevice("Amp", outputs=2, rates=(44_100,)),
        ],
        default_device=(0, 1),
    )
    card = DeviceCard(portaudio=portaudio)
    assert card.rate == 16_000
    assert described(card.plan) == "Mic and Amp (loudspeaker 44100 Hz, converted)"


def test_devices_that_agree() -> None:
    portaudio = DevicePortAudio([FakeDevice("Box", inputs=1, outputs=2)])
    assert described(DeviceCard(portaudio=portaudio).plan) == "Box"


def test_a_machine_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", FakePortAudio(("x", 1, 2)))
    assert lacking(AudioConfig()) is None
