"""Which device is meant, how it is opened, and what a person is told when neither works."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from tests.unit.fake_portaudio import FakeDevice, FakePortAudio, PortAudioError
from voicebot_local.audio.device_streams import RELAY_S, RELAY_START_S, Relay
from voicebot_local.audio.devices import (
    Plan,
    list_devices,
    load_portaudio,
    make_plan,
    pick,
    ways,
)
from voicebot_local.errors import DeviceError

MIC = FakeDevice("USB Microphone: Audio (hw:1,0)", inputs=1)
SPEAKER = FakeDevice("HDA Intel: Analog (hw:0,0)", outputs=2)
HEADSET = FakeDevice("Headset", inputs=1, outputs=2)


def plan_of(portaudio: FakePortAudio, rate: int = 0, capture: bool = True) -> Plan:
    devices = list_devices(portaudio)
    played_to = ways(portaudio, pick(devices, None, "output"), "output")
    if not capture:
        return make_plan(None, played_to, rate)
    return make_plan(ways(portaudio, pick(devices, None, "input"), "input"), played_to, rate)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 1), (0, 0), ("0", 0), ("usb mic", 0), ("HEADSET", 1), ("headset pro", 2), (2, 2)],
)
def test_a_device_is_found(wanted: str | int | None, index: int) -> None:
    portaudio = FakePortAudio(
        [MIC, HEADSET, FakeDevice("Headset Pro", inputs=1)], default_device=(1, 1)
    )
    assert pick(list_devices(portaudio), wanted, "input").index == index


def test_of_one_name_on_two_systems_the_default_system_wins() -> None:
    both = [FakeDevice("Mic", inputs=1, system=0), FakeDevice("Mic", inputs=1, system=1)]
    portaudio = FakePortAudio(both, default_device=(1, 1), systems=("MME", "WASAPI"))
    assert pick(list_devices(portaudio), "mic", "input").index == 1


@pytest.mark.parametrize(
    ("wanted", "message", "mend"),
    [
        ("radio", 'There is no microphone "radio"', "There are: 0 USB Microphone"),
        (7, 'There is no microphone "7"', "2 Headset (CoreAudio)"),
        ("1", 'There is no microphone "1"', "0 USB"),
        ("e", 'More than one microphone is called "e"', "by number: 0 USB"),
    ],
)
def test_a_device_is_not_found(wanted: str | int, message: str, mend: str) -> None:
    devices = list_devices(FakePortAudio([MIC, SPEAKER, HEADSET]))
    with pytest.raises(DeviceError) as caught:
        pick(devices, wanted, "input")
    assert message in caught.value.message
    assert mend in caught.value.mend
    assert "HDA" not in caught.value.mend


def test_no_devices_at_all() -> None:
    with pytest.raises(DeviceError, match="There is no loudspeaker") as caught:
        pick(list_devices(FakePortAudio([MIC])), None, "output")
    assert "--input FILE" in caught.value.mend


def test_a_busy_device() -> None:
    portaudio = FakePortAudio([FakeDevice("Mic", inputs=1, busy=True)])
    with pytest.raises(DeviceError, match="is busy: another program") as caught:
        ways(portaudio, list_devices(portaudio)[0], "input")
    assert "--input-device" in caught.value.mend


def test_a_device_that_refuses_everything() -> None:
    portaudio = FakePortAudio([FakeDevice("Mic", inputs=1, channels=())])
    with pytest.raises(DeviceError, match="cannot be opened: Invalid"):
        ways(portaudio, list_devices(portaudio)[0], "input")


def test_a_sound_system_that_does_not_answer() -> None:
    class Broken(FakePortAudio):
        def query_devices(self) -> list[dict[str, Any]]:
            raise PortAudioError("Internal error", -9986)

    with pytest.raises(DeviceError, match=r"does not answer: .*Internal error"):
        list_devices(Broken([MIC]))


def test_portaudio_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DeviceError, match=r"PortAudio library.*missing") as caught:
        load_portaudio()
    assert "apt-get install libportaudio2" in caught.value.mend


@pytest.mark.parametrize(
    ("inputs", "outputs", "card", "microphone", "loudspeaker"),
    [
        ((48_000,), (44_100, 48_000), 48_000, 48_000, 48_000),
        ((44_100, 48_000), (48_000, 44_100), 44_100, 44_100, 44_100),
        ((16_000,), (48_000,), 16_000, 16_000, 48_000),
        ((96_000, 48_000), (48_000,), 48_000, 48_000, 48_000),
    ],
)
def test_the_rate_is_one_that_both_have(
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    card: int,
    microphone: int,
    loudspeaker: int,
) -> None:
    portaudio = FakePortAudio(
        [FakeDevice("Mic", 1, 0, inputs), FakeDevice("Out", 0, 2, outputs)], default_device=(0, 1)
    )
    plan = plan_of(portaudio)
    assert plan.heard_from is not None
    assert (plan.rate, plan.heard_from.rate, plan.played_to.rate) == (card, microphone, loudspeaker)
    assert plan.name == "Mic and Out"


def test_one_channel_is_heard_and_two_are_played_where_possible() -> None:
    plan = plan_of(FakePortAudio([HEADSET]))
    assert plan.heard_from is not None
    assert (plan.heard_from.channels, plan.played_to.channels) == (1, 2)
    two_only = FakeDevice("Interface", inputs=8, outputs=8, channels=(2,))
    plan = plan_of(FakePortAudio([two_only]))
    assert plan.heard_from is not None
    assert (plan.heard_from.channels, plan.played_to.channels) == (2, 2)


@pytest.mark.parametrize(
    ("device", "system", "joined"),
    [
        (HEADSET, "CoreAudio", True),
        (FakeDevice("HDA (hw:0,0)", 2, 2), "ALSA", True),
        (FakeDevice("default", 32, 32), "ALSA", False),
    ],
)
def test_what_shares_a_stream(device: FakeDevice, system: str, joined: bool) -> None:
    assert plan_of(FakePortAudio([device], systems=(system,))).joined is joined


def test_two_devices_are_two_clocks() -> None:
    portaudio = FakePortAudio([MIC, SPEAKER], default_device=(0, 1))
    assert not plan_of(portaudio).joined


def test_a_card_keeps_its_rate_when_it_is_opened_again() -> None:
    portaudio = FakePortAudio([HEADSET])
    assert plan_of(portaudio, 44_100).rate == 44_100
    plan = plan_of(portaudio, 24_000)
    assert plan.heard_from is not None
    assert (plan.rate, plan.heard_from.rate, plan.joined) == (24_000, 48_000, False)


def test_a_loudspeaker_alone_has_to_run_at_the_cards_rate() -> None:
    portaudio = FakePortAudio([SPEAKER])
    assert plan_of(portaudio, capture=False).rate == 48_000
    assert plan_of(portaudio, 16_000, capture=False).rate == 16_000
    with pytest.raises(DeviceError, match="does not run at 24000 Hz"):
        plan_of(portaudio, 24_000, capture=False)


def test_a_relay_waits_for_a_little_then_flows() -> None:
    rate = 1_000
    relay, enough = Relay(rate), round(RELAY_START_S * rate)
    relay.put(np.ones(enough - 1, np.float32))
    assert not relay.take(10).any()
    relay.put(np.ones(1, np.float32))
    assert [relay.take(10).sum() for _ in range(3)] == [10, 10, 10]
    assert not relay.take(10).any()
    relay.put(np.ones(10, np.float32))
    assert not relay.take(10).any(), "after a pause it waits again"


def test_a_relay_drops_the_oldest() -> None:
    rate = 1_000
    relay, most = Relay(rate), round(RELAY_S * rate)
    relay.put(np.arange(most + 50, dtype=np.float32))
    assert relay.take(1)[0] == 50
