"""Pictures: one turn on the device, and conversations on one card. Needs the extra `plots`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicebot_local.errors import ConfigError, InputError
from voicebot_local.events import (
    ClauseReady,
    Entry,
    PlayoutFinished,
    PlayoutStarted,
    PlayoutUnderrun,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    SessionStarted,
    SpeechEnded,
    SpeechStarted,
    TurnCommitted,
    TurnFinished,
    VoiceActivity,
)
from voicebot_local.gpu.simulate import GOOD_FIRST_AUDIO_S, Outcome
from voicebot_local.gpu.trace import MOVES, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Span = tuple[float, float]

ROWS = ("you", "recognizer", "chat model", "synthesizer", "loudspeaker")
TENANT_ROWS = {"asr": 1, "llm": 2, "tts": 3}
COLOURS = ("#6b7280", "#0072b2", "#d55e00", "#009e73", "#6b7280")
"""Of the rows; the middle ones differ for eyes that do not tell red from green as well."""
WAIT_COLOUR = "#e5b800"
GAP_COLOUR = "#cc0000"
MOVE_COLOUR = "#cc79a7"
BAR, THIN_BAR = 0.6, 0.16
LEAD_S, TAIL_S = 0.3, 0.4
POLICY_STYLES = {
    "slack": ("#0072b2", "o", "-"),
    "fifo": ("#d55e00", "s", "--"),
    "exclusive": ("#6b7280", "^", ":"),
}


@dataclass(slots=True)
class Turn:
    """When what happened in a turn, in seconds on the log's clock; spans are (start, end)."""

    number: int
    speech: list[Span] = field(default_factory=list)
    playout: list[Span] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    clauses: list[float] = field(default_factory=list)
    committed: float | None = None
    begins: float = 0.0
    ends: float = 0.0


def draw_turn(
    entries: Sequence[Entry], report: Report, path: Path, number: int | None = None
) -> None:
    """Draw turn `number`, or the first one that was spoken: all of it, and how the reply began.

    Raises ConfigError without matplotlib, InputError where there is no such turn or `path` cannot
    be written.
    """
    figure = _figure(11, 6.5)
    turn = read_turn(entries, number)
    first_s = min((start for start, _ in turn.playout), default=turn.ends)
    spoken_s = max((end for _, end in turn.speech), default=turn.begins)
    whole, close = figure.subplots(2, 1)
    _draw_rows(whole, turn, report, (turn.begins - LEAD_S, turn.ends + LEAD_S), "time (s)")
    whole.set_title(f"Turn {turn.number}", loc="left")
    window = (max(turn.begins, spoken_s - LEAD_S), min(turn.ends, first_s + TAIL_S) + 0.05)
    _draw_rows(close, turn, report, window, "time (s)")
    close.set_title("From the end of your speech to the first sound of the reply", loc="left")
    _mark(close, [("you end", spoken_s), ("turn is over", turn.committed), ("heard", first_s)])
    whole.axvspan(*window, color="#000000", alpha=0.06, linewidth=0)
    _legend(figure, moves=bool(report.swaps))
    _save(figure, path)


def read_turn(entries: Iterable[Entry], number: int | None = None) -> Turn:
    """What happened when in turn `number`, or the first that was spoken. Raises InputError."""
    entries = tuple(entries)
    if number is None:
        spoken = (e.event.turn for e in entries if isinstance(e.event, PlayoutStarted))
        number = next(spoken, None)
        if number is None:
            raise InputError(
                "No turn of this log was spoken, so there is none to draw.",
                "Take the log of a conversation with a reply.",
            )
    turn = Turn(number)
    heard_at = _Heard(entries)
    rate = 0
    starts: dict[int, float] = {}
    playing: float | None = None
    found: list[float] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, SessionStarted):
            rate = event.card_rate
        if getattr(event, "turn", None) != number:
            continue
        found.append(entry.at)
        match event:
            case SpeechStarted():
                starts[event.part] = heard_at(event.position, entry.at)
                found.append(starts[event.part])
            case SpeechEnded() if event.part in starts:
                turn.speech.append((starts[event.part], heard_at(event.position, entry.at)))
            case TurnCommitted():
                turn.committed = entry.at
            case ClauseReady():
                turn.clauses.append(entry.at)
            case PlayoutStarted():
                playing = entry.at
            case PlayoutUnderrun() if rate:
                turn.gaps.append((entry.at - event.samples / rate, entry.at))
            case ReplyResumed():
                playing = entry.at
            case PlayoutFinished() | ReplyPaused() | ReplyStopped() | TurnFinished() if (
                playing is not None
            ):
                turn.playout.append((playing, entry.at))
                playing = None
            case _:
                pass
    if not found:
        raise InputError(f"The log has no turn {number}.", "Give the number of another one.")
    turn.begins, turn.ends = min(found), max(found)
    if playing is not None:  # The log ends inside the reply.
        turn.playout.append((playing, turn.ends))
    return turn


class _Heard:
    """Positions of the microphone's audio on the log's clock, from when they were looked at."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        seen = [(e.event.position, e.at) for e in entries if isinstance(e.event, VoiceActivity)]
        self._positions = [position for position, _ in seen]
        self._times = [at for _, at in seen]

    def __call__(self, position: int, otherwise: float) -> float:
        if not self._positions:
            return otherwise
        return float(np.interp(position, self._positions, self._times))


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "Drawing needs matplotlib, which is not installed.",
            'Install it with `pip install "voicebot-local[plots]"`, or leave --plot out.',
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def _draw_rows(axes: Axes, turn: Turn, report: Report, window: Span, label: str) -> None:
    start, end = window
    _bars(axes, 0, turn.speech, COLOURS[0])
    for tenant, row in TENANT_ROWS.items():
        steps = [
            step
            for step in report.steps
            if step.tenant == tenant and step.ended >= start and step.queued <= end
        ]
        for moves, colour in ((False, COLOURS[row]), (True, MOVE_COLOUR)):
            spans = [(s.started, s.ended) for s in steps if (s.kind in MOVES) is moves]
            _bars(axes, row, spans, colour)
        waits = [(step.queued, step.started) for step in steps]
        _bars(axes, row + (BAR + THIN_BAR) / 2, waits, WAIT_COLOUR, THIN_BAR)
    _bars(axes, 4, turn.playout, COLOURS[4])
    _bars(axes, 4, turn.gaps, GAP_COLOUR)
    axes.plot(
        turn.clauses, [2.0 - BAR / 2 - 0.06] * len(turn.clauses), "v", color="black", markersize=4
    )
    axes.set_yticks(range(len(ROWS)), ROWS)
    axes.set_ylim(len(ROWS) - 0.45, -0.55)
    axes.set_xlim(start, end)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, row: float, spans: Iterable[Span], colour: str, height: float = BAR) -> None:
    axes.broken_barh(
        [(start, end - start) for start, end in spans],
        (row - height / 2, height),
        color=colour,
        linewidth=0.3 if height == BAR else 0,  # A step is seen however short; no wait is none.
    )


def _mark(axes: Axes, moments: Iterable[tuple[str, float | None]]) -> None:
    for number, (name, at) in enumerate(moments):
        # To the right of the line, but for the middle one: its right neighbour is close.
        side, offset = ("right", -3) if number == 1 else ("left", 3)
        if at is not None:
            axes.axvline(at, color="black", linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{name}\n{at:.3f} s",
                (at, -0.5),
                xytext=(offset, 0),
                textcoords="offset points",
                va="top",
                ha=side,
                fontsize=7,
            )


def _legend(figure: Figure, *, moves: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure.legend(
        handles=[
            Patch(color=WAIT_COLOUR, label="waits for the device"),
            Patch(color=GAP_COLOUR, label="gap in the reply"),
            Line2D([], [], color="black", marker="v", linestyle="", label="a clause is written"),
            *[Patch(color=MOVE_COLOUR, label="weights move")] * moves,
        ],
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )


def draw_conversations(outcomes: Sequence[tuple[str, Outcome]], path: Path) -> None:
    """Time to first audio (95th percentile) over the number of conversations; a panel per card.

    `outcomes` are (card, outcome). Raises ConfigError without matplotlib, InputError where `path`
    cannot be written.
    """
    cards = list(dict.fromkeys(card for card, _ in outcomes))
    figure = _figure(1.5 + 3.6 * len(cards), 3.8)
    panels = figure.subplots(1, len(cards), sharey=True, squeeze=False)[0]
    for axes, card in zip(panels, cards, strict=True):
        lines: dict[str, list[tuple[int, float]]] = {}
        for name, outcome in outcomes:
            if name == card and outcome.turns:
                point = (outcome.conversations, outcome.first_audio_p95_s)
                lines.setdefault(outcome.policy, []).append(point)
        for policy, points in lines.items():
            colour, marker, style = POLICY_STYLES[policy]
            xs, ys = zip(*sorted(points), strict=True)
            axes.plot(xs, ys, color=colour, marker=marker, linestyle=style, label=policy)
        axes.axhline(GOOD_FIRST_AUDIO_S, color="black", linewidth=0.8, linestyle=":")
        axes.set_title(card)
        axes.set_yscale("log")
        axes.set_xlabel("conversations")
        axes.grid(color="#dddddd", linewidth=0.6)
    panels[0].set_ylabel("time to first audio, p95 (s)")
    panels[0].legend(frameon=False)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise InputError(
            f"The picture {path} cannot be written: {error.strerror}.",
            "Name a file in a directory that exists and that you may write to.",
        ) from error
    except ValueError as error:
        raise InputError(
            f"The picture {path} cannot be written: {error}.", "Give it the ending .png or .svg."
        ) from error
