"""The figures of one recording that exists already, of this program or of any other."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from voicebot_local.bench.recorded import HeardTurn, Meters, turns_of
from voicebot_local.bench.results import (
    VERSION,
    BargeInResult,
    Results,
    SessionResult,
    StackInfo,
    TurnResult,
)
from voicebot_local.bench.spans import read_labels


def measure_only(recording: Path, labels: Path | None) -> Results:
    """Left must be the user, right the assistant. Raises InputError.

    Cold is what the first turn is called, whatever came before the recording. A user who speaks
    over a reply is a barge-in, whether the reply was stopped or just ended: sound does not tell.
    """
    meters = Meters.read(recording)
    heard = turns_of(meters, None if labels is None else read_labels(labels))
    name = recording.stem
    return Results(
        VERSION,
        datetime.fromtimestamp(recording.stat().st_mtime)
        .astimezone()
        .isoformat(timespec="seconds"),
        {},
        f"{recording.name}{'' if labels is None else f' with {labels.name}'}",
        "recorded",
        1,
        (StackInfo(name, "", "", {}),),
        tuple(_turn(name, turn, number == 0) for number, turn in enumerate(heard)),
        tuple(
            BargeInResult(name, 1, turn.span.name, round(turn.reaction_s * 1000, 1), stopped=True)
            for turn in heard
            if turn.reaction_s is not None
        ),
        (_session(name, meters),),
    )


def _turn(stack: str, turn: HeardTurn, cold: bool) -> TurnResult:
    latency_s = turn.latency_s
    return TurnResult(
        stack,
        1,
        turn.span.name,
        cold,
        None if latency_s is None else round(latency_s * 1000, 1),
        turn.cut_off,
        turn.reply_start is not None,
    )


def _session(stack: str, meters: Meters) -> SessionResult:
    return SessionResult(
        stack=stack,
        repeat=1,
        spoken_over=True,
        duration_s=round(meters.left.position / meters.rate, 3),
        processes={},
        vram_bytes=None,
        load_s={},
        real_time_factors={},
        tokens_per_s=None,
        measured_steps=False,
        overlap_ms=0.0,
        wasted_ms=0.0,
        underruns=None,
        underrun_ms=0.0,
        false_interruptions=0,
    )
