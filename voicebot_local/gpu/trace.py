"""What a session's event log proves about the device: who had it when, and what that did to sound.

The numbers of the rules are those of the documentation:

1. device intervals of chat model and synthesizer are disjoint;
2. every step is within its limit;
3. a recognizer waits for at most one step of somebody else;
4. no more is played than was made, and every underrun is logged;
5. after a reply was stopped, nothing of it plays;
6. nothing is audible before its turn is committed;
7. what is reserved and the reserve fit in the memory that was free before the load.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from voicebot_local.events import (
    Apologized,
    DeviceSteps,
    Entry,
    MemoryPlanned,
    PlayoutFinished,
    PlayoutStarted,
    PlayoutUnderrun,
    ReplyDrafted,
    ReplyStopped,
    SpeechProduced,
    TurnCommitted,
    TurnPrompted,
)

RULES = {
    1: "chat model and synthesizer never compute at once",
    2: "every step is within its limit",
    3: "a recognizer waits for one step of others at most",
    4: "no more is played than was made",
    5: "nothing of a stopped reply is played",
    6: "nothing is audible before its turn is committed",
    7: "what is loaded fits in the memory that was free",
}
NO_STEPS = "no such steps in the log"
NO_SOUND = "nothing was played"
NO_PLAN = "the log has no plan of the memory"

MOVES = ("park", "unpark")
"""Kinds of steps that move weights; see `engines/parking.py`."""
STEP_LIMIT_S = 1.0
"""A step that takes longer has hung or is far too big; on a CPU as well (s)."""
HAND_OVER_S = 0.005
"""What a recognizer's wish may take to reach the broker and the holder, on idle cores (s)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work on the device; times in seconds on the log's clock."""

    tenant: str
    process: int
    kind: str
    queued: float
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Violation:
    """Rule `rule` does not hold at `at`."""

    rule: int
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a tenant waited for the device before its steps (s)."""

    steps: int
    median_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Swaps:
    """How often weights were moved one way, and what that took, with what came between (s)."""

    moves: int
    median_s: float
    max_s: float


@dataclass(slots=True)
class Report:
    """What was found. `wasted_s`: work on replies that were taken back before they were heard,
    drafts among them.

    `underruns` are (when, silence in samples, who had the device in the second before it), `swaps`
    by (tenant, "park" or "unpark").
    """

    steps: list[Step] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    overlap_s: float = 0.0
    wasted_s: float = 0.0
    waits: dict[str, Waits] = field(default_factory=dict)
    longest: dict[str, Step] = field(default_factory=dict)
    swaps: dict[tuple[str, str], Swaps] = field(default_factory=dict)
    underruns: list[tuple[float, int, str]] = field(default_factory=list)
    played: bool = False
    planned: bool = False

    def unmeasured(self, rule: int) -> str | None:
        """Why the log says nothing about `rule`; None where it does."""
        if rule == 7:
            return None if self.planned else NO_PLAN
        if rule >= 4:
            return None if self.played else NO_SOUND
        needed = {1: ("llm", "tts"), 2: (), 3: ("asr",)}[rule]
        measured = self.steps and all(tenant in self.waits for tenant in needed)
        return None if measured else NO_STEPS


def examine(
    entries: Iterable[Entry],
    step_limit_s: float = STEP_LIMIT_S,
    hand_over_s: float = HAND_OVER_S,
) -> Report:
    """Read a whole log. Steps are logged in lots, so they are looked at once all are known.

    Both limits are of the machine, not of the policy: on one that is busy with other things, a
    step and a message between processes take as long as they are kept from a core.
    """
    report = Report()
    sound = _Sound(report)
    gaps: list[tuple[float, int]] = []
    taken_back: list[tuple[float, float]] = []
    begun: dict[tuple[int, int], float] = {}
    audible: set[tuple[int, int]] = set()
    for entry in entries:
        event = entry.event
        sound.check(entry)
        match event:
            case DeviceSteps():
                report.steps += [
                    Step(event.tenant, event.process, *values) for values in event.steps
                ]
            case MemoryPlanned():
                report.planned = True
                _check_plan(report, entry.at, event)
            case PlayoutStarted():
                report.played = True
                audible.add((event.turn, event.revision))
            case PlayoutUnderrun():
                gaps.append((entry.at, event.samples))
            case ReplyDrafted() | TurnCommitted() | TurnPrompted():
                begun.setdefault((event.turn, event.revision), entry.at)
            case ReplyStopped(reason="resumed" | "typed" | "pressed"):
                if event.reason != "resumed" and (event.turn, event.revision) in audible:
                    continue  # It was of use until then.
                start = begun.get((event.turn, event.revision), entry.at)
                taken_back.append((start, entry.at))
            case _:
                pass
    report.steps.sort(key=lambda step: step.started)
    _check_steps(report, step_limit_s, hand_over_s)
    report.swaps = _swaps(report.steps)
    report.underruns = [(at, samples, _holder(report.steps, at)) for at, samples in gaps]
    report.wasted_s = sum(
        step.ended - step.started
        for step in report.steps
        if step.tenant != "asr" and any(start <= step.started <= end for start, end in taken_back)
    )
    return report


def _check_plan(report: Report, at: float, planned: MemoryPlanned) -> None:
    """Rule 7; memory that is not known (0) is not judged."""
    wanted = planned.needed + planned.reserve
    if planned.free and wanted > planned.free:
        text = f"{wanted} bytes are to be taken or kept of {planned.free} free ({planned.device})"
        report.violations.append(Violation(7, at, text))


class _Sound:
    """Rules 4, 5 and 6, entry by entry."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._made: dict[tuple[int, int], int] = defaultdict(int)
        self._allowed: set[tuple[int, int]] = set()
        self._stopped: set[tuple[int, int]] = set()

    def check(self, entry: Entry) -> None:
        event = entry.event
        match event:
            case TurnCommitted() | TurnPrompted() | Apologized():
                self._allowed.add((event.turn, event.revision))
            case ReplyStopped():
                self._stopped.add((event.turn, event.revision))
            case SpeechProduced():
                self._made[event.turn, event.revision] += event.samples
            case PlayoutStarted() | PlayoutUnderrun() | PlayoutFinished():
                self._played(entry.at, event)
            case _:
                pass

    def _played(self, at: float, event: PlayoutStarted | PlayoutUnderrun | PlayoutFinished) -> None:
        tag = (event.turn, event.revision)
        name = f"turn {event.turn} revision {event.revision}"
        if tag not in self._allowed:
            self._add(6, at, f"{name} plays before it is committed")
        if tag in self._stopped:
            self._add(5, at, f"{name} plays after it was stopped")
        if isinstance(event, PlayoutFinished) and event.played > self._made[tag]:
            self._add(4, at, f"{name} played {event.played} samples of {self._made[tag]} made")

    def _add(self, rule: int, at: float, text: str) -> None:
        self._report.violations.append(Violation(rule, at, text))


def _check_steps(report: Report, limit_s: float, hand_over_s: float) -> None:
    """Rules 1, 2 and 3, and the figures about steps; they are sorted by their start."""
    by_tenant: dict[str, list[Step]] = defaultdict(list)
    for step in report.steps:
        by_tenant[step.tenant].append(step)
        took = step.ended - step.started
        best = report.longest.get(step.tenant)
        if best is None or took > best.ended - best.started:
            report.longest[step.tenant] = step
        if took > limit_s:
            text = f"a {step.kind} step of {step.tenant} took {took:.3f} s, over {limit_s:.3f} s"
            report.violations.append(Violation(2, step.started, text))
    for first, second in _overlaps(by_tenant["llm"], by_tenant["tts"]):
        both_s = min(first.ended, second.ended) - max(first.started, second.started)
        report.overlap_s += both_s
        text = f"{first.tenant} and {second.tenant} compute at once for {both_s * 1000:.3f} ms"
        report.violations.append(Violation(1, max(first.started, second.started), text))
    _check_recognizer(report, by_tenant, hand_over_s)
    for tenant, steps in by_tenant.items():
        if steps:
            report.waits[tenant] = _waits(steps)


def _check_recognizer(report: Report, by_tenant: dict[str, list[Step]], hand_over_s: float) -> None:
    others = [step for step in report.steps if step.tenant != "asr"]
    begins = [step.started for step in others]
    for step in by_tenant["asr"]:
        since = bisect_right(begins, step.queued + hand_over_s)
        begun = bisect_left(begins, step.started) - since
        # One may have been given the device before the recognizer asked, and begun after it.
        if not (since and others[since - 1].ended > step.queued):
            begun -= 1
        if begun > 0:
            text = f"a recognizer chunk waited while {begun} more step(s) of others began"
            report.violations.append(Violation(3, step.queued, text))


def _overlaps(first: list[Step], second: list[Step]) -> list[tuple[Step, Step]]:
    """Pairs of which both compute at some moment; both lists are sorted by start."""
    found: list[tuple[Step, Step]] = []
    at = 0
    for step in first:
        while at < len(second) and second[at].ended <= step.started:
            at += 1
        for other in second[at:]:
            if other.started >= step.ended:
                break
            found.append((step, other))
    return found


def _waits(steps: list[Step]) -> Waits:
    waited = sorted(step.started - step.queued for step in steps)
    return Waits(
        len(waited),
        waited[len(waited) // 2],
        waited[min(len(waited) - 1, len(waited) * 99 // 100)],
        waited[-1],
    )


def _swaps(steps: list[Step]) -> dict[tuple[str, str], Swaps]:
    """A move is all steps of its kind that a process did with no other step of its own between."""
    moves: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    last: dict[tuple[str, int], str] = {}
    for step in steps:
        if step.kind in MOVES:
            key = (step.tenant, step.kind)
            if last.get((step.tenant, step.process)) == step.kind:
                begun, _ = moves[key].pop()
                moves[key].append((begun, step.ended))
            else:
                moves[key].append((step.started, step.ended))
        last[step.tenant, step.process] = step.kind
    took = {key: sorted(end - start for start, end in all_) for key, all_ in moves.items()}
    return {key: Swaps(len(all_), median(all_), all_[-1]) for key, all_ in took.items()}


def _holder(steps: list[Step], at: float) -> str:
    """Who computed most in the second before `at`; "nobody" where nobody did."""
    shares: dict[str, float] = defaultdict(float)
    for step in steps:
        shares[step.tenant] += max(0.0, min(step.ended, at) - max(step.started, at - 1.0))
    busiest = max(shares, key=lambda tenant: shares[tenant], default="nobody")
    return busiest if shares.get(busiest) else "nobody"


def chrome_trace(report: Report) -> dict[str, list[dict[str, object]]]:
    """The steps as a timeline for Perfetto or chrome://tracing; a row for each tenant."""
    rows = {tenant: row for row, tenant in enumerate(("asr", "llm", "tts"), 1)}
    events: list[dict[str, object]] = [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": tenant}}
        for tenant, row in rows.items()
    ]
    for step in report.steps:
        common = {"ph": "X", "pid": 1, "tid": rows.get(step.tenant, 9)}
        if step.started > step.queued:
            events.append(common | _span("waits", step.queued, step.started))
        events.append(common | _span(step.kind, step.started, step.ended))
    return {"traceEvents": events}


def _span(name: str, start: float, end: float) -> dict[str, object]:
    return {"name": name, "ts": round(start * 1e6), "dur": max(1, round((end - start) * 1e6))}
