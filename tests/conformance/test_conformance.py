"""One scenario file, one row a provider."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import anyio
import psutil
import pytest

from tests.conformance import hosted_rows, rows, scenarios
from tests.conformance.hosted_rows import HostedRow
from tests.conformance.rows import Row
from tests.engines.xtts_fixture import tiny_xtts  # noqa: F401 - a fixture that a row asks for
from tests.servers.script import Script
from voicebot_local.engines.client import LocalEngine, running
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer, EngineSynthesizer
from voicebot_local.providers.base import ChatModel, Recognizer, Synthesizer

pytestmark = pytest.mark.anyio

ROWS = {"recognizer": rows.RECOGNIZERS, "chat": rows.CHAT_MODELS, "synthesizer": rows.SYNTHESIZERS}


@pytest.fixture(autouse=True)
def _no_child_left_behind() -> None:
    """In the place of the check after each test: `engine` lives longer, and makes its own."""


@pytest.fixture(scope="module")
def anyio_backend(row: Row | HostedRow) -> str:
    return row.backend


@pytest.fixture(scope="module")
async def engine(
    row: Row, anyio_backend: str, request: pytest.FixtureRequest
) -> AsyncIterator[LocalEngine]:
    """The row's engine, loaded once for all scenarios."""
    if row.missing:
        pytest.skip(f"{row.name} needs {', '.join(row.missing)}")
    loaded = LocalEngine(row.spec(request), placement=row.placement)
    async with running(loaded):
        yield loaded
        last = loaded.pid
    assert last is None or not psutil.pid_exists(last)


@pytest.fixture
def kill(engine: LocalEngine, row: Row) -> Callable[[], None]:
    def kill() -> None:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)

    return kill


def _over(stage: str, *, processes_only: bool = False) -> pytest.MarkDecorator:
    chosen = [row for row in ROWS[stage] if row.placement == "process" or not processes_only]
    return pytest.mark.parametrize("row", chosen, ids=str, scope="module")


def _named(scenario: Callable[..., object]) -> str:
    return scenario.__name__


@_over("recognizer")
@pytest.mark.parametrize("scenario", scenarios.RECOGNIZER_SCENARIOS, ids=_named)
async def test_recognizer(
    engine: LocalEngine, scenario: Callable[[Recognizer], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(EngineRecognizer(engine))


@_over("recognizer", processes_only=True)
async def test_recognizer_killed(engine: LocalEngine, kill: Callable[[], None]) -> None:
    await scenarios.recognizer_killed(EngineRecognizer(engine), kill)


@_over("chat")
@pytest.mark.parametrize("scenario", scenarios.CHAT_SCENARIOS, ids=_named)
async def test_chat_model(
    engine: LocalEngine, scenario: Callable[[ChatModel], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(EngineChatModel(engine))


@_over("chat", processes_only=True)
async def test_chat_model_killed(engine: LocalEngine, kill: Callable[[], None]) -> None:
    await scenarios.chat_killed(EngineChatModel(engine), kill)


@_over("synthesizer")
@pytest.mark.parametrize("scenario", scenarios.SYNTHESIZER_SCENARIOS, ids=_named)
async def test_synthesizer(
    engine: LocalEngine, scenario: Callable[[Synthesizer], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(EngineSynthesizer(engine))


@_over("synthesizer", processes_only=True)
async def test_synthesizer_killed(engine: LocalEngine, kill: Callable[[], None]) -> None:
    await scenarios.synthesizer_killed(EngineSynthesizer(engine), kill)


@pytest.fixture(scope="module")
async def hosted(row: HostedRow, anyio_backend: str) -> AsyncIterator[Any]:
    """The row's provider, connected once for all scenarios."""
    if row.missing:
        pytest.skip(f"{row.name} needs {', '.join(row.missing)}")
    async with row.connected(Script(pace_s=0.002)) as provider:
        yield provider


def _hosted(
    chosen: list[HostedRow], over: Sequence[Callable[..., Awaitable[None]]]
) -> Callable[[Any], Any]:
    rows_of = pytest.mark.parametrize("row", chosen, ids=str, scope="module")
    scenarios_of = pytest.mark.parametrize("scenario", over, ids=_named)
    return lambda test: rows_of(scenarios_of(test))


@_hosted(hosted_rows.RECOGNIZERS, scenarios.RECOGNIZER_SCENARIOS)
async def test_hosted_recognizer(
    hosted: Recognizer, scenario: Callable[[Recognizer], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(hosted)


@_hosted(hosted_rows.CHAT_MODELS, scenarios.CHAT_SCENARIOS)
async def test_hosted_chat_model(
    hosted: ChatModel, scenario: Callable[[ChatModel], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(hosted)


@_hosted(hosted_rows.SYNTHESIZERS, scenarios.SYNTHESIZER_SCENARIOS)
async def test_hosted_synthesizer(
    hosted: Synthesizer, scenario: Callable[[Synthesizer], Awaitable[None]]
) -> None:
    with anyio.fail_after(100):
        await scenario(hosted)
