"""What hosted providers do when their service, or the way to it, fails: one turn, and no more."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any

import anyio
import numpy as np
import pytest

from tests.conformance.hosted_rows import ASSEMBLYAI, CARTESIA, ELEVENLABS, OPENAI, HostedRow
from tests.servers.assemblyai import ENDED, PAUSED, SPEAKING, AssemblyAIServer
from tests.servers.script import KEY, Fault, Script
from voicebot_local.errors import (
    ProtocolViolation,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)
from voicebot_local.events import EngineDied, EngineLoaded, UsageReported
from voicebot_local.providers.asr import assemblyai
from voicebot_local.providers.base import Message, Samples
from voicebot_local.providers.hosted import HostedNotice

pytestmark = pytest.mark.anyio
ROWS = [ASSEMBLYAI, OPENAI, ELEVENLABS, CARTESIA]
SOCKETS = [ASSEMBLYAI, ELEVENLABS, CARTESIA]
for _row in ROWS:
    if _row.missing:
        pytest.skip(f"{_row.missing} is not installed", allow_module_level=True)


async def speech() -> AsyncIterator[Samples]:
    for _ in range(10):
        yield np.full(1_600, 0.3, np.float32)


async def clauses() -> AsyncIterator[str]:
    yield "Hello there."
    yield "And more."


async def used(provider: Any, row: HostedRow) -> str:
    """One call; what came of it, in short."""
    with anyio.fail_after(20):
        if row is ASSEMBLYAI:
            async with provider.transcribe(speech()) as transcripts:
                return [it async for it in transcripts][-1].text
        if row is OPENAI:
            async with provider.reply([Message("user", "hi")]) as deltas:
                return "".join([it.text async for it in deltas])
        async with provider.speak(clauses()) as audio:
            return str(sum([len(it.samples) async for it in audio]))


def over(rows: list[HostedRow]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def _middle(row: HostedRow, what: str, text: str = "", code: int = 0) -> Fault:
    return Fault("middle", what, code, text)


@over(ROWS)
async def test_a_connection_that_is_cut_costs_one_turn(row: HostedRow) -> None:
    script = Script()
    async with row.connected(script) as provider:
        expected = await used(provider, row)
        script.faults.append(_middle(row, "cut"))
        with pytest.raises(ProviderUnavailable) as raised:
            await used(provider, row)
        assert raised.value.retryable
        assert await used(provider, row) == expected


async def test_assemblyai_says_how_likely_the_turn_is_over() -> None:
    """Hardly while the user speaks, rather in a pause, hardly again when the user goes on."""

    async def with_a_pause() -> AsyncIterator[Samples]:
        async for block in speech():
            yield block
        for _ in range(3):
            yield np.zeros(1_600, np.float32)
        async for block in speech():
            yield block

    async with ASSEMBLYAI.connected(Script()) as provider:
        with anyio.fail_after(20):
            async with provider.transcribe(with_a_pause()) as transcripts:
                heard = [it async for it in transcripts]
    told = [confidence for confidence, _ in groupby(it.end_of_turn for it in heard)]
    assert told == [SPEAKING, PAUSED, SPEAKING, ENDED]
    in_the_pause = [it for it in heard if it.end_of_turn == PAUSED]
    assert [(it.text, it.is_final) for it in in_the_pause] == [("word0 word1", False)]
    assert all(it.confidence is None for it in heard)


@over(ROWS)
async def test_a_service_that_stalls_costs_one_turn(row: HostedRow) -> None:
    script = Script()
    at = "answer" if row is ASSEMBLYAI else "middle"
    async with row.connected(script, timeout_s=1.0) as provider:
        expected = await used(provider, row)
        script.faults.append(Fault(at, "stall"))
        if row is ASSEMBLYAI:  # What it has understood until then is not lost.
            assert await used(provider, row)
        else:
            with pytest.raises(ProviderTimeout):
                await used(provider, row)
        assert await used(provider, row) == expected


async def test_a_recognizer_that_never_says_anything_is_no_silence() -> None:
    script = Script(faults=_faults(Fault("answer", "stall")))
    async with ASSEMBLYAI.connected(script, timeout_s=0.5) as provider:

        async def a_breath() -> AsyncIterator[Samples]:
            yield np.zeros(1_600, np.float32)

        with pytest.raises(ProviderTimeout, match="AssemblyAI gave no answer"):
            async with provider.transcribe(a_breath()) as transcripts:
                _ = [it async for it in transcripts]
        assert await used(provider, ASSEMBLYAI)


async def _works(provider: Any, row: HostedRow) -> bool:
    try:
        await used(provider, row)
    except ProviderError:
        return False
    return True


NONSENSE = {
    "assemblyai": '{"type": "Turn", "turn_order": "first", "words": 5}',
    "openai": '{"choices": [{"delta": {"content": 5}}]}',
    "elevenlabs": '{"contextId": "reply-2", "audio": "no base64!"}',
    "cartesia": '{"type": "chunk", "context_id": "reply-2", "data": 7}',
}


@over(ROWS)
@pytest.mark.parametrize("kind", ["malformed", "against the schema"])
async def test_nonsense_costs_one_turn(row: HostedRow, kind: str) -> None:
    script = Script()
    async with row.connected(script) as provider:
        expected = await used(provider, row)
        text = "{no json" if kind == "malformed" else NONSENSE[row.name]
        script.faults.append(_middle(row, "say", text))
        with pytest.raises(ProtocolViolation, match=row_service(row)):
            await used(provider, row)
        assert await used(provider, row) == expected


def row_service(row: HostedRow) -> str:
    names = {"assemblyai": "AssemblyAI", "openai": "OpenAI", "elevenlabs": "ElevenLabs"}
    return names.get(row.name, "Cartesia")


@over(ROWS)
async def test_a_slow_link_is_only_slow(row: HostedRow) -> None:
    script = Script(first_s=0.2, pace_s=0.1)
    async with row.connected(script) as provider:
        assert await used(provider, row)


@over(ROWS)
async def test_a_refused_key_is_named_without_being_told(
    row: HostedRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "sk-wrong-42"
    variable = f"{row.name.upper()}_API_KEY"
    monkeypatch.setenv(variable, wrong)
    script = Script(needs_key=True)
    with pytest.raises(ProviderUnavailable, match=f"refused the key in {variable}") as raised:
        async with row.connected(script):
            pytest.fail("it was connected")
    error = raised.value
    assert "https://" in error.mend
    assert not error.retryable
    assert script.connections == 1
    assert wrong not in error.message + error.mend
    monkeypatch.setenv(variable, KEY)
    async with row.connected(Script(needs_key=True)) as provider:
        assert await used(provider, row)
        assert KEY not in repr(vars(provider))


@over(SOCKETS)
async def test_a_busy_service_is_asked_again(row: HostedRow) -> None:
    busy = Fault("handshake", "status", 429, "slow down", {"Retry-After": "0.3"})
    script = Script(faults=_faults(busy, Fault("handshake", "status", 503)))
    began = anyio.current_time()
    async with row.connected(script) as provider:
        assert await used(provider, row)
    assert anyio.current_time() - began >= 0.3
    assert script.connections == 3


async def test_a_busy_chat_model_is_asked_again() -> None:
    script = Script()
    async with OPENAI.connected(script) as provider:
        script.faults += (
            Fault("answer", "status", 429, headers={"Retry-After": "0.2"}),
            Fault("answer", "status", 503),
        )
        assert await used(provider, OPENAI)
        script.faults.append(Fault("answer", "status", 429, headers={"Retry-After": "30"}))
        with pytest.raises(ProviderUnavailable, match="asks to wait 30 s"):
            await used(provider, OPENAI)


@pytest.mark.parametrize(
    ("status", "code", "words", "mend"),
    [
        (429, "insufficient_quota", "no credit left", "https://platform.openai.com"),
        (404, "model_not_found", "no model 'gpt-4.1'", "Set `model`"),
        (400, "bad", "HTTP 400: teapot", ""),
    ],
)
async def test_what_cannot_be_mended_by_asking_again(
    status: int, code: str, words: str, mend: str
) -> None:
    script = Script()
    async with OPENAI.connected(script) as provider:
        text = json.dumps({"error": {"message": "teapot", "code": code}})
        script.faults.append(Fault("answer", "status", status, text))
        with pytest.raises(ProviderUnavailable, match=words) as raised:
            await used(provider, OPENAI)
        assert mend in raised.value.mend
        assert not raised.value.retryable
        assert await used(provider, OPENAI)


async def test_a_model_that_is_gone_is_said_at_once() -> None:
    with pytest.raises(ProviderUnavailable, match="no model 'gpt-4'") as raised:
        async with OPENAI.connected(Script(), model="gpt-4"):
            pytest.fail("it was connected")
    assert "gpt-4.1" in raised.value.mend


async def test_a_reply_that_ends_in_the_middle_is_no_whole_one() -> None:
    script = Script(faults=_faults(Fault("middle", "end")))
    async with OPENAI.connected(script) as provider:
        with pytest.raises(ProviderUnavailable, match="broke off in the middle"):
            await used(provider, OPENAI)


async def test_only_openai_gets_what_only_openai_knows() -> None:
    script = Script()
    async with OPENAI.connected(script, dialect="compatible", model="llama") as provider:
        await used(provider, OPENAI)
    _, body = script.seen[-1]
    assert body["max_tokens"] == 220
    assert "max_completion_tokens" not in body
    assert "include_obfuscation" not in body["stream_options"]


@pytest.mark.parametrize(
    ("code", "retryable"),
    [(3005, True), (3006, True), (3007, True), (3008, True), (3009, False), (1008, False)],
)
async def test_close_codes_of_the_recognizer(code: int, retryable: bool) -> None:
    script = Script()
    async with ASSEMBLYAI.connected(script) as provider:
        expected = await used(provider, ASSEMBLYAI)
        script.faults.append(Fault("middle", "close", code, "because"))
        with pytest.raises(ProviderUnavailable, match="because") as raised:
            await used(provider, ASSEMBLYAI)
        assert raised.value.retryable == retryable
        if retryable:
            assert await used(provider, ASSEMBLYAI) == expected
        else:
            with pytest.raises(ProviderUnavailable, match="because"):
                await used(provider, ASSEMBLYAI)
            assert script.connections == 1


@pytest.mark.parametrize(
    ("reason", "words", "retryable"),
    [
        ("quota_exceeded", "no characters left", False),
        ("max_active_conversations: Maximum simultaneous contexts", "too many replies", True),
        ("voice_id_does_not_exist", "Check `voice`", False),
    ],
)
async def test_close_reasons_of_the_synthesizer(reason: str, words: str, retryable: bool) -> None:
    script = Script()
    async with ELEVENLABS.connected(script) as provider:
        script.faults.append(Fault("middle", "close", 1008, reason))
        with pytest.raises(ProviderUnavailable) as raised:
            await used(provider, ELEVENLABS)
        assert words in raised.value.message + raised.value.mend
        assert raised.value.retryable == retryable


@over(SOCKETS)
async def test_an_idle_connection_that_is_lost_costs_nothing(row: HostedRow) -> None:
    notices: list[HostedNotice] = []
    script = Script()
    async with row.serving(script) as url, row.provider(url, notices.append) as provider:
        expected = await used(provider, row)
        provider._line._socket.transport.abort()
        while script.connections < 2:
            await anyio.sleep(0.01)
        assert await used(provider, row) == expected
    assert [type(it) for it in notices if not isinstance(it, UsageReported)] == [EngineLoaded]


@over(SOCKETS)
async def test_a_service_that_goes_and_comes_back(row: HostedRow) -> None:
    notices: list[HostedNotice] = []
    async with anyio.create_task_group() as tasks:
        ready = anyio.Event()
        where: list[str] = []
        gone = anyio.CancelScope()

        async def serve() -> None:
            with gone:
                async with row.serving(Script()) as url:
                    where.append(url)
                    ready.set()
                    await anyio.sleep_forever()

        tasks.start_soon(serve)
        await ready.wait()
        async with row.provider(where[0], notices.append, connect_timeout_s=3.0) as provider:
            expected = await used(provider, row)
            gone.cancel()
            while await _works(provider, row):
                await anyio.sleep(0.05)
            while not any(isinstance(it, EngineDied) for it in notices):
                await anyio.sleep(0.01)
            async with row.serving(Script(), int(where[0].rpartition(":")[2])):
                while not isinstance(notices[-1], EngineLoaded):
                    await anyio.sleep(0.01)
                assert await used(provider, row) == expected
        tasks.cancel_scope.cancel()


@over([ELEVENLABS, CARTESIA])
async def test_barge_in_keeps_the_socket(row: HostedRow) -> None:
    script = Script(pace_s=0.02)
    async with row.connected(script) as provider:
        expected = await used(provider, row)
        for _ in range(2):
            async with provider.speak(clauses()) as audio:
                await anext(audio)
        assert await used(provider, row) == expected
        assert script.connections == 1


async def test_more_replies_at_once_than_the_service_allows() -> None:
    """Contexts end there later than here; one too many would cost the socket in mid-reply."""
    script = Script(pace_s=0.2)
    async with ELEVENLABS.connected(script) as provider:
        expected = await used(provider, ELEVENLABS)
        for _ in range(9):
            async with provider.speak(clauses()) as audio:
                await anext(audio)
        assert await used(provider, ELEVENLABS) == expected


async def test_a_reply_that_is_left_is_cut_off_and_estimated() -> None:
    notices: list[HostedNotice] = []
    script = Script(pace_s=0.05)
    async with OPENAI.connected(script, notices.append) as provider:
        async with provider.reply([Message("user", "hi there")]) as deltas:
            await anext(deltas)
        reported = [it for it in notices if isinstance(it, UsageReported)]
        assert [it.estimated for it in reported] == [True]
        while [path for path, _ in script.seen].count("/v1/models") < 2:  # Warm again.
            await anyio.sleep(0.01)
        await used(provider, OPENAI)
    last = [it for it in notices if isinstance(it, UsageReported)][-1]
    assert not last.estimated
    assert last.output_tokens > 10
    assert last.cost_usd > 0


async def test_audio_goes_out_no_faster_than_it_is_taken() -> None:
    """A second at once is taken here, and two are sent: without pacing the session would end."""
    server = AssemblyAIServer(Script())
    server.limit_s = 1.5

    async def much() -> AsyncIterator[Samples]:
        for _ in range(22):
            yield np.full(1_600, 0.3, np.float32)

    async with (
        server.running() as url,
        ASSEMBLYAI.provider(url, lambda _: None, burst_s=0.5) as provider,
        provider.transcribe(much()) as transcripts,
    ):
        assert [it async for it in transcripts][-1].text


async def test_a_session_without_speech_is_ended_and_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notices: list[HostedNotice] = []
    script = Script()
    monkeypatch.setattr(assemblyai._Dialect, "keepalive_s", 0.05)
    async with ASSEMBLYAI.connected(script, notices.append, idle_close_s=0.1) as provider:
        expected = await used(provider, ASSEMBLYAI)
        while script.open_now:
            await anyio.sleep(0.01)
        assert script.seen[-1] == {"type": "Terminate"}
        await anyio.sleep(0.2)
        assert script.connections == 1
        assert await used(provider, ASSEMBLYAI) == expected
        assert script.connections == 2
    used_s = [it.connected_s for it in notices if isinstance(it, UsageReported)]
    assert all(it >= 0 for it in used_s)  # A call and a close can lie within half a millisecond.
    assert sum(used_s) >= 0.1  # The first session was idle for so long before it was ended.


def _faults(*faults: Fault) -> Any:
    return deque(faults)
