"""espeak-ng as a synthesizer: needs no model, speaks a thousand times faster than real time.

It gives the exact time of every word. espeak-ng is GPL-3.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from queue import SimpleQueue
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from voicebot_local.errors import ConfigError, ProviderUnavailable
from voicebot_local.providers.base import (
    EngineInfo,
    ProviderConfig,
    SpokenAudio,
    Steps,
    Word,
)
from voicebot_local.providers.tts.espeak_library import EspeakLibrary, Mark, load

_ONE_AT_A_TIME = threading.Lock()
_AUDIBLE = 64
"""Amplitude of an int16 sample above which there is sound."""


class EspeakConfig(ProviderConfig):
    """Configuration of the espeak-ng synthesizer."""

    provider: Literal["espeak"] = "espeak"
    voice: str = Field(
        "en-us", description='An espeak-ng voice, or a voice and a variant: "en-gb+f3".'
    )
    rate_wpm: int = Field(165, ge=80, le=450, description="Speed, in words per minute.")
    pitch: int = Field(50, ge=0, le=99, description="Pitch; 50 is the voice's own.")
    volume: int = Field(
        100, ge=0, le=100, description="Loudness; 100 is espeak's normal, higher would distort."
    )


class EspeakEngine:
    """Speaks with espeak-ng in this process. Blocking; one call at a time in a process.

    Audio is mono float32 at 22.05 kHz. Each `speak` streams a clause word by word; the work of
    one "block" (60 ms of audio) is one step, so a cancelled call ends within one block. Every
    clause ends in the pause that its punctuation asks for.
    """

    def __init__(self, config: EspeakConfig) -> None:
        """Raises ConfigError where espeak does not know the voice."""
        self._config = config
        self._library = load()
        _check_voice(self._library, config.voice)
        self.info = EngineInfo("cpu", self._library.sample_rate, {"voice": config.voice})

    def speak(self, clauses: Iterator[str], steps: Steps) -> Iterator[SpokenAudio]:
        """Speak one reply, clause by clause. Words are whole tokens of the clause with their
        punctuation: joined by spaces, they are the clause again (spaces aside).

        Raises ProviderUnavailable where another call in this process is still speaking.
        """
        if not _ONE_AT_A_TIME.acquire(blocking=False):
            raise ProviderUnavailable("espeak", "espeak-ng is still speaking another reply.")
        try:
            # The library's voice is global: another engine may have spoken since.
            self._library.set_voice(
                self._config.voice,
                rate_wpm=self._config.rate_wpm,
                pitch=self._config.pitch,
                volume=self._config.volume,
            )
            for number, clause in enumerate(clauses):
                yield from self._speak_clause(number, clause, steps)
        finally:
            _ONE_AT_A_TIME.release()

    def _speak_clause(self, number: int, clause: str, steps: Steps) -> Iterator[SpokenAudio]:
        if not any(c.isalnum() for c in clause):
            return
        tokens = [m.start() for m in re.finditer(r"\S+", clause)]
        # espeak marks several words in one token ("3,650") and one in several tokens ("of the"):
        # a word here is the text from one marked token up to the next marked one.
        token, start = tokens[0], 0
        audio = np.zeros(0, np.int16)
        with closing(_BlockFeed(self._library, clause)) as feed:
            while True:
                with steps("block"):
                    item = feed.next_block()
                if item is None:
                    break
                block, marks = item
                audio = np.concatenate([audio, block])
                for mark in marks:
                    marked = max((t for t in tokens if t <= mark.position), default=token)
                    if marked > token and mark.sample > start:
                        head, audio = np.split(audio, [mark.sample - start])
                        yield self._spoken(head, number, clause[token:marked], start)
                        token, start = marked, mark.sample
        audio = np.concatenate([audio, self._pause_after(clause)])
        yield self._spoken(audio, number, clause[token:], start)

    def _spoken(self, audio: NDArray[np.int16], clause: int, text: str, start: int) -> SpokenAudio:
        """One word: `audio` begins at sample `start` of the clause and may end in silence."""
        heard = np.flatnonzero(np.abs(audio.astype(np.int32)) > _AUDIBLE)
        end = start + (int(heard[-1]) + 1 if len(heard) else len(audio))
        rate = self._library.sample_rate
        word = Word(" ".join(text.split()), start / rate, end / rate)
        return SpokenAudio(audio.astype(np.float32) * np.float32(1 / 32768), clause, (word,))

    def _pause_after(self, clause: str) -> NDArray[np.int16]:
        ending = clause.rstrip(" \t\n\"')]”’")[-1:]
        pause_s = 0.2 if ending in ".!?…" else 0.1 if ending in ",;:" else 0.0
        return np.zeros(round(pause_s * self._library.sample_rate), np.int16)


class _BlockFeed:
    """Blocks of one clause, each synthesized only when it is asked for.

    The library calls back while it synthesizes and cannot be left and resumed; so it runs in a
    thread that rests in its callback between two requests. `close` stops it at once.
    """

    def __init__(self, library: EspeakLibrary, text: str) -> None:
        self._wanted = threading.Semaphore(0)
        self._blocks: SimpleQueue[tuple[NDArray[np.int16], list[Mark]] | None] = SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(
            target=self._run, args=(library, text), name="espeak", daemon=True
        )
        self._thread.start()

    def next_block(self) -> tuple[NDArray[np.int16], list[Mark]] | None:
        """The next block and the words that begin in it; None after the last."""
        self._wanted.release()
        return self._blocks.get()

    def close(self) -> None:
        """End the synthesis and wait for its thread."""
        self._stopped = True
        self._wanted.release()
        self._thread.join()

    def _run(self, library: EspeakLibrary, text: str) -> None:
        try:
            self._wanted.acquire()
            if not self._stopped:
                library.synthesize(text, self._give)
        finally:
            self._blocks.put(None)

    def _give(self, block: NDArray[np.int16], marks: list[Mark]) -> bool:
        self._blocks.put((block, marks))
        self._wanted.acquire()
        return not self._stopped


def _check_voice(library: EspeakLibrary, voice: str) -> None:
    name, _, variant = voice.partition("+")
    if name.lower() not in library.voices:
        raise _unknown("voice", name, library.voices)
    if variant and variant not in library.variants:
        raise _unknown("variant", variant, library.variants)


def _unknown(what: str, given: str, names: Iterable[str]) -> ConfigError:
    nearest = difflib.get_close_matches(given.lower(), names, n=5, cutoff=0.0)
    return ConfigError(
        f"espeak-ng has no {what} {given!r}.",
        f"Set `voice` to one it has, such as {', '.join(nearest)}.",
    )
