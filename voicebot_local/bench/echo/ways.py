"""Ways to take the echo away, to compare: the program's, AEC3 alone, Speex, and none."""

from __future__ import annotations

import time
from collections.abc import Callable
from ctypes import POINTER, c_int16
from typing import Any

import numpy as np

from voicebot_local.audio.echo import FRAME, EchoCanceller, Suppressor
from voicebot_local.errors import ConfigError
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

Way = Callable[[Samples, Samples], Samples]
"""Takes 16 kHz sound, heard and played; gives what is left of the heard."""
BLOCK = 512
SPEEX_FRAME, SPEEX_TAIL = 256, 8192
"""Samples: 16 ms, and 512 ms so that no delay has to be known."""


def nothing(heard: Samples, played: Samples) -> Samples:  # noqa: ARG001
    """The microphone as it is."""
    return heard


def program(heard: Samples, played: Samples) -> Samples:
    """What a session does."""
    canceller = EchoCanceller()
    return _blocks(canceller.push, heard, played, BLOCK)


def aec3(heard: Samples, played: Samples) -> Samples:
    """WebRTC's canceller without the filter before it."""
    return _blocks(Suppressor().push, heard, played, FRAME)


def speex(heard: Samples, played: Samples) -> Samples:
    """Speex's adaptive filter."""
    return _blocks(_speex(), heard, played, SPEEX_FRAME)


def speex_and_aec3(heard: Samples, played: Samples) -> Samples:
    """Speex's filter in the place of the program's."""
    left = speex(heard, played)
    return aec3(left, played[: len(left)])


WAYS: dict[str, Way] = {"none": nothing, "program": program}
COMPARED: dict[str, Way] = WAYS | {"aec3": aec3, "speex": speex, "speex+aec3": speex_and_aec3}


def timed(way: Way, heard: Samples, played: Samples) -> tuple[Samples, float]:
    """What is left, and the processor milliseconds for 10 ms of sound."""
    start = time.process_time()
    left = way(heard, played)
    return left, (time.process_time() - start) * 1000 / (len(heard) / RECOGNIZER_RATE * 100)


def _blocks(push: Way, heard: Samples, played: Samples, size: int) -> Samples:
    places = range(0, len(heard) // size * size, size)
    return np.concatenate([push(heard[at : at + size], played[at : at + size]) for at in places])


def _speex() -> Way:
    """Raises ConfigError where the `pyaec` package is missing."""
    try:
        import pyaec
    except ImportError as error:
        raise ConfigError(
            "Speex is not here to be compared with.", "Install it with pip install pyaec."
        ) from error
    library: Any = pyaec.lib
    state = library.AecNew(SPEEX_FRAME, SPEEX_TAIL, RECOGNIZER_RATE, False)

    def push(heard: Samples, played: Samples) -> Samples:
        left = np.zeros(SPEEX_FRAME, np.int16)
        numbers = [_numbers(heard), _numbers(played), left]
        pointers = [each.ctypes.data_as(POINTER(c_int16)) for each in numbers]
        library.AecCancelEcho(state, *pointers, SPEEX_FRAME)
        return left.astype(np.float32) / np.float32(32768)

    return push


def _numbers(samples: Samples) -> Any:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
