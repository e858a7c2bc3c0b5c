"""The machine that figures are from, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from voicebot_local import __version__
from voicebot_local.gpu.memory import gpu_memory


def this_machine() -> dict[str, str]:
    """Processor, memory, GPU, system, and how busy the machine is besides."""
    gpu = gpu_memory()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "gpu": "none" if gpu is None else f"{gpu.name}, {gpu.total / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": f"{load:.1f}",
        "version": __version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
