"""The sizes of published models, for planning without their files. See `shapes.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from voicebot_local.gpu.estimate_llm import LlmShape
from voicebot_local.gpu.estimate_speech import RecognizerShape, SynthesizerShape

_FILE = Path(__file__).with_name("shapes.toml")


@cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def known_chat() -> dict[str, LlmShape]:
    """Chat models by file name."""
    return {name: _chat(name, dict(entry)) for name, entry in _table()["chat"].items()}


def known_recognizers() -> dict[str, RecognizerShape]:
    return {name: RecognizerShape(name, **entry) for name, entry in _table()["recognizer"].items()}


def known_synthesizers() -> dict[str, SynthesizerShape]:
    """By the name of their directory."""
    entries = _table()["synthesizer"].items()
    return {name: SynthesizerShape(name, **entry) for name, entry in entries}


def _chat(name: str, entry: dict[str, Any]) -> LlmShape:
    layers: int = entry.pop("layers")
    each, rest = divmod(entry.pop("layer_bytes"), layers)
    head: int = entry.pop("head_length")
    return LlmShape(
        name=name,
        layer_bytes=tuple(each + (number < rest) for number in range(layers)),
        kv_heads=(entry.pop("kv_heads"),) * layers,
        key_length=head,
        value_length=head,
        **entry,
    )
