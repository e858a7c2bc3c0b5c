"""Writes a session's whole event log as text and compares it with the one that is kept."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from voicebot_local.events import DECISIONS, Entry, VoiceActivity

KEPT = Path(__file__).parent / "snapshots"


def lines(entries: list[Entry]) -> list[str]:
    """One line an event, decisions indented; runs of voice activity as their number."""
    out: list[str] = []
    quiet = 0
    for entry in entries:
        if isinstance(entry.event, VoiceActivity):
            quiet += 1
            continue
        if quiet:
            out.append(f"         VoiceActivity x {quiet}")
            quiet = 0
        event = entry.event
        values = ", ".join(f"{f.name}={getattr(event, f.name)!r}" for f in fields(event))
        mark = "    -> " if isinstance(event, DECISIONS) else ""
        out.append(f"{entry.at:8.3f} {mark}{type(event).__name__}({values})")
    if quiet:
        out.append(f"         VoiceActivity x {quiet}")
    return out


def check(entries: list[Entry], name: str) -> None:
    """Compare with `snapshots/NAME.txt`; UPDATE_SNAPSHOTS=1 in the environment writes it."""
    path = KEPT / f"{name}.txt"
    text = "\n".join(lines(entries)) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"no snapshot {path.name}; write it with UPDATE_SNAPSHOTS=1"
    assert text == path.read_text()
