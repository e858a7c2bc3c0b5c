"""Engines that die, hang or never load: the call fails with a sentence, the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import psutil
import pytest

from tests.engines.fake_engines import fake
from tests.engines.running import blocks, said, started
from voicebot_local.engines.client import LocalEngine, running
from voicebot_local.engines.connection import EngineLimits
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer
from voicebot_local.engines.link import process_link
from voicebot_local.engines.protocol import MAX_PAYLOAD, Frame
from voicebot_local.errors import (
    ModelError,
    ProtocolViolation,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    VoicebotError,
)
from voicebot_local.events import EngineDied, EngineLoaded
from voicebot_local.providers.base import Message

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("word", "how", "mend"),
    [
        ("kill", "killed by signal 9", ""),
        ("crash", "exit code 7", "The last it wrote: these are its last words"),
    ],
)
async def test_death_in_a_call(word: str, how: str, mend: str) -> None:
    async with started(fake("chat")) as (engine, notices):
        with pytest.raises(ProviderUnavailable) as raised:
            await said(engine, f"a {word} b")
        sentence = f"The chat model (fake) stopped unexpectedly ({how})."
        assert raised.value.message == sentence
        assert raised.value.mend.startswith(mend)
        assert raised.value.retryable
        assert await said(engine, "x") == ["x "]
        assert [type(notice) for notice in notices] == [EngineLoaded, EngineDied, EngineLoaded]
        assert notices[1] == EngineDied("chat", "fake", sentence, restarting=True)


async def test_death_by_another_hand_in_a_call() -> None:
    async with started(fake("chat", step_s=0.01)) as (engine, _):
        async with EngineChatModel(engine).reply([Message("user", "count 9999")]) as deltas:
            assert (await anext(deltas)).text == "0 "
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGKILL)
            with pytest.raises(ProviderUnavailable, match="killed by signal 9"):
                _ = [delta async for delta in deltas]
        assert await said(engine, "x") == ["x "]


async def test_death_while_idle() -> None:
    async with started(fake("recognizer")) as (engine, notices):
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGTERM)
        while len(notices) < 3:
            await anyio.sleep(0.01)
        assert engine.pid != first
        async with EngineRecognizer(engine).transcribe(blocks(3)) as transcripts:
            assert [t.text async for t in transcripts] == ["3", "3 3"]


async def test_a_call_right_after_a_death_waits_for_the_restart() -> None:
    async with started(fake("chat")) as (engine, _):
        with pytest.raises(ProviderUnavailable):
            await said(engine, "kill")
        assert await said(engine, "x") == ["x "]


async def test_ctrl_c_is_for_the_program_alone() -> None:
    async with started(fake("chat")) as (engine, notices):
        assert engine.pid is not None
        assert os.getpgid(engine.pid) != os.getpgid(0)
        os.kill(engine.pid, signal.SIGINT)
        assert await said(engine, "x") == ["x "]
        assert len(notices) == 1


async def test_three_deaths_in_a_row_are_enough() -> None:
    async with started(fake("chat")) as (engine, notices):
        for _ in range(2):  # a success between them, and they do not count
            with pytest.raises(ProviderUnavailable):
                await said(engine, "kill")
        assert await said(engine, "x") == ["x "]
        for _ in range(3):
            with pytest.raises(ProviderUnavailable) as raised:
                await said(engine, "kill")
            assert raised.value.retryable
        for _ in range(2):
            with pytest.raises(ProviderUnavailable, match="3 times in a row") as raised:
                await said(engine, "x")
            assert not raised.value.retryable
        died = [notice for notice in notices if isinstance(notice, EngineDied)]
        assert [notice.restarting for notice in died] == [True] * 4 + [False]
        assert engine.pid is None


async def test_what_cannot_be_loaded_again_is_given_up(tmp_path: Path) -> None:
    spec = fake("chat", load="fail", load_once=tmp_path / "loaded once")
    async with started(spec) as (engine, notices):
        with pytest.raises(ProviderUnavailable, match="killed by signal 9"):
            await said(engine, "kill")
        with pytest.raises(ProviderUnavailable, match=r"given up; last: the model is not there"):
            await said(engine, "x")
        assert len(notices) == 4


@pytest.mark.parametrize(
    ("load", "kind", "sentence"),
    [
        ("fail", ModelError, "the model is not there"),
        ("bug", ProviderError, r"The chat model \(fake\) could not be loaded: KeyError: 'a bug'"),
        ("crash", ProviderUnavailable, r"stopped while it was loaded \(exit code 3\)"),
        ("hang", ProviderTimeout, "was not loaded after 3 s"),
    ],
)
async def test_a_load_that_fails(load: str, kind: type[VoicebotError], sentence: str) -> None:
    engine = LocalEngine(
        fake("chat", load=load), limits=EngineLimits(load_s=3 if load == "hang" else 60)
    )
    others = [LocalEngine(fake("recognizer")), LocalEngine(fake("synthesizer"))]
    with pytest.raises(kind, match=sentence):
        async with running(engine, *others):
            pytest.fail("it was loaded")
    assert not psutil.Process().children(recursive=True)


async def test_an_engine_that_does_not_exist() -> None:
    spec = fake("chat")
    object.__setattr__(spec, "engine", "tests.engines.fake_engines:NoSuchEngine")
    with pytest.raises(ProviderError, match="could not be loaded: AttributeError"):
        async with running(LocalEngine(spec)):
            pytest.fail("it was loaded")


async def test_a_hang_is_ended() -> None:
    limits = EngineLimits(stall_s=1.5)
    async with started(fake("chat"), limits=limits) as (engine, notices):
        with pytest.raises(ProviderTimeout, match=r"gave no answer for 1\.5 s"):
            await said(engine, "a hang b")
        assert await said(engine, "x") == ["x "]
        assert [type(notice) for notice in notices] == [EngineLoaded, EngineDied, EngineLoaded]


async def test_a_hang_that_was_left_is_ended_for_the_next_call() -> None:
    limits = EngineLimits(cancel_s=0.5)
    async with started(fake("chat"), limits=limits) as (engine, notices):
        async with EngineChatModel(engine).reply([Message("user", "a hang")]) as deltas:
            assert (await anext(deltas)).text == "a "
            await anyio.sleep(0.05)
        assert await said(engine, "x") == ["x "]
        assert [type(notice) for notice in notices] == [EngineLoaded, EngineDied, EngineLoaded]


async def test_a_call_does_not_wait_for_ever(tmp_path: Path) -> None:
    limits = EngineLimits(restart_s=0.3)
    spec = fake("chat", load="hang", load_once=tmp_path / "loaded once")
    async with started(spec, limits=limits) as (engine, _):
        with pytest.raises(ProviderUnavailable):
            await said(engine, "kill")
        with pytest.raises(ProviderTimeout, match=r"was not ready after 0\.3 s"):
            await said(engine, "x")


async def test_a_lost_device_gets_a_new_process() -> None:
    async with started(fake("chat")) as (engine, notices):
        first = engine.pid
        with pytest.raises(ProviderError, match="illegal memory access"):
            await said(engine, "lost")
        assert await said(engine, "x") == ["x "]
        assert engine.pid != first
        assert len(notices) == 3


async def test_nonsense_in_the_pipe_ends_it() -> None:
    async with started(fake("chat")) as (engine, notices):
        with pytest.raises(
            ProtocolViolation, match=r"The chat model \(fake\) sent a frame of .* too"
        ):
            await said(engine, "a corrupt b")
        assert await said(engine, "x") == ["x "]
        assert len(notices) == 3


async def test_what_an_engine_started_ends_with_it() -> None:
    async with started(fake("chat")) as (engine, _):
        assert await said(engine, "fork") == ["fork "]
        assert engine.pid is not None
        (grandchild,) = psutil.Process(engine.pid).children()
    _, alive = psutil.wait_procs([grandchild], timeout=5)
    assert not alive


async def test_two_hundred_calls_leave_nothing() -> None:
    us = psutil.Process()
    async with started(fake("chat")) as (engine, _):
        assert engine.pid is not None
        child = psutil.Process(engine.pid)

        async def calls(number: int) -> tuple[int, int, int, int]:
            for n in range(number):
                async with EngineChatModel(engine).reply([Message("user", "count 100")]) as deltas:
                    async for delta in deltas:
                        if n % 2 and delta.text == "20 ":
                            break
            assert await said(engine, "x") == ["x "]
            return us.num_fds(), us.num_threads(), child.num_fds(), child.num_threads()

        before = await calls(40)
        size = child.memory_info().rss
        assert all(now <= was for now, was in zip(await calls(200), before, strict=True))
        assert child.memory_info().rss - size < 3_000_000
    assert not us.children(recursive=True)


_PARENT = """
import sys, anyio
from tests.engines.fake_engines import fake
from tests.engines.running import said, started
from voicebot_local.engines.faces import EngineChatModel
from voicebot_local.providers.base import Message

async def main():
    async with started(fake("chat")) as (engine, _):
        async with EngineChatModel(engine).reply([Message("user", sys.argv[2])]) as deltas:
            async for delta in deltas:
                print(engine.pid, flush=True)
            await anyio.sleep_forever()

anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize("busy", ["x", "count 99999999", "a hang"])
def test_no_orphan_when_the_program_is_killed(anyio_backend: str, busy: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", _PARENT, anyio_backend, busy], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert program.stdout is not None
    with program, program.stdout:
        child = psutil.Process(int(program.stdout.readline()))
        time.sleep(0.2)
        program.kill()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive


async def test_a_link_that_is_closed_with_much_unsent_ends_quietly() -> None:
    async with process_link("an engine") as link:
        # More than a pipe holds, posted in the same breath as the link is closed.
        link.post(Frame({"type": "load"}, bytes(MAX_PAYLOAD)))
