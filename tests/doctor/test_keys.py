"""Keys of hosted services: there or not, accepted or not, against servers on this machine."""

from __future__ import annotations

import pytest

from tests.conformance.hosted_rows import ASSEMBLYAI, CARTESIA, ELEVENLABS, OPENAI, HostedRow
from tests.servers.script import KEY, Script
from voicebot_local.config import load_config
from voicebot_local.doctor.keys import check_key, hosted_sections
from voicebot_local.doctor.result import Result
from voicebot_local.engines.serving import load_class
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.providers.registry import HOSTED

ROWS = [ASSEMBLYAI, OPENAI, ELEVENLABS, CARTESIA]


def section(row: HostedRow, url: str) -> HostedConfig:
    made = load_class(HOSTED[row.name].config_class)(base_url=url, **row.settings)
    assert isinstance(made, HostedConfig)
    return made


async def online(row: HostedRow, script: Script) -> Result:
    async with row.serving(script) as url:
        return await check_key(section(row, url), offline=False, online=True)


@pytest.mark.anyio
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_accepted(row: HostedRow, monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(row, "http://127.0.0.1:1")
    monkeypatch.setenv(config.key_variable, KEY)
    found = await online(row, Script(needs_key=True))
    assert found.status == "green", found
    assert f"accepted {config.key_variable}" in found.summary
    assert found.name == config.service


@pytest.mark.anyio
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_refused(row: HostedRow, monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(row, "http://127.0.0.1:1")
    monkeypatch.setenv(config.key_variable, "sk-wrong")
    found = await online(row, Script(needs_key=True))
    assert found.status == "red"
    assert "refused the key" in found.summary
    assert config.key_page in found.mend
    assert "sk-wrong" not in f"{found.summary} {found.mend}"


@pytest.mark.anyio
async def test_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    (first, *_) = hosted_sections(load_config("hosted"))
    monkeypatch.delenv(first.key_variable, raising=False)
    found = await check_key(first, offline=False, online=True)
    assert (found.status, f"{first.key_variable} is not set" in found.summary) == ("red", True)
    assert "export" in found.mend


@pytest.mark.anyio
async def test_there_and_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = hosted_sections(load_config("hosted"))
    monkeypatch.setenv(first.key_variable, KEY)
    found = await check_key(first, offline=False, online=False)
    assert (found.status, "--online tries it" in found.summary) == ("green", True)
    assert KEY not in found.summary


@pytest.mark.anyio
async def test_an_offline_session_cannot_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = hosted_sections(load_config("hosted"))
    monkeypatch.setenv(first.key_variable, KEY)
    found = await check_key(first, offline=True, online=False)
    assert (found.status, "offline" in found.summary) == ("red", True)


@pytest.mark.anyio
async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(ELEVENLABS, "ws://127.0.0.1:9")
    monkeypatch.setenv(config.key_variable, KEY)
    found = await check_key(config, offline=False, online=True)
    assert (found.status, bool(found.summary)) == ("red", True)
