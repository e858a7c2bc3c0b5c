"""What this machine is: the part "environment"."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from typing import Any

from voicebot_local.gpu.memory import gpu_memory
from voicebot_local.paths import CHECKOUT

PACKAGES = ("torch", "nemo_toolkit", "coqui-tts", "llama-cpp-python", "nvidia-ml-py")


def gpu_name() -> str:
    """Of the first GPU, or ""."""
    memory = gpu_memory()
    return memory.name if memory else ""


def file_name(gpu: str) -> str:
    """A GPU's name as a file's: "nvidia-h200"."""
    return re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")


def machine() -> dict[str, Any]:
    """The GPU, what is installed, and which state of the program is measured."""
    memory = gpu_memory()
    return {
        "gpu": memory.name if memory else "",
        "gpu_free_gib": memory.free / 2**30 if memory else 0.0,
        "gpu_total_gib": memory.total / 2**30 if memory else 0.0,
        "driver": _said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "commit": _said("git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"),
        **{name: _version(name) for name in PACKAGES},
        "torch_cuda": _asked("import torch; print(torch.version.cuda or '')"),
        "llama_gpu": _asked(
            "from voicebot_local.providers.llm.llama_library import first_gpu, quiet\n"
            "quiet(); print(first_gpu())"
        ),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout else ""


def _asked(code: str) -> str:
    """What a Python process of its own prints: libraries that fight are never in this one."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=CHECKOUT
    )
    return done.stdout.strip() if done.returncode == 0 else "cannot be loaded"
