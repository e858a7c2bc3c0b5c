"""The bench itself: every stack is played the same turns, in alternation, A B A B."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from voicebot_local.bench.interrupting import (
    Interruption,
    compose,
    plan_interruptions,
    write_interruption,
)
from voicebot_local.bench.machine import this_machine
from voicebot_local.bench.playing import play
from voicebot_local.bench.recordings import UserTurn, load_sound
from voicebot_local.bench.results import (
    VERSION,
    BargeInResult,
    Results,
    SessionResult,
    TurnResult,
)
from voicebot_local.bench.sessions import (
    Identity,
    Measured,
    measure_session,
    spans_of,
    turn_results,
)
from voicebot_local.bench.spans import Span
from voicebot_local.bench.stacks import Stack
from voicebot_local.errors import InputError

OnProgress = Callable[[str, int, int], None]
"""What goes on, and how many turns of how many are over."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """`repeat`: sessions for each stack; `barge_in`: measure it too; `keep`: where recordings and
    logs go, or None for a directory that is removed afterwards."""

    repeat: int = 1
    pace: str = "realtime"
    barge_in: bool = True
    keep: Path | None = None


@dataclass(slots=True)
class _Found:
    turns: list[TurnResult] = field(default_factory=list)
    barge_ins: list[BargeInResult] = field(default_factory=list)
    sessions: list[SessionResult] = field(default_factory=list)


def bench(
    stacks: Sequence[Stack],
    turns: Sequence[UserTurn],
    source: str,
    wishes: Wishes,
    on_progress: OnProgress,
) -> Results:
    """Measure; takes as long as the conversations do. Raises VoicebotError where one fails."""
    infos = tuple(stack.info() for stack in stacks)
    found = _Found()
    with tempfile.TemporaryDirectory(prefix="voicebot-bench-") as scratch:
        directory = wishes.keep or Path(scratch)
        for repeat in range(1, wishes.repeat + 1):
            for stack in stacks:
                place = directory / f"{repeat}-{_file_name(stack.name)}"
                _one(
                    Identity(stack.name, repeat),
                    stack,
                    list(turns),
                    (place, wishes),
                    found,
                    on_progress,
                )
    return Results(
        VERSION,
        datetime.now().astimezone().isoformat(timespec="seconds"),
        this_machine(),
        source,
        wishes.pace,
        wishes.repeat,
        infos,
        tuple(found.turns),
        tuple(found.barge_ins),
        tuple(found.sessions),
    )


def _one(
    identity: Identity,
    stack: Stack,
    turns: list[UserTurn],
    where: tuple[Path, Wishes],
    found: _Found,
    on_progress: OnProgress,
) -> None:
    """One conversation, and one in which its longest replies are spoken over."""
    place, wishes = where
    of = f"{stack.name}, {identity.repeat} of {wishes.repeat}"
    paths = [turn.path for turn in turns]
    _make(place)
    on_progress(of, 0, len(turns))
    played = play(stack, paths, place, wishes.pace, lambda done: on_progress(of, done, len(turns)))
    rate = 24_000
    sounds = [load_sound(path, rate) for path in paths]
    spans = [spans_of(turn, sound) for turn, sound in zip(turns, sounds, strict=True)]
    measured = measure_session(identity, played, spans, paths)
    found.turns += turn_results(identity, measured)
    found.sessions.append(measured.result)
    if not wishes.barge_in or len(measured.heard) < len(turns):
        return
    planned = plan_interruptions(measured.meters, measured.heard)
    if not planned:
        return
    place = place / "barge-in"
    _make(place)
    recordings: list[Path] = []
    inside: list[list[Span]] = []
    for number, one in enumerate(planned, 1):
        first, second = sounds[one.first], sounds[one.second]
        sound = compose(first, second, one.gap_s)
        pair = [turns[one.first], turns[one.second]]
        recordings.append(write_interruption(place, number, pair, sound).path)
        inside.append(
            _composed_spans(one, pair, (first.start, first.end, second.end - second.start), rate)
        )
    total = 2 * len(planned)
    on_progress(f"{of}, barge-in", 0, total)
    again = play(
        stack,
        recordings,
        place,
        wishes.pace,
        lambda done: on_progress(f"{of}, barge-in", done, total),
    )
    identity = Identity(identity.stack, identity.repeat, spoken_over=True)
    spoken_over = measure_session(identity, again, inside, recordings)
    found.barge_ins += _barge_ins(identity, spoken_over)
    found.sessions.append(spoken_over.result)


def _composed_spans(
    one: Interruption, turns: list[UserTurn], samples: tuple[int, int, int], rate: int
) -> list[Span]:
    start, end, length = samples
    over = end / rate + one.gap_s
    return [
        Span(start / rate, end / rate, turns[0].transcript, turns[0].name),
        Span(over, over + length / rate, turns[1].transcript, turns[1].name),
    ]


def _barge_ins(identity: Identity, measured: Measured) -> list[BargeInResult]:
    found = []
    for before, turn in zip(measured.heard, measured.heard[1:], strict=False):
        if turn.reaction_s is None:
            continue
        stopped = any(one.report.interrupted for one in measured.logged(before))
        found.append(
            BargeInResult(
                identity.stack,
                identity.repeat,
                turn.span.name,
                round(turn.reaction_s * 1000, 1),
                stopped,
            )
        )
    return found


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The directory {directory} cannot be made: {error.strerror}.",
            "Name one that you may write to.",
        ) from error


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
