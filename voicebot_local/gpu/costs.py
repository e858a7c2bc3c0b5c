"""What the engines' steps cost, for `simulate`: shipped for three cards, or taken from a log."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from statistics import median
from typing import Any

from voicebot_local.errors import InputError
from voicebot_local.events import DeviceSteps, Entry, SessionStarted, SpeechProduced
from voicebot_local.events.file import read_events
from voicebot_local.gpu.conversation import TTS_TOKEN_S, Costs

SHIPPED = Path(__file__).with_name("costs.toml")
_KEYS = tuple(field.name for field in fields(Costs))
_NEEDED = {"asr": "recognizer", "llm": "chat model", "tts": "synthesizer"}


def shipped_costs() -> dict[str, Costs]:
    """The cards of `costs.toml`, by name."""
    return read_costs(SHIPPED)


def read_costs(path: Path) -> dict[str, Costs]:
    """Costs from a TOML file like the shipped one, by card; else from an event log, by its name.

    Raises InputError.
    """
    if path.suffix != ".toml":
        return {path.stem: costs_of_log(path, read_events(path).entries)}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The costs {path} cannot be read: {error.strerror}.",
            "Name a TOML file, or an event log in JSON lines.",
        ) from error
    except ValueError as error:
        raise InputError(f"The costs {path} are no TOML: {error}.", "Correct the file.") from error
    if not tables:
        raise InputError(f"The costs {path} are empty.", f"Give a table with {', '.join(_KEYS)}.")
    return {name: _costs(path, name, table) for name, table in tables.items()}


def _costs(path: Path, card: str, table: Any) -> Costs:
    if not isinstance(table, Mapping) or set(table) != set(_KEYS):
        raise InputError(
            f"[{card}] in {path} is no card.", f"It needs exactly these keys: {', '.join(_KEYS)}."
        )
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise InputError(
                f"{key} of [{card}] in {path} is {value!r}.", "Give milliseconds, 0 or more."
            )
    return Costs(**{key: value / 1000 for key, value in table.items()})


def costs_of_log(path: Path, entries: Iterable[Entry]) -> Costs:
    """The median cost of each kind of step in a log.

    A synthesizer that has no tokens is taken as one whose tokens cost what it took for as much
    audio. A clause's first token reads its text as well and cannot be told from the others, so
    reading costs nothing. Raises InputError where one of the three did no step.
    """
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    rate = 0
    samples = 0
    for entry in entries:
        match entry.event:
            case SessionStarted(card_rate=card_rate):
                rate = card_rate
            case SpeechProduced():
                samples += entry.event.samples
            case DeviceSteps(tenant=tenant, steps=steps):
                for kind, _, started, ended in steps:
                    took[tenant, kind].append(ended - started)
            case _:
                pass
    for tenant, name in _NEEDED.items():
        if not any(of == tenant for of, _ in took):
            raise InputError(
                f"The event log {path} has no step of the {name}.",
                "Take one of a conversation with local engines and `broker = true` in [gpu].",
            )
    if ("tts", "token") in took:
        token, window = _median(took, "tts", "token"), _median(took, "tts", "vocoder")
    else:
        made_s = samples / rate if rate else 0.0
        spent_s = sum(sum(values) for (tenant, _), values in took.items() if tenant == "tts")
        token, window = (spent_s / made_s * TTS_TOKEN_S if made_s else 0.0), 0.0
    return Costs(
        asr_chunk=_median(took, "asr", "chunk"),
        llm_prefill=_median(took, "llm", "prefill"),
        llm_token=_median(took, "llm", "token"),
        tts_prefill=0.0,
        tts_token=token,
        tts_window=window,
    )


def _median(took: Mapping[tuple[str, str], list[float]], tenant: str, kind: str) -> float:
    values = took.get((tenant, kind))
    return median(values) if values else 0.0
