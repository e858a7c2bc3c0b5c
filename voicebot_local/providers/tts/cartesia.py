"""Cartesia as a synthesizer, over its socket of contexts.

A reply is one context; each clause is followed by a flush, which numbers its audio. Leaving a reply
cancels its context and keeps the socket.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Literal

import numpy as np
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import Field

from voicebot_local.errors import ProviderError
from voicebot_local.providers.base import SpokenAudio, Word
from voicebot_local.providers.hosted import Busy, HostedConfig, Report, Service
from voicebot_local.providers.line import Line
from voicebot_local.providers.line_call import Call, JsonObject
from voicebot_local.providers.tts.spoken_clauses import (
    Clauses,
    characters_used,
    samples_of,
    speaking,
)

_VERSION = "2025-04-16"


class CartesiaConfig(HostedConfig):
    """Configuration of the Cartesia synthesizer."""

    service: ClassVar[str] = "Cartesia"
    key_page: ClassVar[str] = "https://play.cartesia.ai/keys"

    provider: Literal["cartesia"] = "cartesia"
    base_url: str = Field("wss://api.cartesia.ai", description="The address of the service.")
    key_variable: str = Field(
        "CARTESIA_API_KEY",
        description="The variable, of the environment or of .env, that holds the key.",
    )
    voice: str = Field(
        "a0e99841-438c-4a64-b679-ae501e7d6091",
        description="The voice, by its identifier at the service.",
    )
    model: str = Field("sonic-3", description="The speech model, by the service's name.")
    language: str = Field("en", description="The language of the replies, in two letters.")
    sample_rate: Literal[8000, 16000, 22050, 24000, 44100, 48000] = Field(
        24_000, description="Sample rate of the audio, in Hz."
    )
    price_per_1000_characters: float = Field(
        0.035, ge=0, description="Price of a thousand characters, in US dollars."
    )


class CartesiaSynthesizer:
    """A `Synthesizer` on one socket of Cartesia, with word times. `run` keeps it."""

    def __init__(self, config: CartesiaConfig, report: Report) -> None:
        """Raises ConfigError where there is no key."""
        self._config = config
        self._report = report
        self._contexts = itertools.count(1)
        service = Service("synthesizer", config.provider, config, config.key())
        self._line = Line(service, _Dialect(service, config), report)

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
            reply = _Reply(call, self._config, f"reply-{next(self._contexts)}")
            try:
                async with speaking(reply, clauses) as audio:
                    yield audio
            finally:
                if characters := reply.clauses.characters:
                    config = self._config
                    price = config.price_per_1000_characters
                    self._report(characters_used(config.provider, characters, price))


class _Dialect:
    """See `line.Dialect`. The service closes a socket that is idle for minutes; it is replaced."""

    keepalive_s = 60.0
    idle_close_s = 0.0

    def __init__(self, service: Service, config: CartesiaConfig) -> None:
        self._service = service
        self._config = config

    def address(self) -> tuple[str, Mapping[str, str]]:
        url = f"{self._config.base_url.rstrip('/')}/tts/websocket"
        key = self._service.key.get_secret_value()
        return url, {"X-API-Key": key, "Cartesia-Version": _VERSION}

    async def greet(self, call: Call) -> None:
        pass

    def keepalive(self) -> JsonObject | None:
        return None

    def farewell(self) -> JsonObject | None:
        return None

    def failure(self, message: JsonObject) -> ProviderError | None:
        if message.get("type") != "error":
            return None
        status = message.get("status_code")
        said = self._service.clean(message.get("error") or message.get("message") or "")
        match status:
            case 401 | 403:
                return self._service.refused_key()
            case 402:
                return self._service.unavailable(
                    "has no credit left on this account",
                    f"Look at the account, at {self._service.config.key_page}",
                    retryable=False,
                )
            case 429:
                return Busy.of(self._service, None)
        passing = not isinstance(status, int) or status >= 500
        return self._service.unavailable(
            f"reports an error ({said or status})",
            "" if passing else "Check `voice` and `model` in [synthesizer].",
            retryable=passing,
        )

    def closed(self, code: int, reason: str) -> ProviderError | None:
        return (
            None
            if code != 1008
            else self._service.unavailable(
                f"refused the connection ({reason or code})", retryable=False
            )
        )

    def over(self, connected_s: float) -> None:
        pass


class _Reply:
    """One reply: its clauses go out, its audio comes in."""

    def __init__(self, call: Call, config: CartesiaConfig, context: str) -> None:
        self._call = call
        self._config = config
        self._context = context
        self._over = False
        self.clauses = Clauses()
        self._index = 0
        self._first_flush: int | None = None
        self._flushes = 0
        self._begun = 0
        """Samples of the context before the present clause."""
        self._samples = 0
        """Samples of the context so far."""

    async def write(self, clauses: AsyncIterable[str]) -> None:
        """Send the clauses as they come, then the end."""
        async for text in self.clauses.audible(clauses):
            flush = self._request("", more=True) | {"flush": True}
            await self._call.send(self._request(f"{text} ", more=True), flush)
        if self.clauses.sent:
            await self._call.send(self._request("", more=False))

    def _request(self, text: str, *, more: bool) -> JsonObject:
        config = self._config
        return {
            "model_id": config.model,
            "transcript": text,
            "voice": {"mode": "id", "id": config.voice},
            "language": config.language,
            "context_id": self._context,
            "output_format": {
                "container": "raw",
                "encoding": "pcm_s16le",
                "sample_rate": config.sample_rate,
            },
            "add_timestamps": True,
            "max_buffer_delay_ms": 0,
            "continue": more,
        }

    async def audio(self) -> AsyncIterator[SpokenAudio]:
        """The audio, clause by clause."""
        if not await self.clauses.first():
            return
        while not self._over:
            message = await self._call.poll(self._call.timeout_s)
            if message is None and self._behind:
                raise self._call.too_slow()
            if message is None or message.get("context_id") != self._context:
                continue  # The clauses come slowly, or it is what was left of an earlier reply.
            try:
                spoken = self._take(message)
            except (KeyError, TypeError, ValueError) as error:
                raise self._call.nonsense(f"audio that makes no sense ({error})") from None
            if spoken is not None:
                yield spoken

    @property
    def _behind(self) -> bool:
        """Whether the service owes something."""
        return self.clauses.complete or self._index < len(self.clauses.sent)

    def _take(self, message: JsonObject) -> SpokenAudio | None:
        match message["type"]:
            case "chunk":
                self._enter(message.get("flush_id"))
                samples = samples_of(message["data"])
                self._samples += len(samples)
                return SpokenAudio(samples, self._number)
            case "timestamps":
                times = message["word_timestamps"]
                columns = [times[name] for name in ("words", "start", "end")]
                words = tuple(self._word(*row) for row in zip(*columns, strict=True))
                return SpokenAudio(np.zeros(0, np.float32), self._number, words)
            case "flush_done":
                self._flushes += 1
                self.clauses.heard(self._flushes)
                if self._first_flush is None:
                    self._next_clause()
            case "done":
                self._over = True
        return None

    @property
    def _number(self) -> int:
        sent = self.clauses.sent
        return sent[min(self._index, len(sent) - 1)][0]

    def _enter(self, flush: int | None) -> None:
        """Where audio says by number which flush it came before, that number decides."""
        if flush is None:
            return
        if self._first_flush is None:
            self._first_flush = int(flush) - self._index
        while self._index < int(flush) - self._first_flush:
            self._next_clause()

    def _next_clause(self) -> None:
        self._index += 1
        self._begun = self._samples

    def _word(self, text: str, start: float, end: float) -> Word:
        """Times of the service count from the beginning of the context."""
        begun_s = self._begun / self._config.sample_rate
        start_s = max(0.0, float(start) - begun_s)
        return Word(str(text), start_s, max(start_s, float(end) - begun_s))

    async def close(self) -> None:
        """The reply is over or was left: its context ends."""
        if self.clauses.sent and not self._over:
            with suppress(ProviderError):  # A connection that is lost has lost its contexts.
                await self._call.send({"context_id": self._context, "cancel": True})
