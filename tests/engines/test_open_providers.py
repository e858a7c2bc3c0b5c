"""A session's three providers, opened together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.engines.fake_engines import fake
from tests.engines.running import blocks, said, started
from voicebot_local.engines.client import EngineNotice
from voicebot_local.errors import ConfigError, ModelError, ProviderError
from voicebot_local.events import EngineLoaded, Stage
from voicebot_local.providers.base import Message, ProviderConfig
from voicebot_local.providers.registry import (
    Choice,
    EngineKind,
    EngineOptions,
    choice,
    open_providers,
)

pytestmark = pytest.mark.anyio


def chosen(stage: Stage, **config: object) -> Choice:
    spec = fake(stage, **config)
    return choice(spec.config, EngineKind(stage, spec.engine, spec.config_class))


async def test_three_processes_in_parallel() -> None:
    notices: list[EngineNotice] = []
    async with open_providers(
        chosen("recognizer"), chosen("chat"), chosen("synthesizer"), notices.append
    ) as providers:
        assert {(notice.stage, type(notice)) for notice in notices} == {
            ("recognizer", EngineLoaded),
            ("chat", EngineLoaded),
            ("synthesizer", EngineLoaded),
        }
        assert len({engine.pid for engine in providers.engines}) == 3
        assert providers.synthesizer.sample_rate == 8_000
        async with providers.chat.reply([Message("user", "a b")]) as deltas:
            assert [delta.text async for delta in deltas] == ["a ", "b "]
    assert not psutil.Process().children()


async def test_the_first_load_that_fails_ends_all() -> None:
    with pytest.raises(ModelError, match="the model is not there") as raised:
        async with open_providers(
            chosen("recognizer", load="hang"),
            chosen("chat", load="fail"),
            chosen("synthesizer"),
            lambda _: None,
        ):
            pytest.fail("it was opened")
    assert raised.value.mend == "get it"
    assert not psutil.Process().children()


async def test_early_it_begins_when_the_recognizer_hears_and_a_reply_waits(tmp_path: Path) -> None:
    notices: list[EngineNotice] = []
    chat, voice = tmp_path / "chat", tmp_path / "voice"
    slow = (chosen("chat", load_after=chat), chosen("synthesizer", load_after=voice))
    options = EngineOptions(early=True)
    async with open_providers(chosen("recognizer"), *slow, notices.append, options) as providers:
        assert [engine.is_loaded for engine in providers.engines] == [True, False, False]
        async with providers.recognizer.transcribe(blocks(5)) as transcripts:
            assert [t.text async for t in transcripts] == ["5", "5 5"]
        with anyio.move_on_after(0.05) as scope:
            await providers.chat.prefill([Message("user", "a")])
        assert scope.cancelled_caught
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_after_a_while, chat)
            async with providers.chat.reply([Message("user", "a b")]) as deltas:
                assert [delta.text async for delta in deltas] == ["a ", "b "]
            tasks.start_soon(_after_a_while, voice)
            async with providers.synthesizer.speak(_clauses("ab")) as audio:
                assert providers.synthesizer.sample_rate == 8_000
                assert len([item async for item in audio]) == 2
        assert [notice.stage for notice in notices] == ["recognizer", "chat", "synthesizer"]
    assert not psutil.Process().children()


async def test_early_a_load_that_fails_ends_the_block(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stages = (
        chosen("recognizer"),
        chosen("chat"),
        chosen("synthesizer", load="fail", load_after=gate),
    )

    async def speak() -> None:
        options = EngineOptions(early=True)
        async with open_providers(*stages, lambda _: None, options) as providers:
            assert not providers.engines[2].is_loaded
            gate.touch()
            async with providers.synthesizer.speak(_clauses("ab")):
                pytest.fail("it spoke")

    with pytest.raises(ModelError, match="the model is not there"):
        await speak()
    assert not psutil.Process().children()


async def _after_a_while(gate: Path) -> None:
    await anyio.sleep(0.1)
    gate.touch()


async def _clauses(text: str) -> AsyncIterator[str]:
    yield text


@pytest.mark.parametrize("error", [ConfigError("no"), KeyboardInterrupt(), LookupError("x")])
async def test_an_error_in_the_block_comes_out_as_itself(error: BaseException) -> None:
    options = EngineOptions(placement="inline")
    stages = [chosen(stage) for stage in ("recognizer", "chat", "synthesizer")]
    with pytest.raises(type(error)) as raised:
        async with open_providers(*stages, lambda _: None, options):
            raise error
    assert raised.value is error


async def test_a_cancelled_load_leaves_nothing() -> None:
    with anyio.move_on_after(0.3) as scope:
        stages = [chosen(stage, load="hang") for stage in ("recognizer", "chat", "synthesizer")]
        async with open_providers(*stages, lambda _: None):
            pytest.fail("it was opened")
    assert scope.cancelled_caught
    assert not psutil.Process().children()


def test_an_unknown_provider() -> None:
    class Unknown(ProviderConfig):
        provider: str = "whisper"

    with pytest.raises(
        ConfigError, match=r"'whisper' is unknown; it is one of: pocketsphinx, nemo"
    ):
        choice(Unknown())


async def test_an_offline_engine_reaches_nobody() -> None:
    async with started(replace(fake("chat"), offline=True)) as (engine, _):
        with pytest.raises(ProviderError, match=r"NetworkForbidden: the network is off"):
            await said(engine, "connect")


_TABLE = """
import json, sys
from voicebot_local.engines.serving import load_class
from voicebot_local.providers.registry import HOSTED, LOCAL_ENGINES
for kind in LOCAL_ENGINES.values():
    load_class(kind.config_class), load_class(kind.engine)
for kind in HOSTED.values():
    load_class(kind.config_class), load_class(kind.provider)
heavy = {"openai", "websockets", "httpx2", "torch", "nemo", "TTS", "llama_cpp", "pocketsphinx"}
heavy |= {"transformers", "espeakng_loader"}
print(json.dumps([[*LOCAL_ENGINES, *HOSTED], sorted(heavy & set(sys.modules))]))
"""


def test_the_table_is_right_and_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TABLE],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    names, heavy = json.loads(done.stdout)
    local = ["pocketsphinx", "nemo", "llama_cpp", "espeak", "xtts"]
    assert names == [*local, "assemblyai", "openai", "elevenlabs", "cartesia"]
    assert heavy == []
