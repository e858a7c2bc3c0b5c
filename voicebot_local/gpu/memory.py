"""How much memory is free, and how much a process has taken: the driver's and the kernel's word.

NVIDIA's own library (`nvidia-ml-py`) is asked where it is installed, else `nvidia-smi`. A machine
with neither has no GPU as far as this program is concerned.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebot_local.gpu.need import KIB, MIB

_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """Of the whole device, whoever uses it, in bytes."""

    name: str
    free: int
    total: int


def gpu_memory() -> GpuMemory | None:
    """The first GPU that this process may use; None where there is none."""
    chosen = _chosen()
    return _from_nvml(chosen) or _from_nvidia_smi(chosen) if chosen else None


def nvml_memory() -> GpuMemory | None:
    """The same, but only where asking is cheap enough to be done again and again."""
    chosen = _chosen()
    return _from_nvml(chosen) if chosen else None


def unwatched() -> str:
    """Why memory that others take of this machine's GPU would go unnoticed; "" where it would not.

    For people. Meant for a machine that has a GPU.
    """
    if nvml_memory() is not None:
        return ""
    try:
        importlib.import_module("pynvml")
    except ImportError:
        return (
            "The package nvidia-ml-py is missing, so it goes unnoticed if another program takes "
            "the GPU's memory: pip install nvidia-ml-py, or run scripts/setup.sh local again."
        )
    return "NVIDIA's library does not answer, so it goes unnoticed if others take the GPU's memory."


def machine_memory(proc: Path = Path("/proc")) -> int | None:
    """Bytes of the machine's own memory that can be had without swapping; None if unknown."""
    return _kib_line(proc / "meminfo", "MemAvailable:")


def measured_bytes(pid: int, proc: Path = Path("/proc")) -> tuple[int, str] | None:
    """What a process has taken, and of which memory: ("GPU" or "RAM").

    Of the GPU where the driver lists the process there, which it does not inside some containers;
    else of the machine. None where the process is gone or the system does not tell.
    """
    if taken := _taken_of_gpus(pid):
        return taken, "GPU"
    resident = _kib_line(proc / str(pid) / "status", "VmRSS:")
    return None if resident is None else (resident, "RAM")


def _chosen() -> str:
    """The number or name of the first GPU that this process may use; "" where it may use none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = "0" if visible is None else visible.split(",")[0].strip()
    return "" if chosen == "-1" else chosen


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVIDIA's library for the block, or None where it is not installed or finds no driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        yield None
        return
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        yield nvml
    finally:
        nvml.nvmlShutdown()


def _taken_of_gpus(pid: int) -> int:
    """Bytes that the process has of all GPUs together, as far as the driver tells."""
    with _nvml() as nvml:
        if nvml is None:
            return 0
        taken = 0
        try:
            for number in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(number)
                for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                    if process.pid == pid:
                        taken += process.usedGpuMemory or 0
        except nvml.NVMLError:
            return 0
        return taken


def _from_nvml(chosen: str) -> GpuMemory | None:
    with _nvml() as nvml:
        if nvml is None:
            return None
        try:
            if chosen.isdecimal():
                handle = nvml.nvmlDeviceGetHandleByIndex(int(chosen))
            else:
                handle = nvml.nvmlDeviceGetHandleByUUID(chosen)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = nvml.nvmlDeviceGetName(handle)
        except nvml.NVMLError:
            return None
        return GpuMemory(str(name), int(memory.free), int(memory.total))


def _from_nvidia_smi(chosen: str) -> GpuMemory | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    question = "--query-gpu=memory.free,memory.total,name"
    try:
        answer = subprocess.run(
            [program, question, "--format=csv,noheader,nounits", "-i", chosen],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout
        free, total, name = answer.splitlines()[0].split(",", 2)
        return GpuMemory(name.strip(), int(free) * MIB, int(total) * MIB)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None


def _kib_line(file: Path, key: str) -> int | None:
    try:
        for line in file.read_text("ascii", "replace").splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * KIB
    except (OSError, IndexError, ValueError):
        return None
    return None
