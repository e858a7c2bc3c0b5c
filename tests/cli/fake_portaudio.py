"""A sound system for tests of what is found on a machine; it makes no sound."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class FakePortAudio(SimpleNamespace):
    """A machine with one microphone and one loudspeaker, or with less."""

    PortAudioError = OSError

    def __init__(self, *devices: tuple[str, int, int]) -> None:
        super().__init__(default=SimpleNamespace(device=(-1, -1)))
        self._devices = devices
        self.check_input_settings = self.check_output_settings = lambda *_, **__: None

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "hostapi": 0,
                "max_input_channels": inputs,
                "max_output_channels": outputs,
                "default_samplerate": 48_000,
            }
            for name, inputs, outputs in self._devices
        ]
