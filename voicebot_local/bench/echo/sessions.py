"""Whole sessions in a simulated room: who interrupts whom.

The starter's recognizer and synthesizer listen and speak; what is said comes from a script, for
replies have to be long. The user asks, waits until the assistant is well under way, and speaks over
the reply; the reply to that is left alone, so that most of the time the echo is all there is.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import anyio
import numpy as np
import soundfile

from voicebot_local.audio.file_card import FileCard
from voicebot_local.bench.echo.card import RoomCard
from voicebot_local.bench.echo.room import Echo, Room
from voicebot_local.bench.echo.speech import (
    SENTENCES,
    assistant_speech,
    speech_level,
    user_speech,
)
from voicebot_local.bench.figures import Figure, figure
from voicebot_local.config import Config
from voicebot_local.events import Entry, EventLog, ReplyPaused, ReplyStopped, SpeechStarted
from voicebot_local.providers.base import Message, Recognizer, Synthesizer, TextDelta
from voicebot_local.providers.registry import choice, open_provider
from voicebot_local.session import Session, SessionSettings

RATE = 24_000
BLOCK_S = 0.02
LEVEL = 10 ** (-26 / 20)
"""How loud the user speaks, root mean square of speech."""
SENTENCES_A_REPLY = 8
"""Of about five seconds each."""
EXCHANGE_S = 38.0
"""How long the assistant talks for each recording, about: a reply that is interrupted, and one."""
INTO_S = 6.0
"""How long after the question's end the user speaks over the reply; it varies by a second."""
MOST = 2.0
"""A session is left when it has lasted so many times as long as it should."""
LATE_S = 2.5
"""What happens so long after the user's speech is the user's doing."""


@dataclass(frozen=True, slots=True)
class SessionFinding:
    """One session. `assistant_s`: how long the assistant was heard.

    `self_interruptions`: replies that were stopped though the user was silent; `false_pauses`:
    replies that stood still for a moment though the user was silent; `false_turns`: other turns
    that began out of nothing. `stopped` of `interruptions` by the user ended the reply;
    `pause_ms` and `stop_ms`: from the user's first sample until the reply paused, and was given up.
    """

    room: str
    user_db: float
    cancel: bool
    assistant_s: float
    self_interruptions: int
    false_pauses: int
    false_turns: int
    interruptions: int
    stopped: int
    pause_ms: Figure | None
    stop_ms: Figure | None
    cpu_s: float


@dataclass
class Talker:
    """A chat model that has much to say about anything."""

    asked: int = 0
    users: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[AsyncIterator[TextDelta]]:
        self.users.append(messages[-1].content)
        first, self.asked = self.asked, self.asked + 3
        yield self._deltas(first)

    async def _deltas(self, first: int) -> AsyncIterator[TextDelta]:
        for number in range(SENTENCES_A_REPLY):
            yield TextDelta(SENTENCES[(first + number) % len(SENTENCES)] + " ")

    async def prefill(self, messages: Sequence[Message]) -> None:
        """It reads nothing."""


@dataclass(frozen=True, slots=True)
class _Providers:
    recognizer: Recognizer
    chat: Talker
    synthesizer: Synthesizer


class Watch:
    """A reader of the log that notes where on the card's clock things happened."""

    def __init__(self, card: RoomCard, most: int) -> None:
        """`most`: `scope` is left after so many samples; who talks to himself finds no end."""
        self._card = card
        self._most = most
        self.scope: anyio.CancelScope | None = None
        self.paused: list[int] = []
        self.stopped: list[int] = []
        self.began: list[int] = []

    def __call__(self, entry: Entry) -> None:
        if self._card.position > self._most and self.scope is not None:
            self.scope.cancel()
        match entry.event:
            case ReplyPaused():
                self.paused.append(self._card.position)
            case ReplyStopped(reason="barge-in"):
                self.stopped.append(self._card.position)
            case SpeechStarted(part=0):
                self.began.append(self._card.position)
            case _:
                pass


def hold_session(
    config: Config,
    room: tuple[str, Room],
    user_db: float,
    minutes: float,
    *,
    cancel: bool,
    pace: Literal["realtime", "fast"] = "fast",
) -> SessionFinding:
    """One session of about so many minutes of the assistant's speech.

    The user is `user_db` louder than the echo. In `fast`, times mean nothing. Raises VoicebotError
    where an engine cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="voicebot-echo-") as directory:
        recordings = _recordings(Path(directory), max(1, round(minutes * 60 / EXCHANGE_S)))
        level = speech_level(assistant_speech(RATE, 40), RATE)
        echo_db = 20 * np.log10(LEVEL / level) - user_db
        placed = replace(room[1], echo_db=float(echo_db))
        inner = FileCard(recordings, rate=RATE, block_s=BLOCK_S, pace=pace)
        card = RoomCard(inner, Echo(placed, RATE))
        watch = Watch(card, round(MOST * minutes * 60 * RATE))
        start = time.process_time()
        anyio.run(_converse, config, card, inner, watch, cancel)
        cpu_s = time.process_time() - start
    return _found((room[0], user_db, cancel), card, watch, cpu_s)


def _recordings(directory: Path, count: int) -> list[Path]:
    """Each a question, silence, and a sentence that is said over the reply."""
    sentences = [LEVEL / speech_level(each, RATE) * each for each in user_speech(RATE)]
    paths = []
    for number in range(count):
        question, over = sentences[number % len(sentences)], sentences[(number + 2) % 5]
        gap = np.zeros(round((INTO_S + 0.31 * (number % 4)) * RATE), np.float32)
        path = directory / f"{number:03}.wav"
        sound = np.concatenate((question, gap, over))
        soundfile.write(path, sound, RATE, subtype="FLOAT")
        paths.append(path)
    return paths


async def _converse(
    config: Config, card: RoomCard, clock: FileCard, watch: Watch, cancel: bool
) -> None:
    log = EventLog(time.monotonic)
    log.add_reader(watch)
    settings = SessionSettings(config.turn, "", "starter", clock=clock, echo=cancel)
    async with (
        open_provider(choice(config.recognizer), lambda _: None) as recognizer,
        open_provider(choice(config.synthesizer), lambda _: None) as synthesizer,
    ):
        providers = _Providers(recognizer, Talker(), synthesizer)
        with anyio.CancelScope() as watch.scope:
            await Session(card, providers, log, settings).run()


def _found(
    what: tuple[str, float, bool], card: RoomCard, watch: Watch, cpu_s: float
) -> SessionFinding:
    spans = _spans(card.user, card.rate)
    talked = np.asarray(card.assistant, int)
    # A question may begin when a reply has just ended; who speaks over one speaks with it.
    with_it = round(0.2 * card.rate)
    over = [(a, b) for a, b in spans if np.any((talked > a) & (talked < a + with_it))]

    def false(places: list[int]) -> int:
        late = LATE_S * card.rate
        return sum(not any(a <= place <= b + late for a, b in spans) for place in places)

    def after(places: list[int], start: int, end: int) -> float | None:
        here = [place for place in places if start <= place <= end + LATE_S * card.rate]
        return (here[0] - start) / card.rate * 1000 if here else None

    pauses = [after(watch.paused, *span) for span in over]
    stops = [after(watch.stopped, *span) for span in over]
    self_interruptions, false_pauses = false(watch.stopped), false(watch.paused)
    return SessionFinding(
        *what,
        assistant_s=round(len(card.assistant) * BLOCK_S, 1),
        self_interruptions=self_interruptions,
        false_pauses=false_pauses,
        false_turns=false(watch.began) - false_pauses,
        interruptions=len(over),
        stopped=sum(stop is not None for stop in stops),
        pause_ms=figure([pause for pause in pauses if pause is not None]),
        stop_ms=figure([stop for stop in stops if stop is not None]),
        cpu_s=round(cpu_s, 1),
    )


def _spans(blocks: list[int], rate: int) -> list[tuple[int, int]]:
    """Stretches of speech; pauses of a second do not divide them."""
    spans: list[tuple[int, int]] = []
    for position in blocks:
        if spans and position - spans[-1][1] < rate:
            spans[-1] = (spans[-1][0], position)
        else:
            spans.append((position, position))
    return spans
