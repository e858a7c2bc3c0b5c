"""A session's three providers, opened together."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.engines.fake_engines import fake
from tests.engines.running import said, started
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
