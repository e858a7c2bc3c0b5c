"""`say`: text becomes speech clause by clause, on a loudspeaker or in a file."""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncIterator
from typing import TextIO

import anyio

from voicebot_local.audio.card import CardNotice, SoundCard
from voicebot_local.audio.resample import Resampler
from voicebot_local.audio.wav import WavWriter
from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.errors import DeviceError
from voicebot_local.providers.base import Samples, Synthesizer
from voicebot_local.speaking import Ticks
from voicebot_local.text.clauses import ClauseSplitter
from voicebot_local.text.spoken import spoken

READ_BYTES = 4096
TAIL_S = 0.3
"""What a sound card may still hold when the last sample was handed to it."""


async def given(text: str) -> AsyncIterator[str]:
    """A text that is all there."""
    yield text


async def arriving(stream: TextIO) -> AsyncIterator[str]:
    """What comes on a pipe or from the keyboard, as it comes, until its end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    descriptor = stream.fileno()
    while True:
        try:
            await anyio.wait_readable(descriptor)
        except PermissionError:  # A file on disk is always ready, and cannot be waited for.
            await anyio.lowlevel.checkpoint()
        data = os.read(descriptor, READ_BYTES)
        yield decoder.decode(data, final=not data)
        if not data:
            return


async def clauses(text: AsyncIterator[str]) -> AsyncIterator[str]:
    """Speech-ready clauses, each as soon as it is complete."""
    splitter = ClauseSplitter()
    async for piece in text:
        for clause in splitter.push(piece):
            yield spoken(clause)
    for clause in splitter.finish():
        yield spoken(clause)


async def say_to_file(synthesizer: Synthesizer, text: AsyncIterator[str], file: WavWriter) -> float:
    """Speak `text` into `file`, whose rate is the synthesizer's; the seconds of it.

    Raises ProviderError, and InputError where the disk is full.
    """
    async with synthesizer.speak(clauses(text)) as audio:
        async for chunk in audio:
            file.write(chunk.samples)
    return file.frames_written / file.rate


async def say_aloud(synthesizer: Synthesizer, text: AsyncIterator[str], card: SoundCard) -> None:
    """Speak `text` on the loudspeaker of `card`; returns when it was heard.

    Raises ProviderError, and DeviceError where the loudspeaker fails or goes.
    """
    room = Ticks()
    number = card.playout.begin()
    async with card.open() as ticks, owned_tasks() as tasks:
        tasks.start_soon(_write, synthesizer, text, card, number, room)
        left = round(TAIL_S * card.rate)
        async for tick in ticks:
            if isinstance(tick, CardNotice):
                raise DeviceError(
                    f"{tick.name} is gone: {tick.message}.", "Plug it in again, or name another."
                )
            room.tick()
            if tick.played.finished:
                left -= len(tick.heard)
                if left <= 0:
                    break
        tasks.cancel_scope.cancel()


async def _write(
    synthesizer: Synthesizer,
    text: AsyncIterator[str],
    card: SoundCard,
    number: int,
    room: Ticks,
) -> None:
    resampler = Resampler(synthesizer.sample_rate, card.rate)

    async def put(samples: Samples) -> None:
        while len(samples):
            now = samples[: card.playout.space]
            card.playout.write(number, now)
            samples = samples[len(now) :]
            if len(samples):
                await room.wait()

    async with synthesizer.speak(clauses(text)) as audio:
        async for chunk in audio:
            await put(resampler.push(chunk.samples))
    await put(resampler.finish())
    card.playout.close(number)
