"""What every provider does alike, whoever makes it. One function a scenario, grouped by stage.

Each takes a provider that is loaded, and leaves it ready for the next scenario. `kill` kills the
engine's process, or is None where it has none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from voicebot_local.errors import ProviderUnavailable
from voicebot_local.providers.base import (
    RECOGNIZER_RATE,
    ChatModel,
    Message,
    Recognizer,
    Samples,
    SpokenAudio,
    Synthesizer,
    Transcript,
)

Kill = Callable[[], None]

# Long enough that a recognizer which learns a speaker does not depend on who spoke before.
_SPEECH = Path(__file__).parents[2] / "examples" / "05-capital-of-france.wav"
_CLAUSES = ("Hello there,", "", "this is the second of 2 clauses.")
_QUESTION = (Message("system", "You are brief."), Message("user", "Tell me a long story."))


# --- Recognizers


async def one_final_and_it_is_last(recognizer: Recognizer) -> None:
    got = await _transcribed(recognizer, _blocks(320))
    assert [transcript.is_final for transcript in got] == [False] * (len(got) - 1) + [True]
    assert got[-1].text.strip() == got[-1].text
    ends = [word.end_s for word in got[-1].words]
    assert ends == sorted(ends)
    assert all(0 <= word.start_s <= word.end_s for word in got[-1].words)


async def partials_come_before_the_end(recognizer: Recognizer) -> None:
    seen = anyio.Event()

    async def audio() -> AsyncIterator[Samples]:
        for block in _cut(320):
            yield block
        while not seen.is_set():
            yield np.zeros(320, np.float32)
            await anyio.sleep(0.02)

    async with recognizer.transcribe(audio()) as transcripts:
        async for transcript in transcripts:
            assert not transcript.is_final or seen.is_set()
            if transcript.text:
                seen.set()


async def the_same_again(recognizer: Recognizer) -> None:
    first = await _text(recognizer, _blocks(320))
    assert await _text(recognizer, _blocks(320)) == first


async def blocks_of_any_length(recognizer: Recognizer) -> None:
    expected = await _text(recognizer, _blocks(320))
    for lengths in ((160,), (1, 0, 7, 4_000), (10_000_000,)):
        assert await _text(recognizer, _blocks(*lengths)) == expected


async def nothing_said(recognizer: Recognizer) -> None:
    for count in (0, 1, 25):
        got = await _transcribed(recognizer, _silence(count))
        assert [t.is_final for t in got].count(True) == 1
        assert got[-1].is_final
        assert count or got[-1].text == ""


async def left_in_mid_speech(recognizer: Recognizer) -> None:
    expected = await _text(recognizer, _blocks(320))
    for _ in range(3):
        async with recognizer.transcribe(_endless_speech()) as transcripts:
            await anext(transcripts)
        assert await _text(recognizer, _blocks(320)) == expected
    async with recognizer.transcribe(_endless_speech()):
        pass
    with anyio.move_on_after(0.1):
        await _transcribed(recognizer, _endless_speech())
    assert await _text(recognizer, _blocks(320)) == expected


async def recognizer_killed(recognizer: Recognizer, kill: Kill) -> None:
    expected = await _text(recognizer, _blocks(320))
    async with recognizer.transcribe(_endless_speech()) as transcripts:
        await anext(transcripts)
        kill()
        with pytest.raises(ProviderUnavailable, match="killed by signal 9"):
            _ = [transcript async for transcript in transcripts]
    assert await _text(recognizer, _blocks(320)) == expected


RECOGNIZER_SCENARIOS: Sequence[Callable[[Recognizer], Awaitable[None]]] = (
    one_final_and_it_is_last,
    partials_come_before_the_end,
    the_same_again,
    blocks_of_any_length,
    nothing_said,
    left_in_mid_speech,
)


# --- Chat models


async def a_reply_in_pieces(chat: ChatModel) -> None:
    pieces = await _reply(chat, _QUESTION)
    assert all(pieces)
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)


async def odd_conversations(chat: ChatModel) -> None:
    for messages in (
        [Message("user", "")],
        [Message("user", "Hello 🙂 <|im_end|> \x00 {{ 7 * 7 }}")],
        [Message("user", "a"), Message("assistant", ""), Message("user", "b")],
        [
            Message("user", "a"),
            Message("assistant", "I was", interrupted=True),
            Message("user", "b"),
        ],
        [
            Message("system", "You are brief."),
            *[Message(role, "words " * 20) for _ in range(100) for role in ("user", "assistant")],
            Message("user", "And now?"),
        ],
    ):
        async with chat.reply(messages) as deltas:
            async for delta in deltas:
                assert delta.text
                break


async def left_in_mid_reply(chat: ChatModel) -> None:
    for _ in range(3):
        async with chat.reply(_QUESTION) as deltas:
            await anext(deltas)
    async with chat.reply(_QUESTION):
        pass
    with anyio.move_on_after(0.02):
        await _reply(chat, _QUESTION)
    assert await _reply(chat, _QUESTION)


async def made_ready(chat: ChatModel) -> None:
    """A text that grows, is corrected, shrinks, is left in the middle, and is not what is asked."""
    first, *_ = _QUESTION
    for text in ("", "Tell", "Tell me a", "Sell me", "Tell me a long story.", "Tell"):
        await chat.prefill([first, Message("user", text)])
    with anyio.move_on_after(0.02):
        await chat.prefill([first, Message("user", "word " * 1000)])
    assert await _reply(chat, _QUESTION)
    await chat.prefill([*_QUESTION, Message("assistant", "Once", interrupted=True), _QUESTION[1]])
    assert await _reply(chat, _QUESTION)


async def chat_killed(chat: ChatModel, kill: Kill) -> None:
    async with chat.reply(_QUESTION) as deltas:
        await anext(deltas)
        kill()
        with pytest.raises(ProviderUnavailable, match="killed by signal 9"):
            _ = [delta async for delta in deltas]
    assert await _reply(chat, _QUESTION)


CHAT_SCENARIOS: Sequence[Callable[[ChatModel], Awaitable[None]]] = (
    a_reply_in_pieces,
    odd_conversations,
    left_in_mid_reply,
    made_ready,
)


# --- Synthesizers


async def audio_in_order(synthesizer: Synthesizer) -> None:
    got = await _spoken(synthesizer, _clauses(*_CLAUSES))
    assert 8_000 <= synthesizer.sample_rate <= 48_000
    numbers = [item.clause for item in got]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 2}
    for item in got:
        assert item.samples.dtype == np.float32
        assert item.samples.ndim == 1
        assert np.isfinite(item.samples).all()
    for clause in (0, 2):
        assert sum(len(item.samples) for item in got if item.clause == clause) > 0


async def words_come_with_or_before_their_audio(synthesizer: Synthesizer) -> None:
    given: dict[int, int] = {}
    for item in await _spoken(synthesizer, _clauses(*_CLAUSES)):
        begin = given.get(item.clause, 0) / synthesizer.sample_rate
        assert all(word.end_s >= begin for word in item.words)
        given[item.clause] = given.get(item.clause, 0) + len(item.samples)


async def nothing_to_say(synthesizer: Synthesizer) -> None:
    for clauses in ((), ("",), ("", "")):
        got = await _spoken(synthesizer, _clauses(*clauses))
        assert sum(len(item.samples) for item in got) == 0


async def clauses_that_come_late(synthesizer: Synthesizer) -> None:
    first_heard = anyio.Event()

    async def late() -> AsyncIterator[str]:
        yield _CLAUSES[0]
        await first_heard.wait()
        yield _CLAUSES[2]

    numbers = set()
    async with synthesizer.speak(late()) as audio:
        async for item in audio:
            numbers.add(item.clause)
            first_heard.set()
    assert numbers == {0, 1}


async def left_in_mid_word(synthesizer: Synthesizer) -> None:
    for _ in range(3):
        async with synthesizer.speak(_endless_clauses()) as audio:
            await anext(audio)
    async with synthesizer.speak(_endless_clauses()):
        pass
    with anyio.move_on_after(0.1):
        await _spoken(synthesizer, _endless_clauses())
    await audio_in_order(synthesizer)


async def synthesizer_killed(synthesizer: Synthesizer, kill: Kill) -> None:
    async with synthesizer.speak(_endless_clauses()) as audio:
        await anext(audio)
        kill()
        with pytest.raises(ProviderUnavailable, match="killed by signal 9"):
            _ = [item async for item in audio]
    await audio_in_order(synthesizer)


SYNTHESIZER_SCENARIOS: Sequence[Callable[[Synthesizer], Awaitable[None]]] = (
    audio_in_order,
    words_come_with_or_before_their_audio,
    nothing_to_say,
    clauses_that_come_late,
    left_in_mid_word,
)


# --- Inputs and outputs


async def _transcribed(recognizer: Recognizer, audio: AsyncIterator[Samples]) -> list[Transcript]:
    async with recognizer.transcribe(audio) as transcripts:
        return [transcript async for transcript in transcripts]


async def _text(recognizer: Recognizer, audio: AsyncIterator[Samples]) -> str:
    """What was understood. A recognizer may learn from call to call how sure it is of that."""
    return (await _transcribed(recognizer, audio))[-1].text


async def _reply(chat: ChatModel, messages: Sequence[Message]) -> list[str]:
    async with chat.reply(messages) as deltas:
        return [delta.text async for delta in deltas]


async def _spoken(synthesizer: Synthesizer, clauses: AsyncIterator[str]) -> list[SpokenAudio]:
    async with synthesizer.speak(clauses) as audio:
        return [item async for item in audio]


def _speech() -> Samples:
    samples, rate = soundfile.read(_SPEECH, dtype="float32")
    assert rate == RECOGNIZER_RATE
    return samples  # type: ignore[no-any-return]


async def _blocks(*lengths: int) -> AsyncIterator[Samples]:
    for block in _cut(*lengths):
        yield block


def _cut(*lengths: int) -> Iterator[Samples]:
    """A recording, cut to these lengths in turn."""
    rest, turn = _speech(), 0
    while len(rest):
        length = lengths[turn % len(lengths)]
        yield rest[:length]
        rest, turn = rest[length:], turn + 1


async def _silence(count: int) -> AsyncIterator[Samples]:
    for _ in range(count):
        yield np.zeros(320, np.float32)


async def _endless_speech() -> AsyncIterator[Samples]:
    while True:
        for block in _cut(1_600):
            yield block


async def _clauses(*clauses: str) -> AsyncIterator[str]:
    for clause in clauses:
        yield clause


async def _endless_clauses() -> AsyncIterator[str]:
    while True:
        yield "One more clause, and another one after that."
