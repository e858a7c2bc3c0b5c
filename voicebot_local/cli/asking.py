"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import sys

from voicebot_local.errors import ConfigError


def ask(question: str, without: str) -> bool:
    """Ask at the terminal; no is the default. Raises ConfigError where there is no terminal, with
    the command that needs none."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked here.", f"If so: {without}")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
