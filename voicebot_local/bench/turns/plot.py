"""The picture of an evaluation: cut-offs against latency. Needs the extra `plots`."""

from __future__ import annotations

from pathlib import Path

from voicebot_local.bench.plots import COLOURS, require_pictures
from voicebot_local.bench.turns.report import AS_SET, FIXED, Evaluation
from voicebot_local.errors import InputError

MARKERS = {AS_SET: "*", FIXED: "s"}


def draw(evaluation: Evaluation, path: Path) -> None:
    """A line for each kind of evidence, a mark for each rule; lower and further left is better.

    Raises ConfigError without matplotlib, InputError where `path` cannot be written.
    """
    require_pictures()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    # One line may hide another; the one below is broader.
    widths = (4.0, 3.2, 2.4, 1.6)
    for source, colour, width in zip(evaluation.sources, COLOURS, widths, strict=False):
        xs = [point.latency_s * 1000 for point in source.frontier]
        ys = [point.cut_offs * 100 for point in source.frontier]
        axes.step(xs, ys, where="post", color=colour, linewidth=width, label=source.name)
    for name, point in evaluation.settings.items():
        label = f"{name} ({evaluation.fixed_s:g} s)" if name == FIXED else name
        axes.plot(
            point.latency_s * 1000,
            point.cut_offs * 100,
            MARKERS[name],
            color="black",
            markersize=11 if name == AS_SET else 7,
            markerfacecolor="black" if name == AS_SET else "white",
            linestyle="none",
            label=label,
            zorder=3,
        )
    for share in (5, 10):
        axes.axhline(share, color="#999999", linewidth=0.7, linestyle=":")
    for latency_ms in (300, 600):
        axes.axvline(latency_ms, color="#999999", linewidth=0.7, linestyle=":")
    axes.set_xlim(0, 2000)
    axes.set_ylim(-1, None)
    axes.set_xlabel("latency after the end of a turn, in the mean (ms)")
    axes.set_ylabel("pauses that are cut off (%)")
    counted = f"{evaluation.turns} turns, {evaluation.pauses} pauses"
    axes.set_title(counted, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The picture {path} cannot be written: {error}.",
            "Name a .png or .svg file in a directory that you may write to.",
        ) from error
