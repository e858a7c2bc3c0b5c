"""The three Protocols that every provider follows, local or hosted, and what flows through them.

One shape: a context manager that yields an iterator. Leaving the block cancels the work; for native
code that lands at its next step. A provider serves one call at a time; the next call may start as
soon as the block before it has been left. A chat model can also be told beforehand what it will be
asked: `prefill`.

    async with recognizer.transcribe(audio) as transcripts:
        async for transcript in transcripts: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

T = TypeVar("T")

Stream: TypeAlias = AbstractAsyncContextManager[AsyncIterator[T]]
Samples: TypeAlias = NDArray[np.float32]
"""Mono audio, float32 in -1..1, one dimension; the sample rate is said beside it."""

RECOGNIZER_RATE = 16_000
"""Sample rate of the audio given to every recognizer, in Hz."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its time, in seconds from the start of the audio it is part of."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said so far in this utterance. `text` is the whole of it, not an addition.

    `confidence` is 0..1, or None where the recognizer does not know. `end_of_turn`: how likely, to
    a recognizer that judges that, the speaker has finished with what it heard so far.
    """

    text: str
    is_final: bool
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    end_of_turn: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    `interrupted` marks an assistant message that the user cut off: `content` is what was heard.
    """

    role: Literal["system", "user", "assistant"]
    content: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of a reply; never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """More audio of a reply.

    `samples` continue the audio of clause number `clause` (counted from 0 in this call).
    `words` belong to that clause, their times count from the clause's first sample; they may be
    empty, and come with or before the audio in which they are spoken.
    """

    samples: Samples
    clause: int
    words: tuple[Word, ...] = ()


class Recognizer(Protocol):
    """Speech to text."""

    def transcribe(self, audio: AsyncIterable[Samples]) -> Stream[Transcript]:
        """Transcribe one utterance while it is spoken.

        `audio`: 16 kHz (`RECOGNIZER_RATE`) blocks of any length; its end is the utterance's end.
        Yields partial transcripts while audio comes (the same text again where only `end_of_turn`
        has changed) and exactly one final one, last; its text is
        empty where nothing was understood. Raises ProviderError.
        """
        ...


class ChatModel(Protocol):
    """Text to text."""

    def reply(self, messages: Sequence[Message]) -> Stream[TextDelta]:
        """Reply to `messages`: a system message or none, then user and assistant in turn,
        a user message last.

        A conversation that outgrows the model's window loses its oldest whole turns, never the
        system message. Ends by itself at the end of the reply. Raises ProviderError.
        """
        ...

    async def prefill(self, messages: Sequence[Message]) -> None:
        """Make ready to reply to `messages`, whose last user message may still grow.

        Returns once it is ready. Cheap to call again with a longer or corrected text: only the
        suffix that changed is computed, and a `reply` to it computes only the rest. Cancelling ends
        it at the next slice. A call of its own: it must be left before `reply` begins. Providers
        with no use for it return at once. Raises ProviderError.
        """
        ...


class Synthesizer(Protocol):
    """Text to speech."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the audio it gives, in Hz."""
        ...

    def speak(self, clauses: AsyncIterable[str]) -> Stream[SpokenAudio]:
        """Speak one reply, given clause by clause as its text is written.

        Each clause is speech-ready text (see `voicebot_local.text.spoken`). Audio of a clause is
        complete before that of the next begins; an empty clause makes no sound. Raises
        ProviderError.
        """
        ...


class ProviderConfig(BaseModel):
    """Base of the configuration of every provider: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Steps(Protocol):
    """What a local engine calls around each piece of device work. See `engines/steps.py`.

    `with steps("token"): ...` waits until the device is ours, raises `Cancelled` where the call
    was cancelled, and ends only after the device has finished. One step is short: one LLM token
    or a small prefill batch, one synthesis token or vocoder window, one recognizer chunk.
    """

    def __call__(self, kind: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a local engine says of itself once it is loaded and warm."""

    device: str
    """"cpu" or "cuda:0 (NVIDIA …)"."""
    sample_rate: int = 0
    """Of a synthesizer's audio, in Hz; 0 for the others."""
    details: dict[str, str | int | float] = field(default_factory=dict)


class RecognizerEngine(Protocol):
    """The blocking twin of `Recognizer`, in the child process; one thread owns it."""

    info: EngineInfo

    def transcribe(self, audio: Iterator[Samples], steps: Steps) -> Iterator[Transcript]: ...


class ChatEngine(Protocol):
    """The blocking twin of `ChatModel`."""

    info: EngineInfo

    def reply(self, messages: Sequence[Message], steps: Steps) -> Iterator[TextDelta]: ...

    def prefill(self, messages: Sequence[Message], steps: Steps) -> None: ...


class SynthesizerEngine(Protocol):
    """The blocking twin of `Synthesizer`."""

    info: EngineInfo

    def speak(self, clauses: Iterator[str], steps: Steps) -> Iterator[SpokenAudio]: ...
