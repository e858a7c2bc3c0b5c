"""Local engines as the three providers of `providers/base.py`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from voicebot_local.engines import wire
from voicebot_local.engines.client import LocalEngine
from voicebot_local.engines.connection import Call
from voicebot_local.errors import ProtocolViolation
from voicebot_local.providers.base import Message, Samples, SpokenAudio, TextDelta, Transcript

_Item = TypeVar("_Item", bound=Transcript | TextDelta | SpokenAudio)


class EngineRecognizer:
    """A `Recognizer` on a local engine."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def transcribe(
        self, audio: AsyncIterable[Samples]
    ) -> AsyncIterator[AsyncIterator[Transcript]]:
        async with self.engine.call({}, audio) as call:
            yield _OneFinal(call, self.engine.spec.name)


class EngineChatModel:
    """A `ChatModel` on a local engine."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[AsyncIterator[TextDelta]]:
        async with self.engine.call({"messages": wire.message_heads(messages)}) as call:
            yield _Only(TextDelta, call, self.engine.spec.name)

    async def prefill(self, messages: Sequence[Message]) -> None:
        head = {"messages": wire.message_heads(messages), "prefill": True, "speculative": True}
        async with self.engine.call(head) as call:
            async for item in call:
                raise ProtocolViolation(
                    self.engine.spec.name,
                    f"{self.engine.spec.name} gave {type(item).__name__} where it only prepares.",
                )


class EngineSynthesizer:
    """A `Synthesizer` on a local engine."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine

    @property
    def sample_rate(self) -> int:
        """Sample rate of its audio, in Hz; known once the engine is loaded."""
        return self.engine.info.sample_rate

    @asynccontextmanager
    async def speak(self, clauses: AsyncIterable[str]) -> AsyncIterator[AsyncIterator[SpokenAudio]]:
        async with self.engine.call({}, clauses) as call:
            yield _Only(SpokenAudio, call, self.engine.spec.name)


class _Only(Generic[_Item]):
    """The items of a call, held to be of one type."""

    def __init__(self, kind: type[_Item], call: Call, name: str) -> None:
        self._kind = kind
        self._call = call
        self._name = name

    def __aiter__(self) -> _Only[_Item]:
        return self

    async def __anext__(self) -> _Item:
        item = await self._call.__anext__()
        if not isinstance(item, self._kind):
            raise ProtocolViolation(
                self._name, f"{self._name} gave {type(item).__name__} for {self._kind.__name__}."
            )
        return item


class _OneFinal(_Only[Transcript]):
    """Transcripts, held to end in exactly one final one."""

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(Transcript, call, name)
        self._had_final = False

    async def __anext__(self) -> Transcript:
        try:
            transcript = await super().__anext__()
        except StopAsyncIteration:
            if not self._had_final:
                raise ProtocolViolation(
                    self._name, f"{self._name} ended without a final transcript."
                ) from None
            raise
        if self._had_final:
            raise ProtocolViolation(self._name, f"{self._name} went on after its final transcript.")
        self._had_final = transcript.is_final
        return transcript
