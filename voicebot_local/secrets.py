"""Keys of services: from the environment, else from a `.env` file; never shown anywhere.

A key is a pydantic `SecretStr` from here on, so that no log, repr or error holds it.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

ENV_FILE = Path(".env")
"""Looked for in the current directory; lines of `NAME=value`."""


def read_key(variable: str, env_file: Path = ENV_FILE) -> SecretStr | None:
    """The key that `variable` holds in the environment, else in `env_file`; None where neither
    has it."""
    value = os.environ.get(variable, "").strip() or _in_file(variable, env_file)
    return SecretStr(value) if value else None


def without(text: str, key: SecretStr | None) -> str:
    """`text` without the key, should a server repeat it."""
    secret = key.get_secret_value() if key else ""
    return text.replace(secret, "…") if secret else text


def _in_file(variable: str, env_file: Path) -> str:
    try:
        lines = env_file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == variable:
            return _unquoted(value.strip())
    return ""


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.partition(" #")[0].strip()
