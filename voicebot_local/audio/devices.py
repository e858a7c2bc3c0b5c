"""Which microphones and loudspeakers there are, and which of them is meant."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from voicebot_local.audio.quiet import quiet_libraries, silence_alsa
from voicebot_local.errors import DeviceError

Direction = Literal["input", "output"]
KIND: dict[Direction, str] = {"input": "microphone", "output": "loudspeaker"}
COMMON_RATES = (48_000, 44_100, 16_000, 32_000, 24_000, 22_050, 8_000)
DEVICE_UNAVAILABLE = -9985
"""PortAudio's code for a device that another program holds."""
RECORDINGS = "Without a sound card, talk with recordings: `voicebot-local run --input FILE`."


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the sound system. `inputs` and `outputs` count its channels."""

    index: int
    name: str
    system: str
    inputs: int
    outputs: int
    rate: int
    is_default_input: bool = False
    is_default_output: bool = False

    def channels(self, direction: Direction) -> int:
        return self.inputs if direction == "input" else self.outputs

    def is_default(self, direction: Direction) -> bool:
        return self.is_default_input if direction == "input" else self.is_default_output


def load_portaudio() -> Any:
    """The `sounddevice` module; raises DeviceError where the PortAudio library is missing."""
    try:
        with quiet_libraries():
            portaudio = importlib.import_module("sounddevice")
    except OSError as error:
        raise DeviceError(
            "The PortAudio library, which plays and records sound, is missing.",
            "Install it: `sudo apt-get install libportaudio2` (Debian, Ubuntu) or "
            "`sudo dnf install portaudio` (Fedora).",
        ) from error
    silence_alsa()
    return portaudio


def list_devices(portaudio: Any = None) -> list[Device]:
    """Every device of the sound system, in its order. Raises DeviceError like `load_portaudio`."""
    portaudio = portaudio or load_portaudio()
    try:
        systems = [str(system["name"]) for system in portaudio.query_hostapis()]
        default_input, default_output = portaudio.default.device
        return [
            Device(
                index=index,
                name=str(device["name"]),
                system=systems[device["hostapi"]],
                inputs=int(device["max_input_channels"]),
                outputs=int(device["max_output_channels"]),
                rate=int(device["default_samplerate"]),
                is_default_input=index == default_input,
                is_default_output=index == default_output,
            )
            for index, device in enumerate(portaudio.query_devices())
        ]
    except portaudio.PortAudioError as error:
        raise DeviceError(f"The sound system does not answer: {error}.", RECORDINGS) from error


def pick(devices: Sequence[Device], wanted: str | int | None, direction: Direction) -> Device:
    """The device that is meant: by number, by a part of its name in any case, or the default.

    An exact name wins over a part of one, and of devices that several sound systems offer, the one
    of the default's system. Raises DeviceError that lists what there is.
    """
    kind = KIND[direction]
    usable = [device for device in devices if device.channels(direction)]
    if not usable:
        raise DeviceError(f"There is no {kind} on this machine.", RECORDINGS)
    default = next((device for device in usable if device.is_default(direction)), None)
    if wanted is None:
        return default or usable[0]
    if isinstance(wanted, int) or wanted.isdecimal():
        found = [device for device in usable if device.index == int(wanted)]
    else:
        name = wanted.casefold()
        found = [device for device in usable if name in device.name.casefold()]
        found = [device for device in found if name == device.name.casefold()] or found
        if default is not None and len(found) > 1:
            found = [device for device in found if device.system == default.system] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise DeviceError(f'There is no {kind} "{wanted}".', f"There are: {_names(usable)}.")
    raise DeviceError(
        f'More than one {kind} is called "{wanted}".', f"Say which by number: {_names(found)}."
    )


@dataclass(frozen=True, slots=True)
class Way:
    """How one device is opened."""

    device: Device
    rate: int
    channels: int


def ways(portaudio: Any, device: Device, direction: Direction) -> list[Way]:
    """How a device can be opened, one way a rate, its own favourite rate first.

    A microphone in one channel where it can, a loudspeaker in two: that is what they are made for.
    Raises DeviceError where there is no way, which is mostly because another program uses it.
    """
    check = getattr(portaudio, f"check_{direction}_settings")
    counts = (1, 2) if direction == "input" else (2, 1)
    found, refusal = [], None
    for rate in dict.fromkeys((device.rate, *COMMON_RATES)):
        for channels in counts:
            if channels > device.channels(direction):
                continue
            try:
                with quiet_libraries():
                    check(device.index, channels, "float32", samplerate=rate)
            except portaudio.PortAudioError as error:
                refusal = error
            else:
                found.append(Way(device, rate, channels))
                break
    if not found:
        raise refused(device, direction, refusal)
    return found


def supported_rates(portaudio: Any, device: Device, direction: Direction) -> list[int]:
    """The sample rates that a device runs at, its own favourite first; none where it is busy."""
    try:
        return [way.rate for way in ways(portaudio, device, direction)]
    except DeviceError:
        return []


@dataclass(frozen=True, slots=True)
class Plan:
    """How a card is opened: at `rate`, which its devices run at, too, where they can.

    `joined`: one stream for both directions, at `rate`. Without a microphone (`heard_from` None)
    the loudspeaker is the clock and runs at `rate`.
    """

    rate: int
    heard_from: Way | None
    played_to: Way
    joined: bool = False

    @property
    def name(self) -> str:
        names = [way.device.name for way in (self.heard_from, self.played_to) if way is not None]
        return " and ".join(dict.fromkeys(names))


def make_plan(heard_from: Sequence[Way] | None, played_to: Sequence[Way], rate: int = 0) -> Plan:
    """Choose the rate that both devices run at, the microphone's favourite first.

    Where they agree on none, the card runs at the microphone's. `rate`: what the card already runs
    at, when its devices are opened again; 0 when they are opened first. Raises DeviceError where a
    loudspeaker alone cannot run at it.
    """
    if heard_from is None:
        chosen = next((way for way in played_to if rate in (0, way.rate)), None)
        if chosen is None:
            name = played_to[0].device.name
            raise DeviceError(f'The loudspeaker "{name}" does not run at {rate} Hz.', RECORDINGS)
        return Plan(chosen.rate, None, chosen)
    for heard in heard_from:
        for played in played_to:
            if heard.rate == played.rate and rate in (0, heard.rate):
                return Plan(heard.rate, heard, played, _can_join(heard.device, played.device))
    return Plan(rate or heard_from[0].rate, heard_from[0], played_to[0])


def _can_join(microphone: Device, loudspeaker: Device) -> bool:
    """Two devices are two clocks; and ALSA's way to a sound server, which is every ALSA device that
    is no hardware, locks up in a stream of both directions when the server goes."""
    hardware = microphone.system != "ALSA" or "(hw:" in microphone.name
    return hardware and microphone.index == loudspeaker.index


def refused(device: Device, direction: Direction, error: Exception | None) -> DeviceError:
    """What a person is told where a device cannot be opened."""
    code = error.args[1] if error is not None and len(error.args) > 1 else None
    what = f'The {KIND[direction]} "{device.name}"'
    if code == DEVICE_UNAVAILABLE:
        return DeviceError(
            f"{what} is busy: another program is using it.",
            f"Close that program, or choose another with `--{direction}-device`.",
        )
    reason = error.args[0] if error is not None and error.args else "no sample rate works"
    return DeviceError(
        f"{what} cannot be opened: {reason}.", f"Choose another with `--{direction}-device`."
    )


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.index} {device.name} ({device.system})" for device in devices)
