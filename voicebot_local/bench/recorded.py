"""What a two-channel recording says of each turn: how late, cut off, spoken over.

Left is the user alone, right the assistant; an echo of the reply on the left counts as the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicebot_local.audio.level import AUDIBLE_DB, FLOOR_MARGIN_DB, LevelMeter
from voicebot_local.audio.recording import check_recording
from voicebot_local.bench.measure import PAUSE_S, READ_FRAMES, SPEECH_S
from voicebot_local.bench.spans import Span
from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

REPLY_PAUSE_S = 0.6
"""A reply that goes on after at most such a pause, while the user speaks, was not stopped."""
LABEL_SLACK_S = 0.1
"""How far from a label's ends the sound may begin and end; labels are set by hand."""


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn of the user's. Positions are samples of the recording.

    `user_start` is the first audible sample, `user_end` just after the last. `reply_start` is the
    first audible sample of the reply, and `latency_s` runs from the user's end to it; None where
    there was no reply, and the latency also where the assistant began before the user was done
    (`cut_off`). `reaction_s`, where the user spoke over a reply: from `user_start` until that reply
    was silent, be it stopped or at its end.
    """

    user_start: int
    user_end: int
    reply_start: int | None
    latency_s: float | None
    cut_off: bool
    reaction_s: float | None
    span: Span


@dataclass(frozen=True, slots=True)
class Meters:
    """The levels of a whole session, left and right."""

    left: LevelMeter
    right: LevelMeter

    @classmethod
    def of(cls, left: Samples, right: Samples, rate: int) -> Meters:
        """Of channels of one length, float32, at `rate` Hz."""
        meters = cls._empty(rate, len(left) / rate)
        meters.left.push(left)
        meters.right.push(right)
        return meters

    @classmethod
    def read(cls, path: Path) -> Meters:
        """Of a file with two channels; raises InputError where it is none."""
        info = check_recording(path)
        if info.channels != 2:
            raise InputError(
                f"{path} has {info.channels} channel(s); a recorded session has two.",
                "Record one with `voicebot-local run --record session.wav`.",
            )
        meters = cls._empty(info.rate, info.duration_s)
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(READ_FRAMES, dtype="float32", always_2d=True)):
                meters.left.push(np.ascontiguousarray(block[:, 0]))
                meters.right.push(np.ascontiguousarray(block[:, 1]))
        return meters

    @classmethod
    def _empty(cls, rate: int, duration_s: float) -> Meters:
        return cls(LevelMeter(rate, duration_s + 1), LevelMeter(rate, duration_s + 1))

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.left.rate

    def replies(self) -> list[tuple[int, int]]:
        """Start and end of every sound on the right, pauses of up to PAUSE_S inside."""
        # A reply is digital, with nothing around it; only a recording through wires has a floor.
        threshold_db = max(AUDIBLE_DB, self.right.quietest_db() + FLOOR_MARGIN_DB)
        return self.right.sounds(PAUSE_S, threshold_db)


def turns_of(meters: Meters, spans: Sequence[Span] | None = None) -> list[HeardTurn]:
    """The user's turns: those in `spans`, or without any those that the sound itself shows.

    Without labels a turn is what the user says until the assistant next begins. Then only those
    cut-offs are found in which it begins while the user is audible: a pause for breath that it took
    for the end cannot be told from a turn.
    """
    replies = meters.replies()
    if spans is None:
        said = _said(meters, replies)
    else:
        said = [found for span in spans if (found := _within(meters, span)) is not None]
    after = [start for start, _, _ in said[1:]] + [meters.left.position]
    return [
        _turn(meters.rate, replies, turn, before) for turn, before in zip(said, after, strict=False)
    ]


def _within(meters: Meters, span: Span) -> tuple[int, int, Span] | None:
    """The audible part of a span; None where it is silent."""
    begin = max(0, round((span.start_s - LABEL_SLACK_S) * meters.rate))
    end = min(meters.left.position, round((span.end_s + LABEL_SLACK_S) * meters.rate))
    threshold_db = meters.left.threshold_db(end)
    start = meters.left.first_audible(begin, threshold_db)
    last = meters.left.last_audible(end, threshold_db)
    if start is None or last is None or start >= last or start >= end:
        return None
    return start, last, span


def _said(meters: Meters, replies: list[tuple[int, int]]) -> list[tuple[int, int, Span]]:
    left, rate = meters.left, meters.rate
    # Where the user is silent there may be no room to hear at all, as between two recordings.
    threshold_db = left.threshold_db(left.position, left.position / rate)
    found: list[tuple[int, int]] = []
    for start, end in left.sounds(PAUSE_S, threshold_db):
        if left.audible_s(start, end, threshold_db) < SPEECH_S:
            continue
        answered = found and any(found[-1][0] < reply < start for reply, _ in replies)
        if found and not answered:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [
        (start, end, Span(start / rate, end / rate, name=str(number)))
        for number, (start, end) in enumerate(found, 1)
    ]


def _turn(
    rate: int, replies: list[tuple[int, int]], said: tuple[int, int, Span], before: int
) -> HeardTurn:
    """`before`: where the next turn begins; a reply from there on is not to this one."""
    start, end, span = said
    silent_from: int | None = None
    for begin, stop in replies:
        goes_on = (
            silent_from is not None and begin < end and begin - silent_from <= REPLY_PAUSE_S * rate
        )
        if begin < start < stop or goes_on:
            silent_from = stop
    after = start if silent_from is None else silent_from
    reply = next((begin for begin, _ in replies if after <= begin < before), None)
    cut_off = reply is not None and reply < end
    return HeardTurn(
        start,
        end,
        reply,
        None if reply is None or cut_off else (reply - end) / rate,
        cut_off,
        None if silent_from is None else (silent_from - start) / rate,
        span,
    )
