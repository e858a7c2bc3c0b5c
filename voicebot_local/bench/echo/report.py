"""The tables of `voicebot-local echo-eval`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from voicebot_local.bench.echo.scenes import Finding
from voicebot_local.bench.echo.sessions import SessionFinding
from voicebot_local.bench.figures import Figure
from voicebot_local.bench.wording import NOTHING


def ways_table(findings: Sequence[Finding]) -> Table:
    """What each way leaves of the echo, and of the user."""
    right = ("ERLE", "false/min", "found", "after ms", "CPU ms/10 ms")
    table = _table(("room", "user", "way"), right)
    table.caption = "found: barge-ins by the voice detector; after: median / 95 %, to detection"
    for it in findings:
        table.add_row(
            it.room,
            f"{it.user_db:+.0f} dB",
            it.way,
            f"{it.erle_db:.1f} dB",
            f"{it.false_per_min:.1f}",
            f"{it.found}/{it.spoken}",
            _figure(it.reaction_ms),
            f"{it.cpu_ms_per_10ms:.2f}",
        )
    return table


def sessions_table(findings: Sequence[SessionFinding]) -> Table:
    """Who interrupted whom in whole sessions."""
    right = ("spoke", "self", "pauses", "turns", "stopped", "pause ms", "stop ms")
    table = _table(("room", "user", "cancel"), right)
    table.caption = (
        "spoke: the assistant; self: interrupted itself; pauses, turns: out of nothing; "
        "stopped: by the user; median / 95 %"
    )
    for it in findings:
        table.add_row(
            it.room,
            f"{it.user_db:+.0f} dB",
            "on" if it.cancel else "off",
            f"{it.assistant_s / 60:.1f} min",
            f"{it.self_interruptions}",
            f"{it.false_pauses}",
            f"{it.false_turns}",
            f"{it.stopped}/{it.interruptions}",
            _figure(it.pause_ms),
            _figure(it.stop_ms),
        )
    return table


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(pad_edge=False)
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right")
    return table


def _figure(value: Figure | None) -> str:
    return NOTHING if value is None else f"{value.p50:.0f} / {value.p95:.0f}"
