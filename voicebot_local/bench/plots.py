"""The pictures of a report: how latencies are spread, and where the time of a turn goes."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from voicebot_local.bench import wording
from voicebot_local.bench.results import Results
from voicebot_local.bench.summary import median_turn
from voicebot_local.errors import ConfigError
from voicebot_local.metrics import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3b6fb6", "#d1812c", "#4f9a57", "#a8484b", "#7c62a8", "#7a7a7a")
"""One for each stack, and for each stage; apart for the colour-blind too."""
INK = ("white", "black", "black", "white", "white", "black")
"""What can be read on each of them: a contrast of 4.5 or more."""


def latencies_svg(results: Results) -> str:
    """Share of turns that are answered within so many milliseconds; a line for each stack."""
    figure = _figure(4.2)
    axes = figure.add_subplot()
    for number, stack in enumerate(results.stacks):
        turns = results.turns_of(stack.name)
        values = sorted(t.voice_to_voice_ms for t in turns if t.voice_to_voice_ms is not None)
        if not values:
            continue
        colour = COLOURS[number % len(COLOURS)]
        shares = [100 * (n + 1) / len(values) for n in range(len(values))]
        axes.step([values[0], *values], [0, *shares], where="post", color=colour, label=stack.name)
        axes.plot(values, shares, "o", color=colour, markersize=3.5)
        cold = [
            (ms, share)
            for ms, share in zip(values, shares, strict=True)
            if any(t.cold and t.voice_to_voice_ms == ms for t in turns)
        ]
        axes.plot(*zip(*cold, strict=True), "o", mfc="white", color=colour, markersize=6)
    for share in (50, 95):
        axes.axhline(share, color="#999999", linewidth=0.7, linestyle=":")
        axes.annotate(
            f"p{share}", (1.005, share), xycoords=("axes fraction", "data"), va="center", size=8
        )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 102)
    axes.set_xlabel("voice to voice, ms (open circles: the first turn of a session)")
    axes.set_ylabel("share of turns, %")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower right")
    _tidy(axes)
    return _svg(figure, "latencies")


def waterfall_svg(results: Results) -> str:
    """The stages of each stack's median turn, one after the other."""
    figure = _figure(1.0 + 0.75 * len(results.stacks))
    axes = figure.add_subplot()
    names: list[str] = []
    turns = [median_turn(results.turns_of(stack.name)) for stack in results.stacks]
    longest = max((turn.voice_to_voice_ms or 0.0 for turn in turns if turn), default=0.0)
    for row, (stack, turn) in enumerate(zip(results.stacks, turns, strict=True)):
        names.append(stack.name if turn is None else f"{stack.name}\n{turn.turn}")
        if turn is None:
            continue
        left = 0.0
        for number, stage in enumerate(STAGES):
            ms = turn.stages_ms[stage] or 0.0
            axes.barh(row, ms, left=left, height=0.5, color=COLOURS[number % len(COLOURS)])
            if ms > 0.045 * longest:
                ink = INK[number % len(COLOURS)]
                axes.text(left + ms / 2, row, f"{ms:.0f}", ha="center", va="center", color=ink)
            left += ms
        total = turn.voice_to_voice_ms or 0.0
        axes.plot([total, total], [row - 0.36, row + 0.36], color="black", linewidth=1.2)
        axes.text(max(left, total), row, f"  {total:.0f} ms", va="center")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(1.0, axes.get_xlim()[1] * 1.08))
    axes.set_xlabel("ms after the user's last sample (line: the reply's first, off the recording)")
    handles = [
        axes.barh([0], [0], color=COLOURS[number % len(COLOURS)], label=wording.STAGE_NAMES[stage])
        for number, stage in enumerate(STAGES)
    ]
    axes.legend(
        handles=handles,
        frameon=False,
        ncols=len(STAGES),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        fontsize=8,
        handlelength=1.0,
        columnspacing=1.0,
    )
    _tidy(axes)
    return _svg(figure, "waterfall")


def require_pictures() -> None:
    """Raise ConfigError where what draws is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "The report's pictures need matplotlib, which is not installed.",
            "Install it with `pip install 'voicebot-local[plots]'`, or leave --html out.",
        )


def _figure(height: float) -> Figure:
    require_pictures()
    from matplotlib.figure import Figure as NewFigure

    return NewFigure(figsize=(8.6, height), layout="constrained")


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)


def _svg(figure: Figure, name: str) -> str:
    import matplotlib

    # The same results give the same bytes: no date, and names that do not depend on chance.
    with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 10}):
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
