"""Measures one session that was played: the recording for what was heard, the log for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicebot_local.bench.locate import locate
from voicebot_local.bench.logged import LoggedTurn, SessionLog, read_log
from voicebot_local.bench.playing import Played
from voicebot_local.bench.recorded import HeardTurn, Meters, turns_of
from voicebot_local.bench.recordings import load_sound
from voicebot_local.bench.results import SessionResult, TurnResult
from voicebot_local.bench.spans import Span
from voicebot_local.bench.words import word_errors
from voicebot_local.events.file import read_events

AFTER_S = 0.3
"""The log's end of a turn may lie so far behind the recording's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which session this is."""

    stack: str
    repeat: int
    spoken_over: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """A session's recording beside its log; `heard` is in the order of what was played."""

    meters: Meters
    heard: list[HeardTurn]
    log: SessionLog
    result: SessionResult

    def logged(self, turn: HeardTurn) -> list[LoggedTurn]:
        """The turns of the log in which the user spoke during this one."""
        last = turn.user_end + round(AFTER_S * self.meters.rate)
        return [
            one
            for one in self.log.turns
            if one.speech_end is not None and turn.user_start < one.speech_end <= last
        ]


def measure_session(
    identity: Identity, played: Played, recordings: list[list[Span]], paths: list[Path]
) -> Measured:
    """Find what was played in the session's recording, and measure.

    `recordings`: for each of `paths`, where in it the user speaks.
    """
    log = read_log(read_events(played.events).entries)
    meters = Meters.read(played.record)
    left = soundfile.read(played.record, dtype="float32", always_2d=True)[0][:, 0]
    sounds = [load_sound(path, meters.rate).samples for path in paths]
    offsets = locate(np.ascontiguousarray(left), sounds, meters.rate)
    spans = [
        Span(start_s + span.start_s, start_s + span.end_s, span.text, span.name)
        for offset, inside in zip(offsets, recordings, strict=True)
        for start_s in (offset / meters.rate,)
        for span in inside
    ]
    heard = turns_of(meters, spans)
    return Measured(meters, heard, log, _result(identity, played, log, heard, meters))


def turn_results(identity: Identity, measured: Measured) -> list[TurnResult]:
    """A result for each turn that was played."""
    results = []
    for number, turn in enumerate(measured.heard):
        logged = measured.logged(turn)
        transcript = " ".join(one.report.user for one in logged)
        answered = [one for one in logged if one.audible_from is not None]
        last = answered[-1].report if answered and not turn.cut_off else None
        latency_s = turn.latency_s
        results.append(
            TurnResult(
                identity.stack,
                identity.repeat,
                turn.span.name,
                number == 0,
                None if latency_s is None else round(latency_s * 1000, 1),
                turn.cut_off,
                turn.reply_start is not None,
                last.stages_ms if last else {},
                transcript,
                word_errors(turn.span.text, transcript) if turn.span.text else None,
                last.commit_ms if last else None,
                last.drafts if last else 0,
                last.draft_right if last else False,
            )
        )
    return results


def _result(
    identity: Identity, played: Played, log: SessionLog, heard: list[HeardTurn], meters: Meters
) -> SessionResult:
    cut_off_until = [turn.user_end + round(AFTER_S * meters.rate) for turn in heard if turn.cut_off]
    false_interruptions = sum(
        one.report.interrupted
        and not any((one.speech_end or 0) <= until for until in cut_off_until)
        for one in log.turns
    )
    return SessionResult(
        stack=identity.stack,
        repeat=identity.repeat,
        spoken_over=identity.spoken_over,
        duration_s=round(log.duration_s, 3),
        processes=played.resources.uses(log.processes),
        vram_bytes=played.resources.vram_bytes,
        load_s=log.load_s,
        real_time_factors=log.real_time_factors,
        tokens_per_s=log.tokens_per_s,
        measured_steps=bool(log.trace.steps),
        overlap_ms=round(log.trace.overlap_s * 1000, 3),
        wasted_ms=round(log.trace.wasted_s * 1000, 1),
        underruns=len(log.trace.underruns),
        underrun_ms=round(log.underrun_s * 1000, 1),
        false_interruptions=0 if identity.spoken_over else false_interruptions,
        cost_usd=log.cost_usd,
    )
