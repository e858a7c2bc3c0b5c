"""The figures of one set of labelled recordings: computed, as a table, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from voicebot_local.bench.recordings import load_sound
from voicebot_local.bench.turns.evidence import (
    Heard,
    Judge,
    detected,
    ended,
    hear,
    weighed,
    without_scores,
)
from voicebot_local.bench.turns.labels import LabelledTurn
from voicebot_local.bench.turns.policies import (
    Budgets,
    Point,
    Silence,
    budgets,
    frontier,
    outcome,
    silence_only,
    sweep,
)
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.settings import TurnSettings

SILENCE, WORDS, DETECTOR, BOTH = "silence alone", "words", "Smart Turn", "words and Smart Turn"
AS_SET, FIXED = "as configured", "fixed silence"


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of evidence: its best under the budgets, and the policies that no other beats."""

    name: str
    budgets: Budgets
    frontier: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures. `settings`: what the program does as it is configured, and with a fixed
    silence of `fixed_s` instead. `pauses` and `ends` are how many silences the figures rest on."""

    turns: int
    pauses: int
    ends: int
    sources: tuple[Source, ...]
    settings: dict[str, Point]
    fixed_s: float


def evaluate(
    turns: Sequence[LabelledTurn],
    settings: TurnSettings,
    judge: Judge | None,
    on_progress: Callable[[str, int, int], None],
) -> Evaluation:
    """Live through all `turns`. Raises InputError where a recording is damaged, ModelError where
    the detector fails."""
    lived: list[list[Heard]] = []
    for number, turn in enumerate(turns):
        on_progress(turn.path.name, number, len(turns))
        samples = load_sound(turn.path, RECOGNIZER_RATE).samples
        lived.append(list(hear(turn, samples, settings.transcript_lag_s, judge)))
    on_progress("Comparing policies", len(turns), len(turns))
    heard = [silence for turn in lived for silence in turn]
    plain = _judged(detected(heard))
    sources = [(SILENCE, silence_only(plain))]
    has_words = any(turn.words or turn.understood for turn in turns)
    if has_words:
        sources.append((WORDS, sweep(_judged(weighed(without_scores(heard), settings)))))
    if judge is not None:
        sources.append((DETECTOR, sweep(plain)))
    if has_words and judge is not None:
        sources.append((BOTH, sweep(_judged(weighed(heard, settings)))))
    pauses = sum(silence.length_s is not None for silence in plain)
    return Evaluation(
        len(turns),
        pauses,
        len(plain) - pauses,
        tuple(Source(name, budgets(points), tuple(frontier(points))) for name, points in sources),
        {
            AS_SET: _of_rule(lived, lambda turn: ended(turn, settings)),
            FIXED: _of_rule(lived, lambda turn: [settings.end_silence_s] * len(turn)),
        },
        settings.end_silence_s,
    )


def _judged(silences: Sequence[Silence]) -> list[Silence]:
    return [silence for silence in silences if silence.judged]


def _of_rule(lived: Sequence[list[Heard]], rule: Callable[[list[Heard]], list[float]]) -> Point:
    pairs = [
        (Silence(one.length_s), after_s)
        for turn in lived
        for one, after_s in zip(turn, rule(turn), strict=True)
        if Silence(one.length_s).judged
    ]
    return outcome([silence for silence, _ in pairs], [after_s for _, after_s in pairs])


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Times in seconds, shares from 0 to 1; null where no policy keeps a budget."""
    return asdict(evaluation)


def budget_table(evaluation: Evaluation) -> Table:
    """A row for each kind of evidence, at the best policy for each budget."""
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("evidence")
    for heading in ("cut off at 300 ms", "at 600 ms", "latency at 5 %", "at 10 %"):
        table.add_column(heading, justify="right")
    for source in evaluation.sources:
        best = source.budgets
        shares = (best.cut_offs_at_300_ms, best.cut_offs_at_600_ms)
        latencies = (best.latency_at_5_percent_s, best.latency_at_10_percent_s)
        table.add_row(source.name, *map(_percent, shares), *map(_ms, latencies))
    return table


def settings_table(evaluation: Evaluation) -> Table:
    """What the program does as it is set, and with a fixed silence."""
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("rule")
    table.add_column("cut off", justify="right")
    table.add_column("latency", justify="right")
    for name, point in evaluation.settings.items():
        shown = f"{name} of {evaluation.fixed_s:g} s" if name == FIXED else name
        table.add_row(shown, _percent(point.cut_offs), _ms(point.latency_s))
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"
