"""What a recognizer understands of a labelled turn at each of its silences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from voicebot_local.bench.recordings import load_sound
from voicebot_local.bench.turns.labels import LabelledTurn
from voicebot_local.providers.base import RECOGNIZER_RATE, Recognizer, Samples

SILENCE_S = 0.2
"""How much of the silence the recognizer hears, as where a reply is prepared (s)."""
BLOCK = RECOGNIZER_RATE // 10


async def understood(turn: LabelledTurn, recognizer: Recognizer) -> LabelledTurn:
    """`turn`, with the final transcripts of all that is said before each silence. Raises InputError
    where the recording is damaged, ProviderError where the recognizer fails."""
    samples = load_sound(turn.path, RECOGNIZER_RATE).samples
    texts = []
    for start_s, _ in turn.silences:
        heard = samples[: round((start_s + SILENCE_S) * RECOGNIZER_RATE)]
        async with recognizer.transcribe(_blocks(heard)) as transcripts:
            said = [transcript async for transcript in transcripts]
        texts.append((start_s, said[-1].text))
    return replace(turn, understood=tuple(texts))


async def _blocks(samples: Samples) -> AsyncIterator[Samples]:
    for start in range(0, len(samples), BLOCK):
        yield samples[start : start + BLOCK]
