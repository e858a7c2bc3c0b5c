"""Where the time of a piece of work goes, as a short text: its most expensive operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROWS = 20
_UNWANTED = ("ProfilerStep", "Activity Buffer Request", "profiler::")


def profile(work: Callable[[], object], title: str, rows: int = ROWS) -> str:
    """Run `work` under torch.profiler; returns a table of its dearest operations.

    By the time of each without what it calls: on the GPU where there is one, else on the processor.
    "Operations" are those of PyTorch's library, nested ones with them; where there is a GPU the
    kernels that it ran, and what started them, are rows too. The profiler costs about a microsecond
    for each operation, which makes the total longer than the work takes without it.
    """
    import torch
    from torch.profiler import ProfilerActivity

    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]
    with torch.profiler.profile(activities=activities, acc_events=True) as profiler:
        work()
        if cuda:
            torch.cuda.synchronize()
    found = [row for row in profiler.key_averages() if not row.key.startswith(_UNWANTED)]
    return table(found, title, rows=rows, by_device=cuda)


def table(found: list[Any], title: str, *, rows: int = ROWS, by_device: bool = False) -> str:
    """`found`: rows with `key`, `count`, `self_cpu_time_total` and `self_device_time_total`, µs."""
    operations = sum(row.count for row in found if row.key.startswith("aten::"))
    cpu_ms = sum(row.self_cpu_time_total for row in found) / 1000
    device_ms = sum(row.self_device_time_total for row in found) / 1000
    lines = [title, "", f"{operations} operations, {cpu_ms:.1f} ms on the processor"]
    if by_device:
        lines[-1] += f", {device_ms:.1f} ms on the GPU"

    def cost(row: Any) -> float:
        return float(row.self_device_time_total if by_device else row.self_cpu_time_total)

    lines += ["", f"{'calls':>8} {'cpu ms':>10} {'gpu ms':>10} {'share':>6}  operation"]
    total = sum(cost(row) for row in found) or 1.0
    for row in sorted(found, key=cost, reverse=True)[:rows]:
        cpu, device = row.self_cpu_time_total / 1000, row.self_device_time_total / 1000
        share = cost(row) / total
        gpu = f"{device:>10.2f}" if by_device else f"{'-':>10}"
        lines.append(f"{row.count:>8} {cpu:>10.2f} {gpu} {share:>6.1%}  {row.key[:70]}")
    return "\n".join(lines) + "\n"
