"""The few functions of libespeak-ng that this program calls, bound with ctypes.

The library keeps one global state per process: one voice, one synthesis at a time. It is GPL-3 and
comes from the `espeakng-loader` package, which carries the library and its voices.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot_local.errors import ModelError

BLOCK_MS = 40
"""Length asked for of the blocks that the library hands over, in milliseconds."""

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_WORD = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a word begins: `sample` in the audio, `position` in the text, both from 0."""

    sample: int
    position: int


Sink = Callable[[NDArray[np.int16], list[Mark]], bool]
"""Takes a block and the marks that lie in it; returns False to stop the synthesis."""


class _Id(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakLibrary:
    """The loaded library. Get it with `load()`; there is one in a process."""

    def __init__(self) -> None:
        import espeakng_loader

        data = Path(espeakng_loader.get_data_path())
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self.sample_rate: int = self._lib.espeak_Initialize(
            _SYNCHRONOUS, BLOCK_MS, str(data).encode(), _DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise ModelError(
                f"espeak-ng could not read its voices in {data}.",
                "Install it again: pip install --force-reinstall espeakng-loader",
            )
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._lib.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._sink: Sink | None = None
        # The library keeps only the address: the object must outlive every call.
        self._callback = _Callback(self._on_block)
        self._lib.espeak_SetSynthCallback(self._callback)
        self.variants = frozenset(p.name for p in (data / "voices" / "!v").iterdir())

    @cached_property
    def voices(self) -> dict[str, str]:
        """Every name that a voice goes by ("en-gb", "English (America)", "gmw/en-US"), in small
        letters, and the identifier of that voice. Variants are not among them."""
        found: dict[str, tuple[int, str]] = {}
        listed = self._lib.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            voice = listed[index].contents
            identifier = voice.identifier.decode("utf-8", "replace")
            names = [(0, identifier), (0, voice.name.decode("utf-8", "replace"))]
            for rank, name in [*names, *_languages(voice.languages)]:
                known = found.get(name.lower())
                if known is None or rank < known[0]:
                    found[name.lower()] = (rank, identifier)
            index += 1
        return {name: identifier for name, (_, identifier) in found.items()}

    def set_voice(self, voice: str, *, rate_wpm: int, pitch: int, volume: int) -> None:
        """Speak from now on with this voice, a name in `voices` and maybe "+" and a variant.

        Raises KeyError where there is no such voice.
        """
        name, plus, variant = voice.partition("+")
        # The library finds a voice by its identifier, and by some of its languages only.
        full = self.voices[name.lower()] + plus + variant
        if self._lib.espeak_SetVoiceByName(full.encode()) != 0:
            raise KeyError(full)
        for parameter, value in ((_RATE, rate_wpm), (_PITCH, pitch), (_VOLUME, volume)):
            self._lib.espeak_SetParameter(parameter, value, 0)

    def synthesize(self, text: str, sink: Sink) -> None:
        """Speak `text`, giving `sink` one block after the other; returns when all is spoken."""
        data = text.replace("\0", " ").encode()
        self._sink = sink
        try:
            self._lib.espeak_Synth(
                data, len(data) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
            )
        finally:
            self._sink = None

    def _on_block(self, samples: object, count: int, events: object) -> int:
        marks: list[Mark] = []
        index = 0
        while (event := events[index]).type:  # type: ignore[index]
            if event.type == _WORD:
                marks.append(Mark(event.sample, event.text_position - 1))
            index += 1
        if samples and count > 0:
            block = np.ctypeslib.as_array(samples, (count,)).copy()
        else:
            block = np.zeros(0, np.int16)
        assert self._sink is not None
        return 0 if self._sink(block, marks) else 1


@cache
def load() -> EspeakLibrary:
    """The library, initialised once in this process."""
    return EspeakLibrary()


def _languages(address: int | None) -> list[tuple[int, str]]:
    """The languages of a voice, each with its rank there, 1 the first: a byte and a string,
    repeated, ended by a zero."""
    names: list[tuple[int, str]] = []
    while address and (rank := ctypes.string_at(address, 1)) != b"\0":
        name = ctypes.string_at(address + 1)
        names.append((rank[0], name.decode("utf-8", "replace")))
        address += len(name) + 2
    return names
