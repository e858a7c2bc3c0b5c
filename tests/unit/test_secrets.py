"""Keys: where they come from, and that nothing shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebot_local.errors import ConfigError
from voicebot_local.providers.hosted import NO_KEY, Service
from voicebot_local.providers.llm.openai import OpenAIConfig
from voicebot_local.secrets import read_key, without

KEY = "sk-secret-0123456789"


def found(variable: str, file: Path) -> str | None:
    key = read_key(variable, file)
    return key.get_secret_value() if key else None


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# keys\nA_KEY=in-file\nexport B_KEY='quoted # here'\nC_KEY=plain # words\nD_KEY=\n"
    )
    monkeypatch.setenv("A_KEY", "in-environment")
    assert found("A_KEY", file) == "in-environment"
    assert found("B_KEY", file) == "quoted # here"
    assert found("C_KEY", file) == "plain"
    assert found("D_KEY", file) is None
    assert found("E_KEY", file) is None
    assert found("B_KEY", tmp_path / "none") is None


def test_a_key_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    config = OpenAIConfig()
    service = Service("chat", "openai", config, config.key())
    assert KEY not in repr(service) + str(service.key) + config.model_dump_json()
    assert service.clean(f"Incorrect key {KEY}\n given") == "Incorrect key … given"
    assert without("abc", None) == "abc"


def test_a_missing_key_says_which_and_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set") as raised:
        OpenAIConfig().require(offline=False)
    assert "https://platform.openai.com/api-keys" in raised.value.mend
    assert OpenAIConfig(base_url="http://127.0.0.1:8080/v1").key().get_secret_value() == NO_KEY


@pytest.mark.parametrize(
    ("url", "offline", "words"),
    [
        ("https://api.openai.com/v1", True, "the session is offline"),
        ("http://api.openai.com/v1", False, "unencrypted"),
        ("api.openai.com", False, "no address"),
        ("ftp://api.openai.com", False, "no address"),
    ],
)
def test_addresses_that_cannot_work(
    monkeypatch: pytest.MonkeyPatch, url: str, offline: bool, words: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigError, match=words):
        OpenAIConfig(base_url=url).require(offline=offline)


@pytest.mark.parametrize("url", ["http://localhost:8080/v1", "http://[::1]:8080/v1"])
def test_a_server_on_this_machine_is_not_the_network(url: str) -> None:
    OpenAIConfig(base_url=url).require(offline=True)
