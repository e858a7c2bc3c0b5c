"""ElevenLabs as a synthesizer, over its socket of several contexts.

A reply is one context; each clause is flushed, so that it is spoken as soon as it is written.
Leaving a reply closes its context and keeps the socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode

import numpy as np
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import Field

from voicebot_local.errors import ProviderError
from voicebot_local.providers.base import Samples, SpokenAudio, Word
from voicebot_local.providers.hosted import Busy, HostedConfig, Report, Service
from voicebot_local.providers.line import Line
from voicebot_local.providers.line_call import Call, JsonObject
from voicebot_local.providers.tts.spoken_clauses import (
    Clauses,
    characters_used,
    samples_of,
    speaking,
)

MOST_CONTEXTS = 4
"""The service allows five at once, and closes the socket over one more; one is being closed."""
_IDLE_S = 180
_LAST_S = 1.0
"""How long the end of a reply is waited for when all its characters have been heard."""


class ElevenLabsConfig(HostedConfig):
    """Configuration of the ElevenLabs synthesizer."""

    service: ClassVar[str] = "ElevenLabs"
    key_page: ClassVar[str] = "https://elevenlabs.io/app/settings/api-keys"

    provider: Literal["elevenlabs"] = "elevenlabs"
    base_url: str = Field(
        "wss://api.elevenlabs.io",
        description="The address of the service, or of a region of it.",
    )
    key_variable: str = Field(
        "ELEVENLABS_API_KEY",
        description="The variable, of the environment or of .env, that holds the key.",
    )
    voice: str = Field(
        "21m00Tcm4TlvDq8ikWAM", description="The voice, by its identifier at the service."
    )
    model: str = Field(
        "eleven_flash_v2_5",
        description="The speech model; those of v3 and later do not work over this socket.",
    )
    sample_rate: Literal[16000, 22050, 24000, 44100] = Field(
        24_000, description="Sample rate of the audio, in Hz."
    )
    stability: float = Field(0.5, ge=0, le=1, description="Lower is livelier, higher is more even.")
    similarity: float = Field(0.75, ge=0, le=1, description="How close it keeps to the voice.")
    speed: float = Field(1.0, ge=0.7, le=1.2, description="Speed; 1 is the voice's own.")
    price_per_1000_characters: float = Field(
        0.05, ge=0, description="Price of a thousand characters, in US dollars."
    )


class ElevenLabsSynthesizer:
    """A `Synthesizer` on one socket of ElevenLabs. `run` keeps it.

    Words have times, from those of their characters. Audio that the service sends
    without times counts for the clause that had the last ones.
    """

    def __init__(self, config: ElevenLabsConfig, report: Report) -> None:
        """Raises ConfigError where there is no key."""
        self._config = config
        self._report = report
        service = Service("synthesizer", config.provider, config, config.key())
        self._dialect = _Dialect(service, config)
        self._line = Line(service, self._dialect, report)

    @property
    def sample_rate(self) -> int:
        """Sample rate of its audio, in Hz."""
        return self._config.sample_rate

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Keep the socket until cancelled; `started` once it is open. Raises ProviderError."""
        await self._line.run(task_status=task_status)

    @asynccontextmanager
    async def speak(self, clauses: AsyncIterable[str]) -> AsyncIterator[AsyncIterator[SpokenAudio]]:
        """See `Synthesizer`."""
        async with self._line.call() as call:
            reply = _Reply(call, self._dialect, self._config.sample_rate)
            try:
                async with speaking(reply, clauses) as audio:
                    yield audio
            finally:
                if characters := reply.clauses.characters:
                    config = self._config
                    price = config.price_per_1000_characters
                    self._report(characters_used(config.provider, characters, price))


class _Dialect:
    """See `line.Dialect`; and the contexts of the socket."""

    keepalive_s = 15.0
    idle_close_s = 0.0

    def __init__(self, service: Service, config: ElevenLabsConfig) -> None:
        self._service = service
        self._config = config
        self._count = 0
        self.context = ""
        """The context of the present reply, or that waits for the next one."""
        self.closing: set[str] = set()
        """Contexts that were closed here and not yet there."""

    def address(self) -> tuple[str, Mapping[str, str]]:
        config = self._config
        query = {
            "model_id": config.model,
            "output_format": f"pcm_{config.sample_rate}",
            "auto_mode": "true",
            "inactivity_timeout": _IDLE_S,
            "sync_alignment": "true",
        }
        path = f"v1/text-to-speech/{quote(config.voice, safe='')}/multi-stream-input"
        url = f"{config.base_url.rstrip('/')}/{path}?{urlencode(query)}"
        return url, {"xi-api-key": self._service.key.get_secret_value()}

    async def greet(self, call: Call) -> None:
        self.closing.clear()
        await call.send(self.open_context())

    def open_context(self) -> JsonObject:
        """What opens the next reply's context; doing so early makes its first audio come sooner."""
        self._count += 1
        self.context = f"reply-{self._count}"
        config = self._config
        voice = {
            "stability": config.stability,
            "similarity_boost": config.similarity,
            "speed": config.speed,
        }
        return {"text": " ", "context_id": self.context, "voice_settings": voice}

    def keepalive(self) -> JsonObject | None:
        return {"text": "", "context_id": self.context}

    def farewell(self) -> JsonObject | None:
        return {"close_socket": True}

    def failure(self, message: JsonObject) -> ProviderError | None:
        if message.get("isFinal") and message.get("contextId") in self.closing:
            self.closing.discard(str(message["contextId"]))
        if not message.get("error"):
            return None
        reason = " ".join(str(message.get(name) or "") for name in ("error", "message"))
        code = message.get("code")
        found = self.closed(code if isinstance(code, int) else 1011, self._service.clean(reason))
        return found or self._service.unavailable(
            f"reports an error: {self._service.clean(reason)}"
        )

    def closed(self, code: int, reason: str) -> ProviderError | None:
        if code != 1008:
            return None
        said = reason.lower().replace("_", " ")
        if "api key" in said or "unauthorized" in said or "authenticat" in said:
            return self._service.refused_key()
        if "quota" in said or "credit" in said:
            return self._service.unavailable(
                "has no characters left on this account",
                f"Look at the account, at {self._service.config.key_page}",
                retryable=False,
            )
        if "max active" in said or "maximum simultaneous contexts" in said:
            return self._service.unavailable("had too many replies at once", retryable=True)
        if "busy" in said or "too many" in said or "concurren" in said:
            return Busy.of(self._service, None)
        return self._service.unavailable(
            f"refused what was asked ({reason or code})",
            "Check `voice` and `model` in [synthesizer].",
            retryable=False,
        )

    def over(self, connected_s: float) -> None:
        pass


class _Reply:
    """One reply: its clauses go out, its audio comes in."""

    def __init__(self, call: Call, dialect: _Dialect, rate: int) -> None:
        self._call = call
        self._dialect = dialect
        self._context = dialect.context
        self._rate = rate
        self._told_end = False
        self.clauses = Clauses()
        self._place = _Place(self.clauses, rate)

    async def write(self, clauses: AsyncIterable[str]) -> None:
        """Send the clauses as they come, then the end."""
        async for text in self.clauses.audible(clauses):
            await self._call.send({"text": f"{text} ", "context_id": self._context, "flush": True})
        if self.clauses.sent:
            self._told_end = True
            await self._call.send({"context_id": self._context, "close_context": True})

    async def audio(self) -> AsyncIterator[SpokenAudio]:
        """The audio, clause by clause."""
        if not await self.clauses.first():
            return
        while (message := await self._message()) is not None:
            if message.get("contextId") != self._context:
                continue  # What was left of an earlier reply.
            try:
                samples, marks = _read(message)
                if len(samples) and not marks:  # Nothing tells how far it is.
                    self.clauses.heard(len(self.clauses.sent))
            except (KeyError, TypeError, ValueError) as error:
                raise self._call.nonsense(f"audio that makes no sense ({error})") from None
            for spoken in self._place.put(samples, marks):
                yield spoken
            if message.get("isFinal"):
                self._context = ""
                if not self._told_end:
                    raise self._call.nonsense("the end of a reply that was not over")
                break

    async def _message(self) -> JsonObject | None:
        """The next message; None where the end was not said and all has been heard.

        While the clauses come slowly there is nothing that the service should say.
        """
        waited = 0.0
        while True:
            behind = not self._place.caught_up
            done = self.clauses.complete and not behind
            message = await self._call.poll(_LAST_S)
            if message is not None:
                return message
            if done:
                return None
            waited = waited + _LAST_S if behind else 0.0
            if waited >= self._call.timeout_s:
                raise self._call.too_slow()

    async def close(self) -> None:
        """The reply is over or was left: its context ends, the next one's opens."""
        dialect = self._dialect
        if not self.clauses.sent and dialect.context == self._context:
            return  # Nothing was said in it: the next reply can have it.
        with suppress(ProviderError):  # A connection that is lost has lost its contexts.
            if self._context:
                dialect.closing.add(self._context)
                if not self._told_end:
                    await self._call.send({"context_id": self._context, "close_context": True})
            if len(dialect.closing) >= MOST_CONTEXTS:
                self._call.drop()
            else:
                await self._call.send(dialect.open_context())


Marks = list[tuple[str, float, float]]


def _read(message: JsonObject) -> tuple[Samples, Marks]:
    """Audio of a message, and its characters with their times in seconds from its beginning."""
    encoded = message.get("audio")
    samples = samples_of(encoded) if encoded else np.zeros(0, np.float32)
    alignment: Any = message.get("alignment")
    if not alignment:
        return samples, []
    columns = [alignment[name] for name in ("chars", "charStartTimesMs", "charDurationsMs")]
    return samples, [
        (str(sign), float(start) / 1000, (float(start) + float(length)) / 1000)
        for sign, start, length in zip(*columns, strict=True)
    ]


class _Place:
    """Which clause a piece of audio belongs to, by counting the characters that are heard."""

    def __init__(self, clauses: Clauses, rate: int) -> None:
        self._clauses = clauses
        self._rate = rate
        self._index = 0
        self._heard = 0
        """Characters of the present clause that were heard, without white space."""
        self._samples = 0
        """Samples of the present clause."""
        self._word: list[tuple[str, float, float]] = []

    @property
    def caught_up(self) -> bool:
        """Whether all that was sent has been heard."""
        sent = self._clauses.sent
        last = self._index == len(sent) - 1 and self._left() <= 0
        return self._index >= len(sent) or last

    def put(self, samples: Samples, marks: Marks) -> list[SpokenAudio]:
        """The audio in parts, each of one clause, with the words that are complete in it."""
        found: list[SpokenAudio] = []
        cut = 0
        words: list[Word] = []
        for sign, start_s, end_s in marks:
            if sign.isspace():
                words += self._finished_word()
                continue
            if self._left() <= 0 and self._index + 1 < len(self._clauses.sent):
                words += self._finished_word()
                here = min(len(samples), max(cut, round(start_s * self._rate)))
                found.append(self._part(samples[cut:here], words))
                cut, words = here, []
                self._index, self._heard, self._samples = self._index + 1, 0, 0
            offset = (self._samples - cut) / self._rate
            self._word.append((sign, max(0.0, start_s + offset), max(0.0, end_s + offset)))
            self._heard += len(sign)
            if self._left() <= 0:
                words += self._finished_word()
                self._clauses.heard(self._index + 1)
        if len(samples) > cut or words:
            found.append(self._part(samples[cut:], words))
        return found

    def _left(self) -> int:
        """Characters of the present clause that have not been heard."""
        text = self._clauses.sent[self._index][1] if self._clauses.sent else ""
        return len("".join(text.split())) - self._heard

    def _part(self, samples: Samples, words: list[Word]) -> SpokenAudio:
        self._samples += len(samples)
        return SpokenAudio(samples, self._clauses.sent[self._index][0], tuple(words))

    def _finished_word(self) -> list[Word]:
        if not self._word:
            return []
        text = "".join(sign for sign, _, _ in self._word)
        word = Word(text, self._word[0][1], self._word[-1][2])
        self._word = []
        return [word]
