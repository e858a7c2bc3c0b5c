"""How long it took to bring a model's weights back to the device, kept for the next plan."""

from __future__ import annotations

import json
from pathlib import Path

from voicebot_local.paths import cache_dir


def _file() -> Path:
    return cache_dir() / "swaps.json"


def remember(model: str, device: str, seconds: float) -> None:
    """Keep what was measured; a cache that cannot be written is left as it is."""
    known = _read() | {_key(model, device): round(seconds, 4)}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    except OSError:
        return


def remembered(model: str, device: str) -> float | None:
    """What `remember` was last told of this model; None where it never was."""
    return _read().get(_key(model, device))


def _key(model: str, device: str) -> str:
    return f"{model} to the {device}"


def _read() -> dict[str, float]:
    try:
        known = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {str(name): float(s) for name, s in known.items() if isinstance(s, int | float)}
