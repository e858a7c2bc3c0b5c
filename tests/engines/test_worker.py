"""Engines in child processes, and inline: calls, cancellation and errors, on asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import numpy as np
import pytest

from tests.engines.fake_engines import fake
from tests.engines.running import blocks, said, started
from voicebot_local.engines import serving
from voicebot_local.engines.client import Placement
from voicebot_local.engines.connection import EngineLimits
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer, EngineSynthesizer
from voicebot_local.engines.serving import INPUT_WINDOW
from voicebot_local.errors import OutOfMemory, ProtocolViolation, ProviderError
from voicebot_local.events import EngineLoaded
from voicebot_local.providers.base import Message, Samples, Word

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["process", "inline"])
def placement(request: pytest.FixtureRequest) -> Placement:
    return request.param  # type: ignore[no-any-return]


async def test_transcripts_come_in_order_with_one_final(placement: Placement) -> None:
    async with started(fake("recognizer"), placement) as (engine, notices):
        recognizer = EngineRecognizer(engine)
        for _ in range(2):
            async with recognizer.transcribe(blocks(160, 0, 320, 5)) as transcripts:
                got = [transcript async for transcript in transcripts]
            assert [t.text for t in got] == ["160", "480", "485", "485 485"]
            assert [t.is_final for t in got] == [False, False, False, True]
            assert got[-1].words == (Word("485", 0.0, 485 / 16_000),)
            assert got[-1].confidence == 0.5
        async with recognizer.transcribe(blocks()) as transcripts:
            assert [(t.text, t.is_final) async for t in transcripts] == [("", True)]
        assert [type(notice) for notice in notices] == [EngineLoaded]
        assert engine.info.device == "cpu"


@pytest.mark.parametrize(("finals", "says"), [(0, "without a final"), (2, "went on after")])
async def test_a_recognizer_gives_one_final(finals: int, says: str) -> None:
    async with started(fake("recognizer", finals=finals), "inline") as (engine, _):
        with pytest.raises(ProtocolViolation, match=says):
            async with EngineRecognizer(engine).transcribe(blocks(3)) as transcripts:
                _ = [transcript async for transcript in transcripts]


async def test_speech_comes_in_order(placement: Placement) -> None:
    async def clauses() -> AsyncIterator[str]:
        for clause in ("ab c", "", "print", "long 2000000"):
            yield clause

    async with started(fake("synthesizer"), placement) as (engine, _):
        synthesizer = EngineSynthesizer(engine)
        assert synthesizer.sample_rate == 8_000
        async with synthesizer.speak(clauses()) as audio:
            got = [item async for item in audio]
        assert [item.clause for item in got] == sorted(item.clause for item in got)
        assert bytes(int(item.samples[0]) for item in got if item.clause == 0) == b"ab c"
        assert got[0].words == (Word("ab", 0.0, 1 / 8_000), Word("c", 1 / 8_000, 2 / 8_000))
        long = np.concatenate([item.samples for item in got if item.clause == 3])
        np.testing.assert_array_equal(long, np.arange(2_000_000, dtype=np.float32))
        assert long.dtype == np.float32


async def test_leaving_cancels_and_the_next_call_is_its_own(placement: Placement) -> None:
    async with started(fake("chat"), placement) as (engine, _):
        for _ in range(5):
            async with EngineChatModel(engine).reply([Message("user", "count 99999999")]) as deltas:
                async for delta in deltas:
                    if delta.text == "300 ":
                        break
            assert await said(engine, "and now this") == ["and ", "now ", "this "]


async def test_leaving_while_the_engine_waits_for_input(placement: Placement) -> None:
    async def silence() -> AsyncIterator[Samples]:
        yield np.zeros(10, np.float32)
        await anyio.sleep_forever()

    async with started(fake("recognizer"), placement) as (engine, _):
        recognizer = EngineRecognizer(engine)
        for _ in range(3):
            async with recognizer.transcribe(silence()) as transcripts:
                assert (await anext(transcripts)).text == "10"
            async with recognizer.transcribe(silence()):
                pass
        async with recognizer.transcribe(blocks(7)) as transcripts:
            assert [t.text async for t in transcripts] == ["7", "7 7"]


async def test_a_cancelled_caller_leaves_at_once(placement: Placement) -> None:
    async with started(fake("chat", step_s=0.2), placement) as (engine, _):
        with anyio.move_on_after(0.05) as scope:
            await said(engine, "count 1000")
        assert scope.cancelled_caught
        assert engine.info.device == "cpu"
        assert await said(engine, "x") == ["x "]


async def test_errors_of_the_caller_come_out_as_themselves(placement: Placement) -> None:
    async def broken() -> AsyncIterator[Samples]:
        yield np.zeros(10, np.float32)
        raise LookupError("the microphone")

    async with started(fake("recognizer"), placement) as (engine, _):
        recognizer = EngineRecognizer(engine)
        with pytest.raises(LookupError, match="the microphone"):
            async with recognizer.transcribe(broken()) as transcripts:
                assert [t.is_final async for t in transcripts] == [False]
        with pytest.raises(ZeroDivisionError):
            async with recognizer.transcribe(blocks(1, 2)):
                raise ZeroDivisionError
        async with recognizer.transcribe(blocks(7)) as transcripts:
            assert [t.text async for t in transcripts] == ["7", "7 7"]


async def test_a_slow_engine_holds_its_input_back(placement: Placement) -> None:
    given = 0

    async def endless() -> AsyncIterator[Samples]:
        nonlocal given
        while True:
            given += 1
            yield np.zeros(1, np.float32)

    async with (
        started(fake("recognizer", step_s=0.5), placement) as (engine, _),
        EngineRecognizer(engine).transcribe(endless()) as transcripts,
    ):
        assert (await anext(transcripts)).text == "1"
        await anyio.sleep(0.1)
        assert given <= INPUT_WINDOW + 4


async def test_a_slow_caller_holds_the_engine_back(placement: Placement) -> None:
    async with (
        started(fake("chat"), placement, EngineLimits(stall_s=1)) as (engine, _),
        EngineChatModel(engine).reply([Message("user", "count 5000")]) as deltas,
    ):
        assert (await anext(deltas)).text == "0 "
        await anyio.sleep(2.5)  # this is no stall: the engine waits for us
        assert [delta.text async for delta in deltas][-1] == "4999 "


async def test_an_engine_that_waits_for_input_is_not_taken_for_dead() -> None:
    async def slow() -> AsyncIterator[Samples]:
        for _ in range(2):
            yield np.ones(5, np.float32)
            await anyio.sleep(2)

    limits = EngineLimits(stall_s=1)
    async with started(fake("recognizer"), limits=limits) as (engine, notices):
        async with EngineRecognizer(engine).transcribe(slow()) as transcripts:
            assert [t.text async for t in transcripts] == ["5", "10", "10 10"]
        assert len(notices) == 1


async def test_one_call_at_a_time(placement: Placement) -> None:
    async with (
        started(fake("chat"), placement) as (engine, _),
        EngineChatModel(engine).reply([Message("user", "a b c")]) as deltas,
    ):
        with pytest.raises(RuntimeError, match="one call at a time"):
            await said(engine, "meanwhile")
        assert [delta.text async for delta in deltas] == ["a ", "b ", "c "]


@pytest.mark.parametrize(
    ("word", "kind", "sentence"),
    [
        ("bug", ProviderError, r"The chat model \(fake\) failed: ZeroDivisionError: division by"),
        ("memory", OutOfMemory, r"The chat model \(fake\) ran out of memory: CUDA out of memory"),
    ],
)
async def test_an_error_ends_the_call_only(
    placement: Placement, word: str, kind: type[Exception], sentence: str
) -> None:
    async with started(fake("chat"), placement) as (engine, notices):
        with pytest.raises(kind, match=sentence) as raised:
            await said(engine, f"a {word} b")
        assert "\n" not in str(raised.value)
        assert await said(engine, "x") == ["x "]
        assert len(notices) == 1


async def test_a_prefill_gives_nothing_and_can_be_cancelled(placement: Placement) -> None:
    async with started(fake("chat", step_s=0.01), placement) as (engine, _):
        chat = EngineChatModel(engine)
        await chat.prefill([Message("user", "a b c")])
        with anyio.move_on_after(0.03) as scope:
            await chat.prefill([Message("user", "x " * 100_000)])
        assert scope.cancelled_caught
        assert await said(engine, "x y") == ["x ", "y "]
        with pytest.raises(ProviderError, match="ZeroDivisionError"):
            await chat.prefill([Message("user", "a bug b")])
        assert await said(engine, "x") == ["x "]


async def test_a_prefill_is_speculative_work(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    class FreeDevice:
        def begin(self, *, speculative: bool = False) -> None:
            told.append(speculative)

        def acquire(self) -> None: ...
        def release(self) -> None: ...
        def rest(self) -> None: ...
        def interrupt(self) -> None: ...

    monkeypatch.setattr(serving, "_lease", lambda _: FreeDevice())
    async with started(fake("chat"), "inline") as (engine, _):
        await EngineChatModel(engine).prefill([Message("user", "a b")])
        assert await said(engine, "x") == ["x "]
    assert told == [True, False]


async def test_a_history_that_is_too_long_fails_in_the_caller(placement: Placement) -> None:
    async with started(fake("chat"), placement) as (engine, _):
        with pytest.raises(ProviderError, match="too long"):
            await said(engine, "x" * 5_000_000)
        assert await said(engine, "x") == ["x "]
