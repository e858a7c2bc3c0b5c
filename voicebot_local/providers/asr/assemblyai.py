"""AssemblyAI Universal-Streaming (v3) as a recognizer.

One session serves many utterances: our own turn machine says where an utterance ends
(`ForceEndpoint`), the service's own turn detection is set never to. The time of an open session is
billed, so it is terminated after a while without speech and begun again with the next.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

import anyio
import numpy as np
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus
from pydantic import Field

from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.errors import ProviderError, ProviderTimeout
from voicebot_local.events import UsageReported
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples, Transcript, Word
from voicebot_local.providers.hosted import HostedConfig, Report, Service
from voicebot_local.providers.line import Line
from voicebot_local.providers.line_call import Call, JsonObject

FRAME = RECOGNIZER_RATE // 20
"""Samples in a frame: 50 ms, the least that the service takes."""
_MOST = RECOGNIZER_RATE
"""Samples in a frame at the most (1 s)."""
_LATER_S = 10
"""The service itself ends a turn only after so much silence, which we never send."""


class AssemblyAIConfig(HostedConfig):
    """Configuration of the AssemblyAI recognizer."""

    service: ClassVar[str] = "AssemblyAI"
    key_page: ClassVar[str] = "https://www.assemblyai.com/dashboard/api-keys"

    provider: Literal["assemblyai"] = "assemblyai"
    base_url: str = Field(
        "wss://streaming.assemblyai.com",
        description="The address of the service; wss://streaming.eu.assemblyai.com stays in the "
        "European Union.",
    )
    key_variable: str = Field(
        "ASSEMBLYAI_API_KEY",
        description="The variable, of the environment or of .env, that holds the key.",
    )
    model: str = Field(
        "universal-streaming-english", description="The speech model, by the service's name."
    )
    format_turns: bool = Field(
        False, description="Ask for punctuation; it comes after the words and is not waited for."
    )
    keyterms: tuple[str, ...] = Field(
        (), description="Names and words to expect, which are then recognized better."
    )
    burst_s: float = Field(
        2.0,
        ge=0.1,
        le=60,
        description="How much audio may go ahead of real time; the service refuses to be flooded.",
    )
    idle_close_s: float = Field(
        60.0,
        ge=0,
        description="End the session, which is billed while it is open, after so long without "
        "speech; 0 keeps it.",
    )
    price_per_hour: float = Field(
        0.15, ge=0, description="Price of an hour of open session, in US dollars."
    )


@dataclass(slots=True)
class _Utterance:
    """What the service has said of the present utterance, which began at `start_ms` of the
    session's audio."""

    start_ms: int
    said: list[str] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    now: str = ""
    words_now: list[Word] = field(default_factory=list)
    end_of_turn: float | None = None

    def transcript(self, *, is_final: bool) -> Transcript:
        text = " ".join(part for part in (*self.said, self.now) if part)
        words = (*self.words, *self.words_now)
        return Transcript(text, is_final, words, end_of_turn=self.end_of_turn)

    def end_turn(self) -> None:
        if self.now:
            self.said.append(self.now)
        self.words += self.words_now
        self.now, self.words_now = "", []


class AssemblyAIRecognizer:
    """A `Recognizer` on one session of AssemblyAI. `run` keeps it.

    Word times count from the start of the utterance; `end_of_turn` is the service's own confidence.
    Leaving a call before its final transcript gives the session up for a new one.
    """

    def __init__(self, config: AssemblyAIConfig, report: Report) -> None:
        """Raises ConfigError where there is no key."""
        self._config = config
        self._report = report
        self._service = Service("recognizer", config.provider, config, config.key())
        self._dialect = _Dialect(self._service, self._report_close)
        self._line = Line(self._service, self._dialect, report)
        self._reported_until = 0.0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Keep a session until cancelled; `started` once it has begun. Raises ProviderError."""
        await self._line.run(task_status=task_status)

    @asynccontextmanager
    async def transcribe(
        self, audio: AsyncIterable[Samples]
    ) -> AsyncIterator[AsyncIterator[Transcript]]:
        """See `Recognizer`."""
        async with self._line.call() as call:
            listening = _Listening(call, self._dialect, self._config)
            try:
                async with owned_tasks() as tasks:
                    tasks.start_soon(listening.pump, audio)
                    yield listening.transcripts()
                    tasks.cancel_scope.cancel()
            finally:
                if not listening.done:
                    call.drop()
                self._report_use(listening)

    def _report_use(self, listening: _Listening) -> None:
        """The time of the session since the last report, and this utterance's audio."""
        now = anyio.current_time()
        open_s = now - max(self._reported_until, self._dialect.began)
        self._reported_until = now
        self._tell(open_s, listening.sent / RECOGNIZER_RATE)

    def _report_close(self) -> None:
        now = anyio.current_time()
        open_s = now - max(self._reported_until, self._dialect.began)
        self._reported_until = now
        if open_s > 0:
            self._tell(open_s, 0.0)

    def _tell(self, open_s: float, audio_s: float) -> None:
        self._report(
            UsageReported(
                "recognizer",
                self._config.provider,
                audio_s=round(audio_s, 3),
                connected_s=round(open_s, 3),
                cost_usd=open_s / 3600 * self._config.price_per_hour,
            )
        )


class _Dialect:
    """See `line.Dialect`."""

    keepalive_s = 5.0

    def __init__(self, service: Service, closed: Any) -> None:
        self._service = service
        self._on_close = closed
        self.idle_close_s: float = service.config.idle_close_s  # type: ignore[attr-defined]
        self.began = 0.0
        self.sent = 0
        """Samples sent in this session."""
        self.last_turn = -1
        """The order of the last turn that ended."""

    def address(self) -> tuple[str, Mapping[str, str]]:
        config = self._service.config
        assert isinstance(config, AssemblyAIConfig)
        query: list[tuple[str, str | int]] = [
            ("sample_rate", RECOGNIZER_RATE),
            ("encoding", "pcm_s16le"),
            ("speech_model", config.model),
            ("format_turns", str(config.format_turns).lower()),
            ("end_of_turn_confidence_threshold", "1.0"),
            ("min_turn_silence", 160),
            ("max_turn_silence", _LATER_S * 1000),
        ]
        query += [("keyterms_prompt", term) for term in config.keyterms]
        url = f"{config.base_url.rstrip('/')}/v3/ws?{urlencode(query)}"
        return url, {"Authorization": self._service.key.get_secret_value()}

    async def greet(self, call: Call) -> None:
        while (await call.receive()).get("type") != "Begin":
            pass
        self.began, self.sent, self.last_turn = anyio.current_time(), 0, -1

    def keepalive(self) -> JsonObject | None:
        return {"type": "KeepAlive"}

    def farewell(self) -> JsonObject | None:
        return {"type": "Terminate"}

    def failure(self, message: JsonObject) -> ProviderError | None:
        if message.get("type") != "Error":
            return None
        code = message.get("error_code")
        reason = self._service.clean(message.get("error", ""))
        return self.closed(code if isinstance(code, int) else 3005, reason)

    def closed(self, code: int, reason: str) -> ProviderError | None:
        unavailable = self._service.unavailable
        tail = f" ({reason})" if reason else ""
        match code:
            case 1008 | 4001:
                if code == 4001 or "auth" in reason.lower() or "api key" in reason.lower():
                    return self._service.refused_key()
                return unavailable(
                    f"refused the session{tail}",
                    f"Look at the account, at {self._service.config.key_page}",
                    retryable=False,
                )
            case 3005:
                return unavailable(f"had an error of its own{tail}")
            case 3006:
                return unavailable(f"did not understand a message{tail}", retryable=True)
            case 3007:
                return unavailable(
                    f"found the audio to come too fast, or in wrong pieces{tail}",
                    "Set a lower `burst_s` in [recognizer].",
                )
            case 3008:
                return unavailable(f"ended the session, which had reached its longest time{tail}")
            case 3009:
                return unavailable(
                    f"allows no more sessions at once{tail}",
                    "End the other sessions of this account, or raise its limit.",
                    retryable=False,
                )
        return None

    def over(self, connected_s: float) -> None:  # noqa: ARG002 - counted from its greeting
        if self.began:
            self._on_close()
        self.began = 0.0


class _Listening:
    """One utterance: its audio goes out, its transcripts come in."""

    def __init__(self, call: Call, dialect: _Dialect, config: AssemblyAIConfig) -> None:
        self._call = call
        self._dialect = dialect
        self._config = config
        self._utterance = _Utterance(dialect.sent * 1000 // RECOGNIZER_RATE)
        self._ended = anyio.Event()
        self._credit_s, self._credit_at = config.burst_s, anyio.current_time()
        self.sent = 0
        self.done = False

    async def pump(self, audio: AsyncIterable[Samples]) -> None:
        """Send the audio in whole frames, not faster than the service takes it, then its end."""
        rest = np.zeros(0, np.float32)
        try:
            async for samples in audio:
                rest = np.concatenate((rest, samples))
                whole = len(rest) // FRAME * FRAME
                for start in range(0, whole, _MOST):
                    await self._send(rest[start : min(start + _MOST, whole)])
                rest = rest[whole:]
        finally:
            if inspect.isasyncgen(audio):
                with CancelScope(shield=True):
                    await audio.aclose()
        if len(rest):
            await self._send(np.concatenate((rest, np.zeros(FRAME - len(rest), np.float32))))
        if self.sent:
            await self._call.send({"type": "ForceEndpoint"})
        self._ended.set()

    async def _send(self, samples: Samples) -> None:
        await self._pace(len(samples) / RECOGNIZER_RATE)
        self._dialect.sent += len(samples)
        self.sent += len(samples)
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
        await self._call.send(pcm.tobytes())

    async def _pace(self, length_s: float) -> None:
        now = anyio.current_time()
        gained = now - self._credit_at
        self._credit_s = min(self._config.burst_s, self._credit_s + gained) - length_s
        self._credit_at = now
        if self._credit_s < 0:
            await anyio.sleep(-self._credit_s)

    async def transcripts(self) -> AsyncIterator[Transcript]:
        """Partial transcripts while audio goes out, then the final one."""
        said = self._utterance
        shown = said.transcript(is_final=False)
        while True:
            ended = await self._next_turn()
            now = said.transcript(is_final=False)
            if ended and self._ended.is_set():
                break
            if (now.text, now.end_of_turn) != (shown.text, shown.end_of_turn):
                shown = now
                yield now
        self.done = True
        yield said.transcript(is_final=True)

    async def _next_turn(self) -> bool:
        """Take in the next thing that is said of this utterance; whether a turn of it is over."""
        message = await self._message()
        if message is None:
            return True
        if message.get("type") != "Turn":
            return False
        try:
            order, text = message["turn_order"], message["transcript"]
            ended, words = message["end_of_turn"], message["words"]
            if not (isinstance(order, int) and isinstance(text, str)):
                raise TypeError
            if order <= self._dialect.last_turn:
                return False  # The formatted form of a turn that is over.
            said = self._utterance
            found = [self._word(word) for word in words]
            confidence = message.get("end_of_turn_confidence")
            said.end_of_turn = None if confidence is None else min(1.0, max(0.0, float(confidence)))
        except (KeyError, TypeError, ValueError):
            raise self._call.nonsense("a turn that lacks what it must have") from None
        said.now, said.words_now = text.strip(), found
        if ended:
            self._dialect.last_turn = order
            said.end_turn()
        return bool(ended)

    def _word(self, word: Any) -> Word:
        start_ms, end_ms = (int(word[key]) - self._utterance.start_ms for key in ("start", "end"))
        begin_s, end_s = max(0, start_ms) / 1000, max(0, start_ms, end_ms) / 1000
        return Word(str(word["text"]), begin_s, end_s)

    async def _message(self) -> JsonObject | None:
        """The next message; None where all has been said, as far as we shall know.

        Nothing need come while the user speaks or is silent. After the end something must, and
        where it does not, what has been understood so far is all there will be.
        """
        if not self._ended.is_set():
            got: list[JsonObject] = []
            async with owned_tasks() as tasks:

                async def until_ended() -> None:
                    await self._ended.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(until_ended)
                if (message := await self._call.poll(float("inf"))) is not None:
                    got.append(message)
                tasks.cancel_scope.cancel()
            if got:
                return got[0]
        if not self.sent:
            return None
        try:
            return await self._call.receive()
        except ProviderTimeout:
            if not self._utterance.transcript(is_final=True).text:
                raise
            return None
