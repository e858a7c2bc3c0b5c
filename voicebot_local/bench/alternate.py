"""The bench itself: every stack is played the same turns, in alternation, A B A B."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from voicebot_local.bench.interrupting import (
    compose,
    plan_interruptions,
)
from voicebot_local.bench.machine import this_machine
from voicebot_local.bench.playing import Played, play
from voicebot_local.bench.recordings import UserTurn, load_sound, span_of
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
    turn_results,
)
from voicebot_local.bench.stacks import Stack
from voicebot_local.errors import InputError

RATE = 24_000
"""Rate at which sound is composed (Hz)."""
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
    turns: list[UserTurn],
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
                one = _Stack(stack, repeat, place, wishes, on_progress)
                measured = one.converse(turns, found)
                if wishes.barge_in:
                    one.interrupt(turns, measured, found)
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


class _Stack:
    """One stack in one repeat: a conversation, and one in which its replies are spoken over."""

    def __init__(
        self, stack: Stack, repeat: int, place: Path, wishes: Wishes, on_progress: OnProgress
    ) -> None:
        self._stack = stack
        self._repeat = repeat
        self._place = place
        self._pace = wishes.pace
        self._of = f"{stack.name}, {repeat} of {wishes.repeat}"
        self._on_progress = on_progress

    def converse(self, turns: list[UserTurn], found: _Found) -> Measured:
        """Play the turns as they are."""
        paths = [turn.path for turn in turns]
        played = self._play(paths, self._place, self._of, len(turns))
        spans = [[span_of(turn, load_sound(turn.path, RATE))] for turn in turns]
        identity = Identity(self._stack.name, self._repeat)
        measured = measure_session(identity, played, spans, paths)
        found.turns += turn_results(identity, measured)
        found.sessions.append(measured.result)
        return measured

    def interrupt(self, turns: list[UserTurn], before: Measured, found: _Found) -> None:
        """Speak over the replies that were longest `before`, if any was long enough."""
        planned = plan_interruptions(before.meters, before.heard)
        if not planned:
            return
        place = self._place / "barge-in"
        sounds = [load_sound(turn.path, RATE) for turn in turns]
        composed = [compose(one, turns, sounds) for one in planned]
        paths = [place / f"interruption-{number}.wav" for number, _ in enumerate(composed, 1)]
        _make(place)
        for path, one in zip(paths, composed, strict=True):
            one.write(path)
        played = self._play(paths, place, f"{self._of}, barge-in", 2 * len(paths))
        identity = Identity(self._stack.name, self._repeat, spoken_over=True)
        measured = measure_session(identity, played, [one.spans for one in composed], paths)
        found.barge_ins += _barge_ins(identity, measured)
        found.sessions.append(measured.result)

    def _play(self, paths: list[Path], place: Path, of: str, turns: int) -> Played:
        _make(place)
        self._on_progress(of, 0, turns)
        return play(
            self._stack, paths, place, self._pace, lambda done: self._on_progress(of, done, turns)
        )


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
