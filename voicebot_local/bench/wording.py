"""The words and numbers of a summary, line by line; the terminal and the page both show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from voicebot_local.bench.figures import Figure, Ratio
from voicebot_local.bench.results import Results, StackInfo
from voicebot_local.bench.summary import Comparison, Summary, median_turn
from voicebot_local.metrics import STAGES

NOTHING = "–"
HERE = "a server on this machine"
STAGE_NAMES = {
    "turn_decision": "turn decision",
    "asr_final": "final transcript",
    "llm_first_token": "first token",
    "first_clause": "first clause",
    "tts_first_audio": "first audio",
    "playout": "until audible",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: what it is, and a cell for each stack."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading."""

    name: str
    lines: tuple[Line, ...]


def groups(summaries: list[Summary]) -> list[Group]:
    """The whole table, without what no stack has a figure for."""

    voice = [
        _line("all turns", [of_figure(s.voice_to_voice) for s in summaries]),
        _line("cold: the first turn", [of_figure(s.cold) for s in summaries]),
        _line("warm: the others", [of_figure(s.warm) for s in summaries]),
    ]
    stages = [
        _line(STAGE_NAMES[stage], [of_figure(s.stages[stage]) for s in summaries])
        for stage in STAGES
    ]
    stages += [
        _line("from the decision to sound", [of_figure(s.commit) for s in summaries]),
        _line("… where the draft was right", [of_figure(s.commit_drafted) for s in summaries]),
    ]
    turns = [
        _line("turns played", [str(s.turns) for s in summaries]),
        _line("without a reply", [str(s.unanswered) for s in summaries]),
        _line("cut off too early", [f"{s.cut_off} ({s.cut_off_rate:.1%})" for s in summaries]),
        _line("answered by a draft", [_share(s.drafts_right) for s in summaries]),
        _line("barge-in, ms until silence", [_barge_in(s) for s in summaries]),
        _line(
            "false interruptions a minute",
            [_number(s.false_interruptions_per_min, ".2f") for s in summaries],
        ),
        _line("words wrong", [_words(s) for s in summaries]),
    ]
    return [
        Group(name, known)
        for name, lines in (
            ("voice to voice, ms: p50 / p95 / max", voice),
            ("stages, ms: p50 / p95 / max", stages),
            ("turns", turns),
            ("machine", _machine(summaries)),
        )
        if (known := tuple(line for line in lines if set(line.cells) != {NOTHING}))
    ]


def _machine(summaries: list[Summary]) -> list[Line]:
    lines = [
        _line(
            f"real-time factor, {name}",
            [_number(s.real_time_factors.get(tenant), ".3f") for s in summaries],
        )
        for tenant, name in (("asr", "recognizer"), ("tts", "synthesizer"))
    ]
    lines.append(_line("tokens a second", [_number(s.tokens_per_s, ".0f") for s in summaries]))
    names = list(dict.fromkeys(name for s in summaries for name in s.cpu_s_per_min))
    lines += [
        _line(
            f"{name}: CPU s a minute, peak RAM",
            [
                f"{s.cpu_s_per_min[name]:.1f}, {s.peak_rss_bytes[name] / 2**20:.0f} MiB"
                if name in s.cpu_s_per_min
                else NOTHING
                for s in summaries
            ],
        )
        for name in names
    ]
    lines += [
        _line("GPU memory", [_gib(s.vram_bytes) for s in summaries]),
        _line(
            "slowest load, s",
            [_number(max(s.load_s.values(), default=None), ".1f") for s in summaries],
        ),
        _line("overlap of chat and speech, ms", [_number(s.overlap_ms, ".1f") for s in summaries]),
        _line("wasted work a turn, ms", [_number(s.wasted_ms_per_turn, ".1f") for s in summaries]),
        _line("underruns", [_underruns(s) for s in summaries]),
        _line("cost a minute, US$", [_number(s.cost_usd_per_min, ".4f") for s in summaries]),
    ]
    return lines


def _line(name: str, cells: list[str]) -> Line:
    return Line(name, tuple(cells))


def of_figure(value: Figure | None) -> str:
    """ "812 / 990 / 1043", in whole milliseconds."""
    return NOTHING if value is None else f"{value.p50:.0f} / {value.p95:.0f} / {value.max:.0f}"


def of_ratio(ratio: Ratio) -> str:
    """The ratio with its interval."""
    return (
        f"{ratio.ratio:.3f} (95 % between {ratio.low:.3f} and {ratio.high:.3f}, "
        f"{ratio.pairs} pairs)"
    )


def verdict(one: Comparison) -> str:
    """Which of the two is faster, and by how much, in one sentence."""
    if one.ratio is None or one.difference_ms is None:
        return (
            f"{one.first} and {one.second} cannot be compared: "
            "too few of the same turns were answered by both."
        )
    numbers = f"the ratio of the medians is {of_ratio(one.ratio)}"
    if not one.ratio.is_certain:
        return (
            f"Neither {one.first} nor {one.second} is faster as far as these turns can tell: "
            f"{numbers}."
        )
    faster = one.second if one.ratio.ratio < 1 else one.first
    slower = one.first if faster == one.second else one.second
    return (
        f"{faster} answers faster than {slower}, by {abs(one.difference_ms):.0f} ms at the "
        f"median: {numbers}, {one.second} over {one.first}."
    )


def latencies_in_words(summaries: list[Summary]) -> str:
    """What the picture of the latencies shows, for those who do not see it."""
    told = [
        f"{s.stack} half of its turns within {s.voice_to_voice.p50:.0f} ms, 95 % within "
        f"{s.voice_to_voice.p95:.0f} ms"
        for s in summaries
        if s.voice_to_voice
    ]
    return f"Share of turns that are answered within a time: {'; '.join(told) or 'none is'}."


def stages_in_words(results: Results) -> str:
    """What the picture of the median turns shows, for those who do not see it."""
    told = []
    for stack in results.stacks:
        turn = median_turn(results.turns_of(stack.name))
        if turn is not None:
            stages = [f"{STAGE_NAMES[stage]} {turn.stages_ms[stage]:.0f} ms" for stage in STAGES]
            told.append(f"{stack.name}: {', '.join(stages)}")
    return f"Stages of the median turn. {'; '.join(told) or 'No turn has all its stages'}."


def where_time_goes(one: Comparison) -> str:
    """The stages in which the second takes longer or shorter, the largest difference first."""
    parts = sorted(one.stages_ms.items(), key=lambda part: -abs(part[1]))
    told = [f"{STAGE_NAMES[stage]} {ms:+.0f} ms" for stage, ms in parts if abs(ms) >= 1]
    return f"Of {one.second} against {one.first}: {', '.join(told) or 'no stage differs by 1 ms'}."


def what_leaves(stack: StackInfo) -> str:
    """What of a conversation is sent to somebody else."""
    if not stack.leaves and is_here(stack):
        return f"{stack.name}: nothing leaves the machine; its services are servers on it."
    if not stack.leaves:
        return f"{stack.name}: nothing leaves the machine."
    return f"{stack.name} sends {'; '.join(stack.leaves)}."


def is_here(stack: StackInfo) -> bool:
    """Whether a service of the stack is a server on this machine."""
    return any(HERE in name for name in stack.providers.values())


def what_it_costs(summary: Summary) -> str:
    """Money, where a service said what it bills; by the prices of the configuration."""
    if summary.cost_usd_per_min is None:  # No service reported what it used.
        return f"{summary.stack}: nothing is billed; the machine and its power are yours."
    cost = f"{summary.cost_usd_per_min:.4f} US$ a minute"
    return f"{summary.stack}: {cost}, by the prices in its configuration."


def circumstances(results: Results) -> str:
    """Where, when and how it was measured, for under the table."""
    machine = results.machine
    if not machine:
        return f"{results.source}, recorded {_moment(results.when)}."
    busy = f"; load average {machine['load']} at the end"
    times = "once" if results.repeat == 1 else f"{results.repeat} times"
    pace = "in real time" if results.pace == "realtime" else "not in real time"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}; "
        f"GPU: {machine['gpu']}{busy}. "
        f"{results.source}, played {times}, {pace}, {_moment(results.when)}."
    )


def _moment(when: str) -> str:
    """ "2026-11-20 22:22 UTC" of an ISO time; other texts as they are."""
    try:
        return datetime.fromisoformat(when).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return when


def _barge_in(summary: Summary) -> str:
    text = of_figure(summary.barge_in)
    return f"{text} ({summary.not_stopped} not stopped)" if summary.not_stopped else text


def _underruns(summary: Summary) -> str:
    if summary.underruns is None:
        return NOTHING
    return f"{summary.underruns} ({summary.underrun_ms:.0f} ms)"


def _words(summary: Summary) -> str:
    if summary.words is None:
        return NOTHING
    return f"{summary.words.rate:.1%} ({summary.words.errors} of {summary.words.words})"


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _gib(value: int | None) -> str:
    return NOTHING if value is None else f"{value / 2**30:.2f} GiB"
