"""A plan as a table for people, and as JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from voicebot_local.gpu.need import GIB, gib
from voicebot_local.gpu.plan import Plan, Row

WIDTH = 118


def plan_text(plan: Plan, width: int = WIDTH) -> str:
    """What each engine takes in GiB, each step of the ladder with its decision, and the fit."""
    out = StringIO()
    console = Console(file=out, width=width, no_color=True, highlight=False)
    console.print(_engines(plan))
    console.print()
    console.print(_steps(plan))
    console.print()
    console.print(_verdict(plan))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def memory_name(plan: Plan) -> str:
    """For sentences: which memory it is about."""
    return "the GPU's memory" if plan.device == "GPU" else "this machine's memory"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The same as numbers: bytes."""
    return {
        "device": plan.device,
        "fits": plan.fits,
        "free_bytes": plan.free,
        "reserve_bytes": plan.reserve,
        "needed_bytes": plan.needed,
        "engines": [_row_json(row) for row in plan.rows],
        "steps": [asdict(step) for step in plan.steps],
        "changes": plan.changes,
        "parked": plan.parked,
        "saved_bytes": plan.saved,
        "mend": plan.mend,
    }


def _row_json(row: Row) -> dict[str, Any]:
    need = row.need
    sizes = {f"{name}_bytes": size for name, size in asdict(need).items()}
    return {
        "stage": row.stage,
        "model": row.name,
        "how": row.how,
        **sizes,
        "total_bytes": need.total,
        "basis": row.basis,
    }


def _engines(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("in GiB", overflow="fold")
    for name in ("weights", "KV", "compute", "context", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("basis", overflow="fold")
    for row in plan.rows:
        need = row.need
        sizes = (need.weights, need.kv, need.compute, need.context, need.total)
        name = f"{row.stage}: {row.name}" + (f" ({row.how})" if row.how else "")
        table.add_row(name, *(f"{size / GIB:.2f}" for size in sizes), row.basis)
    if plan.reserve:
        table.add_row("reserve", "", "", "", "", f"{plan.reserve / GIB:.2f}", "1 GiB or 8 %")
    if plan.saved:
        saved = f"-{plan.saved / GIB:.2f}"
        table.add_row("by turns", "", "", "", "", saved, "the smaller of what is parked by turns")
    total = f"{(plan.needed + plan.reserve) / GIB:.2f}"
    table.add_row("all", "", "", "", "", total, f"of {gib(plan.free)} free")
    return table


def _steps(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("step", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("why", overflow="fold")
    for step in plan.steps:
        table.add_row(step.name, step.decision, step.why)
    return table


def _verdict(plan: Plan) -> str:
    where = memory_name(plan)
    if not plan.fits:
        return f"It does not fit in {where}. {plan.mend}"
    return f"It fits in {where}" + (f" with {plan.changes}." if plan.changes else " as it is.")
