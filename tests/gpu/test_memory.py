"""What the driver and the kernel say of memory, and noticing that it goes."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from voicebot_local.events import GpuMemoryTaken
from voicebot_local.gpu.memory import (
    GpuMemory,
    gpu_memory,
    machine_memory,
    measured_bytes,
    nvml_memory,
    unwatched,
)
from voicebot_local.gpu.need import GIB, MIB, Need
from voicebot_local.gpu.watch import NOTABLE_BYTES, notice, watch


class FakeNvml(SimpleNamespace):
    """NVIDIA's library with one card."""

    class NVMLError(Exception):
        pass

    def nvmlInit(self) -> None:  # noqa: N802
        if getattr(self, "broken", False):
            raise self.NVMLError

    def nvmlShutdown(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, number: int) -> str:  # noqa: N802
        if number:
            raise self.NVMLError
        return "card"

    def nvmlDeviceGetHandleByUUID(self, name: str) -> str:  # noqa: N802
        if name != "GPU-1":
            raise self.NVMLError
        return "card"

    def nvmlDeviceGetMemoryInfo(self, _: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(free=11 * GIB, total=12 * GIB)

    def nvmlDeviceGetName(self, _: str) -> str:  # noqa: N802
        return "NVIDIA Card"

    def nvmlDeviceGetComputeRunningProcesses(self, _: str) -> list[SimpleNamespace]:  # noqa: N802
        return [SimpleNamespace(pid=7, usedGpuMemory=3 * GIB)]


@pytest.fixture(autouse=True)
def _no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither library nor program, whatever the machine has."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_no_driver_is_no_gpu() -> None:
    assert gpu_memory() is None
    assert nvml_memory() is None


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        *((name, True) for name in (None, "0", "0,1", "GPU-1")),
        *((name, False) for name in ("", "-1", "3", "GPU-2")),
    ],
)
def test_the_first_gpu_that_may_be_used(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str | None, found: bool
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    expected = GpuMemory("NVIDIA Card", 11 * GIB, 12 * GIB) if found else None
    assert gpu_memory() == expected
    assert nvml_memory() == expected


def test_what_goes_unnoticed_is_said(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unwatched() == ""
    nvml.broken = True
    assert "does not answer" in unwatched()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py is missing" in unwatched()


def test_a_library_without_a_driver(nvml: FakeNvml) -> None:
    nvml.broken = True
    assert gpu_memory() is None
    assert measured_bytes(7) is None or measured_bytes(7) != (3 * GIB, "GPU")


def program(folder: Path, text: str) -> None:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_the_driver_s_program_where_there_is_no_library(tmp_path: Path) -> None:
    program(tmp_path, 'echo "11264, 12288, NVIDIA GeForce RTX 3060"')
    assert gpu_memory() == GpuMemory("NVIDIA GeForce RTX 3060", 11 * GIB, 12 * GIB)
    assert nvml_memory() is None  # a process every five seconds would be too much


@pytest.mark.parametrize("text", ["exit 9", 'echo "No devices were found"', "true"])
def test_a_driver_that_does_not_work(tmp_path: Path, text: str) -> None:
    program(tmp_path, text)
    assert gpu_memory() is None


def test_what_a_process_has_taken(nvml: FakeNvml, tmp_path: Path) -> None:
    assert measured_bytes(7) == (3 * GIB, "GPU")
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "status").write_text("Name:\tx\nVmRSS:\t   2048 kB\n")
    assert measured_bytes(8, tmp_path) == (2 * MIB, "RAM")
    assert measured_bytes(9, tmp_path) is None


def test_a_driver_that_lists_no_processes(nvml: FakeNvml, tmp_path: Path) -> None:
    def refuses(_: str) -> None:
        raise FakeNvml.NVMLError

    nvml.nvmlDeviceGetComputeRunningProcesses = refuses
    assert measured_bytes(9, tmp_path) is None


def test_this_process_on_this_machine() -> None:
    taken = measured_bytes(os.getpid())
    free = machine_memory()
    if Path("/proc/meminfo").exists():
        assert taken is not None
        assert taken[0] > 10 * MIB
        assert free is not None
        assert free > 10 * MIB


def test_needs_add_up() -> None:
    assert (Need(1, 2, 3, 4) + Need(10, 20, 30, 40)).total == 110


def test_a_loss_is_told_once() -> None:
    first = 4 * GIB
    mark, told = notice(first, first - NOTABLE_BYTES + 1, first)
    assert (mark, told) == (first, None)
    mark, told = notice(mark, first - NOTABLE_BYTES, first)
    assert told == GpuMemoryTaken(NOTABLE_BYTES, first - NOTABLE_BYTES)
    mark, told = notice(mark, first - NOTABLE_BYTES - 1, first)
    assert told is None
    mark, told = notice(mark, first - 2 * NOTABLE_BYTES, first)
    assert told == GpuMemoryTaken(2 * NOTABLE_BYTES, first - 2 * NOTABLE_BYTES)


def test_our_own_weights_come_and_go_untold() -> None:
    first = 2000 * MIB
    swing = 300 * MIB
    mark, told = notice(first, first + 3000 * MIB, first, swing)
    assert (mark, told) == (first, None)
    mark, told = notice(mark, first - 700 * MIB, first, swing)
    assert (mark, told) == (first, None)
    mark, told = notice(mark, first - 900 * MIB, first, swing)
    assert told is not None
    assert told.taken_bytes == 900 * MIB


def test_memory_that_came_back_may_be_lost_again() -> None:
    first = 4 * GIB
    mark, _ = notice(first, 3 * GIB, first)
    mark, told = notice(mark, 5 * GIB, first)
    assert (mark, told) == (5 * GIB, None)
    _, told = notice(mark, 3 * GIB, first)
    assert told == GpuMemoryTaken(GIB, 3 * GIB)


@pytest.mark.anyio
async def test_watching_ends_with_the_driver() -> None:
    readings = [4 * GIB, 4 * GIB, 2 * GIB, 2 * GIB, None]
    told: list[GpuMemoryTaken] = []

    def read() -> GpuMemory | None:
        free = readings.pop(0)
        return None if free is None else GpuMemory("", free, 8 * GIB)

    with anyio.fail_after(10):
        await watch(read, told.append, interval_s=0.001)
    assert told == [GpuMemoryTaken(2 * GIB, 2 * GIB)]


@pytest.mark.anyio
async def test_nothing_is_watched_where_there_is_no_gpu() -> None:
    with anyio.fail_after(10):
        await watch(nvml_memory, pytest.fail)
