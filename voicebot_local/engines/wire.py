"""What travels in the frames: inputs and items of a call, and errors.

To the child: `load`, `start`, `input`, `end_of_input`, `cancel`. From it: `loaded` or `failed`;
for each call `wants` (it has taken so many inputs and asks for the next), `item`, and one last
`done` or `error` (with "ends" where the child ends with it). Every frame of a call carries its
number as "call". In between come `steps`: when it used the device. A `start` with "prefill" asks a
chat model to make ready only, and gets no items; one with "speculative" is work that may be thrown
away, and waits for everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np

from voicebot_local import errors
from voicebot_local.engines.protocol import MAX_PAYLOAD, Frame
from voicebot_local.engines.steps import StepReport, TimedStep
from voicebot_local.errors import ProtocolViolation, ProviderError, VoicebotError
from voicebot_local.events import Stage
from voicebot_local.providers.base import (
    EngineInfo,
    Message,
    Samples,
    SpokenAudio,
    TextDelta,
    Transcript,
    Word,
)

Input: TypeAlias = Samples | str
Item: TypeAlias = Transcript | TextDelta | SpokenAudio

STAGE_NAMES: dict[Stage, str] = {
    "recognizer": "speech recognizer",
    "chat": "chat model",
    "synthesizer": "speech synthesizer",
}

_SAMPLE = np.dtype("<f4")
_MOST_SAMPLES = MAX_PAYLOAD // _SAMPLE.itemsize


def input_frames(call: int, value: Input) -> Iterator[Frame]:
    """One input as frames: a clause as one, audio as one or, where it is very long, several."""
    if isinstance(value, str):
        yield Frame({"type": "input", "call": call, "text": value})
        return
    for samples in _parts(value):
        if len(samples):
            yield Frame({"type": "input", "call": call}, samples.astype(_SAMPLE).tobytes())


def read_input(frame: Frame) -> Input:
    text = frame.head.get("text")
    return _samples(frame.payload) if text is None else str(text)


def item_frames(call: int, item: Item) -> Iterator[Frame]:
    """One item as frames: audio that is very long as several, the words with the first.

    Raises TypeError where it is no item, ValueError where its audio is not one-dimensional.
    """
    head: dict[str, Any] = {"type": "item", "call": call}
    match item:
        case Transcript(text, is_final, words, confidence, end_of_turn):
            head |= {"transcript": text, "is_final": bool(is_final), "words": _words(words)}
            for name, value in (("confidence", confidence), ("end_of_turn", end_of_turn)):
                head[name] = None if value is None else float(value)
            yield Frame(head)
        case TextDelta(text):
            yield Frame(head | {"delta": text})
        case SpokenAudio(samples, clause, words):
            head["clause"] = int(clause)
            for number, part in enumerate(_parts(samples)):
                shown = _words(words) if number == 0 else []
                yield Frame(head | {"words": shown}, part.astype(_SAMPLE).tobytes())
        case _:
            raise TypeError(f"an engine gave {type(item).__name__}, which is no item")


def read_item(frame: Frame, sender: str) -> Item:
    """Raises ProtocolViolation."""
    head = frame.head
    with _making_sense(sender, frame):
        if "transcript" in head:
            words = tuple(Word(*word) for word in head["words"])
            end_of_turn = head.get("end_of_turn")
            said = head["transcript"], head["is_final"], words, head["confidence"], end_of_turn
            return Transcript(*said)
        if "delta" in head:
            return TextDelta(head["delta"])
        words = tuple(Word(*word) for word in head["words"])
        return SpokenAudio(_samples(frame.payload), head["clause"], words)


def read_taken(frame: Frame, sender: str) -> int:
    """What "wants" says. Raises ProtocolViolation."""
    with _making_sense(sender, frame):
        return int(frame.head["taken"])


def read_steps(frame: Frame, sender: str) -> dict[str, StepReport]:
    """What "done" and "error" say. Raises ProtocolViolation."""
    with _making_sense(sender, frame):
        return {kind: StepReport(*report) for kind, report in frame.head["steps"].items()}


def read_timed_steps(frame: Frame, sender: str) -> list[TimedStep]:
    """What "steps" says. Raises ProtocolViolation."""
    with _making_sense(sender, frame):
        return [
            (str(kind), float(queued), float(started), float(ended))
            for kind, queued, started, ended in frame.head["steps"]
        ]


def message_heads(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [asdict(message) for message in messages]


def read_messages(heads: list[dict[str, Any]]) -> list[Message]:
    return [Message(**head) for head in heads]


def info_head(info: EngineInfo) -> dict[str, Any]:
    return asdict(info)


def read_info(frame: Frame, sender: str) -> EngineInfo:
    """Raises ProtocolViolation."""
    with _making_sense(sender, frame):
        return EngineInfo(**frame.head["info"])


def error_head(error: VoicebotError) -> dict[str, Any]:
    """An error as JSON."""
    head: dict[str, Any] = {
        "class": type(error).__name__,
        "message": error.message,
        "mend": error.mend,
    }
    if isinstance(error, ProviderError):
        head |= {"provider": error.provider, "retryable": error.retryable}
    return head


def read_error(head: dict[str, Any], sender: str) -> VoicebotError:
    """The error that `error_head` described; of an unknown class, a ProviderError."""
    kind = getattr(errors, str(head.get("class")), ProviderError)
    if not (isinstance(kind, type) and issubclass(kind, VoicebotError)):
        kind = ProviderError
    message, mend = str(head.get("message")), str(head.get("mend", ""))
    if issubclass(kind, ProviderError):
        return kind(
            str(head.get("provider", sender)),
            message,
            mend,
            retryable=bool(head.get("retryable", True)),
        )
    return kind(message, mend)


def _words(words: Sequence[Word]) -> list[tuple[str, float, float]]:
    return [(word.text, float(word.start_s), float(word.end_s)) for word in words]


def _samples(payload: bytes) -> Samples:
    # A copy, so that the array may be written to: torch warns about read-only memory.
    return np.frombuffer(payload, _SAMPLE).astype(np.float32)


def _parts(samples: Samples) -> Iterator[Samples]:
    """The audio in parts that fit into a frame; of empty audio, one empty part."""
    if samples.ndim != 1:
        raise ValueError(f"audio must have one dimension, not {samples.ndim}")
    for begin in range(0, max(len(samples), 1), _MOST_SAMPLES):
        yield samples[begin : begin + _MOST_SAMPLES]


@contextmanager
def _making_sense(sender: str, frame: Frame) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProtocolViolation(
            sender, f"{sender} sent a {frame.type!r} frame that makes no sense ({error!r})."
        ) from error
