"""The table of a profile counts what was done."""

from __future__ import annotations

import re
from types import SimpleNamespace

from scripts.profiling import profile, table


def test_operations_are_counted() -> None:
    import torch

    x = torch.ones(3, 3)
    text = profile(lambda: [x @ x for _ in range(7)], "Seven products")
    assert text.startswith("Seven products\n")
    assert re.search(r"^ +7 .* aten::mm$", text, re.MULTILINE)


def test_the_dearest_come_first_and_all_are_in_the_sums() -> None:
    def row(key: str, count: int, cpu: float, gpu: float) -> SimpleNamespace:
        times = {"self_cpu_time_total": cpu, "self_device_time_total": gpu}
        return SimpleNamespace(key=key, count=count, **times)

    rows = [row("aten::mm", 2, 100, 5000), row("aten::add", 3, 900, 1000), row("wait", 1, 1000, 0)]
    on_gpu = table(rows, "T", rows=2, by_device=True)
    assert "5 operations, 2.0 ms on the processor, 6.0 ms on the GPU" in on_gpu
    assert re.findall(r"(\S+)%  (\S+)$", on_gpu, re.MULTILINE) == [
        ("83.3", "aten::mm"),
        ("16.7", "aten::add"),
    ]
    on_cpu = table(rows, "T", rows=2)
    assert re.findall(r"(\S+)%  (\S+)$", on_cpu, re.MULTILINE) == [
        ("50.0", "wait"),
        ("45.0", "aten::add"),
    ]
