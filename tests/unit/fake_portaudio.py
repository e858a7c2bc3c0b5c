"""A PortAudio to plug devices into and out of: behaves like the `sounddevice` module, silently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    """Carries a text and a code, like the real one."""


@dataclass
class FakeDevice:
    name: str
    inputs: int = 0
    outputs: int = 0
    rates: tuple[int, ...] = (48_000, 44_100, 16_000)
    channels: tuple[int, ...] = (1, 2)
    system: int = 0
    busy: bool = False


@dataclass
class FakeStream:
    """An open stream; `tick` is what the sound system does when it is time."""

    portaudio: FakePortAudio
    kind: str
    callback: Callable[..., None]
    finished_callback: Callable[[], None]
    device: Any
    channels: Any
    samplerate: int
    blocksize: int
    dtype: str
    latency: str
    running: bool = False

    def start(self) -> None:
        self.running = True
        self.portaudio.streams.append(self)

    def close(self, ignore_errors: bool) -> None:
        assert ignore_errors
        self.stop()

    def stop(self) -> None:
        """Ends by itself, or is closed."""
        if self.running:
            self.running = False
            self.portaudio.streams.remove(self)
            self.finished_callback()

    def tick(self, heard: float = 0.0) -> np.ndarray:
        """One block: `heard` in every channel; gives what is to be played."""
        count = self.blocksize
        inputs, outputs = {
            "both": lambda: self.channels,
            "input": lambda: (self.channels, 0),
            "output": lambda: (0, self.channels),
        }[self.kind]()
        # Like the real one, it uses its memory again after the call.
        indata = np.full((count, inputs), heard, np.float32)
        outdata = np.full((count, outputs), np.nan, np.float32)
        if self.kind == "both":
            self.callback(indata, outdata, count, None, None)
        else:
            self.callback(indata if inputs else outdata, count, None, None)
        indata[:] = 9
        return outdata


@dataclass
class FakePortAudio:
    devices: list[FakeDevice]
    default_device: tuple[int, int] = (0, 0)
    systems: tuple[str, ...] = ("CoreAudio",)
    joins: bool = True
    streams: list[FakeStream] = field(default_factory=list)
    restarts: int = 0
    known: list[FakeDevice] = field(default_factory=list)
    """The devices that were there when it last began: like the real one, it sees no others."""
    later: dict[int, list[FakeDevice]] = field(default_factory=dict)
    """What is plugged in when it begins for the nth time."""
    PortAudioError = PortAudioError

    def __post_init__(self) -> None:
        self._initialize()

    @property
    def default(self) -> SimpleNamespace:
        here = [index if index < len(self.known) else -1 for index in self.default_device]
        return SimpleNamespace(device=tuple(here))

    def _terminate(self) -> None:
        for stream in list(self.streams):
            stream.stop()

    def _initialize(self) -> None:
        self.restarts += 1
        self.devices = self.later.get(self.restarts, self.devices)
        self.known = list(self.devices)

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        return tuple({"name": name} for name in self.systems)

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": device.name,
                "hostapi": device.system,
                "max_input_channels": device.inputs,
                "max_output_channels": device.outputs,
                "default_samplerate": float(device.rates[0]),
            }
            for device in self.known
        ]

    def check_input_settings(self, index: int, channels: int, dtype: str, samplerate: int) -> None:
        device = self.known[index]
        if device.busy or device not in self.devices:
            raise PortAudioError("Device unavailable", -9985)
        if samplerate not in device.rates:
            raise PortAudioError("Invalid sample rate", -9997)
        if channels not in device.channels:
            raise PortAudioError("Invalid number of channels", -9998)

    check_output_settings = check_input_settings

    def Stream(self, **options: Any) -> FakeStream:  # noqa: N802
        if not self.joins:
            raise PortAudioError("Bad I/O device combination", -9993)
        return self._open("both", options["device"], options)

    def InputStream(self, **options: Any) -> FakeStream:  # noqa: N802
        return self._open("input", (options["device"],), options)

    def OutputStream(self, **options: Any) -> FakeStream:  # noqa: N802
        return self._open("output", (options["device"],), options)

    def _open(self, kind: str, indices: tuple[int, ...], options: dict[str, Any]) -> FakeStream:
        for index in indices:
            self.check_input_settings(
                index, self.known[index].channels[0], "", options["samplerate"]
            )
        return FakeStream(portaudio=self, kind=kind, **options)

    def stream(self, kind: str) -> FakeStream:
        (found,) = [stream for stream in self.streams if stream.kind == kind]
        return found
