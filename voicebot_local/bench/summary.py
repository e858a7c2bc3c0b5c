"""Results in few numbers: the figures of one stack, and one stack against another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from voicebot_local.bench.figures import Figure, Ratio, figure, paired_ratio
from voicebot_local.bench.results import ProcessUse, Results, SessionResult, TurnResult
from voicebot_local.bench.words import WordErrors
from voicebot_local.metrics import STAGES


@dataclass(frozen=True, slots=True)
class Summary:
    """One stack. Times in milliseconds; shares and rates are of 1; None where nothing was measured.

    `turns` were played, `unanswered` got no reply, `cut_off` one that began too early.
    `cpu_s_per_min`: processor seconds a minute of conversation, by process. `commit`: from the
    decision that a turn is over to the first audible sample, `commit_drafted` where the reply was
    drafted before; `drafts_right`: the share of answered turns in which it was.
    """

    stack: str
    turns: int
    unanswered: int
    cut_off: int
    voice_to_voice: Figure | None
    cold: Figure | None
    warm: Figure | None
    stages: dict[str, Figure | None]
    commit: Figure | None
    commit_drafted: Figure | None
    drafts_right: float | None
    barge_in: Figure | None
    not_stopped: int
    false_interruptions_per_min: float | None
    words: WordErrors | None
    real_time_factors: dict[str, float]
    tokens_per_s: float | None
    load_s: dict[str, float]
    cpu_s_per_min: dict[str, float]
    peak_rss_bytes: dict[str, int]
    vram_bytes: int | None
    overlap_ms: float | None
    wasted_ms_per_turn: float | None
    underruns: int | None
    underrun_ms: float
    cost_usd_per_min: float | None

    @property
    def cut_off_rate(self) -> float:
        """Cut-offs a turn."""
        return self.cut_off / self.turns if self.turns else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stack `second` against `first`: the ratio of their voice-to-voice medians.

    `stages_ms`: by how much longer (positive) or shorter each stage's median is in the second.
    """

    first: str
    second: str
    ratio: Ratio | None
    difference_ms: float | None
    stages_ms: dict[str, float]


def summarize(results: Results) -> list[Summary]:
    """A summary for each stack, in their order."""
    return [_summary(results, stack.name) for stack in results.stacks]


def median_turn(turns: Iterable[TurnResult]) -> TurnResult | None:
    """The turn whose latency is the (lower) median of those that have all their stages."""
    whole = [
        turn
        for turn in turns
        if turn.voice_to_voice_ms is not None
        and all(turn.stages_ms.get(stage) is not None for stage in STAGES)
    ]
    whole.sort(key=lambda turn: turn.voice_to_voice_ms or 0)
    return whole[(len(whole) - 1) // 2] if whole else None


def compare(first: Results, first_stack: str, second: Results, second_stack: str) -> Comparison:
    """Pair the turns of the same recording and repeat, and say how the two differ."""
    theirs = {(turn.turn, turn.repeat): turn for turn in first.turns_of(first_stack)}
    pairs = [
        (other.voice_to_voice_ms, turn.voice_to_voice_ms)
        for turn in second.turns_of(second_stack)
        if (other := theirs.get((turn.turn, turn.repeat))) is not None
        and other.voice_to_voice_ms is not None
        and turn.voice_to_voice_ms is not None
    ]
    before, after = _summary(first, first_stack), _summary(second, second_stack)
    stages = {
        stage: round(after_stage.p50 - before_stage.p50, 1)
        for stage in STAGES
        if (before_stage := before.stages[stage]) and (after_stage := after.stages[stage])
    }
    both = before.voice_to_voice and after.voice_to_voice
    return Comparison(
        first_stack,
        second_stack,
        paired_ratio(pairs),
        round(after.voice_to_voice.p50 - before.voice_to_voice.p50, 1)
        if both and before.voice_to_voice and after.voice_to_voice
        else None,
        stages,
    )


def _summary(results: Results, stack: str) -> Summary:
    turns = results.turns_of(stack)
    sessions = [session for session in results.sessions if session.stack == stack]
    plain = [session for session in sessions if not session.spoken_over]
    barge_ins = [one for one in results.barge_ins if one.stack == stack]
    errors = [turn.word_errors for turn in turns if turn.word_errors is not None]
    minutes = sum(session.duration_s for session in sessions) / 60
    plain_minutes = sum(session.duration_s for session in plain) / 60
    costs = [session.cost_usd for session in sessions if session.cost_usd is not None]
    answered = sum(turn.answered for turn in turns)
    stepped = [session for session in sessions if session.measured_steps]
    rates = [one.tokens_per_s for one in sessions if one.tokens_per_s is not None]
    underruns = [one.underruns for one in sessions if one.underruns is not None]
    vram = [one.vram_bytes for one in sessions if one.vram_bytes is not None]
    return Summary(
        stack=stack,
        turns=len(turns),
        unanswered=len(turns) - answered,
        cut_off=sum(turn.cut_off for turn in turns),
        voice_to_voice=_latency(turns),
        cold=_latency(turn for turn in turns if turn.cold),
        warm=_latency(turn for turn in turns if not turn.cold),
        stages={stage: _stage(turns, stage) for stage in STAGES},
        commit=figure([ms for turn in turns if (ms := turn.commit_ms) is not None]),
        commit_drafted=figure(
            [ms for turn in turns if turn.draft_right and (ms := turn.commit_ms) is not None]
        ),
        drafts_right=_drafts_right(turns),
        barge_in=figure([one.reaction_ms for one in barge_ins if one.stopped]),
        not_stopped=sum(not one.stopped for one in barge_ins),
        false_interruptions_per_min=_per(
            sum(one.false_interruptions for one in plain), plain_minutes
        ),
        words=reduce(add, errors) if errors else None,
        real_time_factors=_means(session.real_time_factors for session in sessions),
        tokens_per_s=sum(rates) / len(rates) if rates else None,
        load_s=_means(session.load_s for session in sessions),
        cpu_s_per_min=_cpu(sessions, minutes),
        peak_rss_bytes=_peaks(sessions),
        vram_bytes=max(vram) if vram else None,
        overlap_ms=sum(one.overlap_ms for one in stepped) if stepped else None,
        wasted_ms_per_turn=_per(sum(one.wasted_ms for one in stepped), answered)
        if stepped
        else None,
        underruns=sum(underruns) if underruns else None,
        underrun_ms=sum(session.underrun_ms for session in sessions),
        cost_usd_per_min=_per(sum(costs), minutes) if costs else None,
    )


def _latency(turns: Iterable[TurnResult]) -> Figure | None:
    return figure([t.voice_to_voice_ms for t in turns if t.voice_to_voice_ms is not None])


def _drafts_right(turns: list[TurnResult]) -> float | None:
    """None where the log says nothing of it, or nothing is ever drafted."""
    known = [turn for turn in turns if turn.commit_ms is not None]
    if not any(turn.drafts for turn in known):
        return None
    return sum(turn.draft_right for turn in known) / len(known)


def _stage(turns: Iterable[TurnResult], stage: str) -> Figure | None:
    return figure([ms for turn in turns if (ms := turn.stages_ms.get(stage)) is not None])


def _per(amount: float, whole: float) -> float | None:
    return round(amount / whole, 4) if whole else None


def _means(tables: Iterable[dict[str, float]]) -> dict[str, float]:
    gathered: dict[str, list[float]] = {}
    for table in tables:
        for name, value in table.items():
            gathered.setdefault(name, []).append(value)
    return {name: round(sum(values) / len(values), 4) for name, values in gathered.items()}


def _processes(sessions: Iterable[SessionResult]) -> Iterable[tuple[str, ProcessUse]]:
    for session in sessions:
        yield from session.processes.items()


def _cpu(sessions: list[SessionResult], minutes: float) -> dict[str, float]:
    total: dict[str, float] = {}
    for name, use in _processes(sessions):
        total[name] = total.get(name, 0.0) + use.cpu_s
    return {name: round(cpu_s / minutes, 2) for name, cpu_s in total.items()} if minutes else {}


def _peaks(sessions: list[SessionResult]) -> dict[str, int]:
    peaks: dict[str, int] = {}
    for name, use in _processes(sessions):
        peaks[name] = max(peaks.get(name, 0), use.peak_rss_bytes)
    return peaks
