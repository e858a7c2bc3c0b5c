"""The GPU, its driver, what PyTorch was built for, and the plan of the memory."""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from voicebot_local.config import Config
from voicebot_local.doctor.result import Result
from voicebot_local.errors import VoicebotError
from voicebot_local.gpu.memory import GpuMemory, gpu_memory
from voicebot_local.gpu.need import gib
from voicebot_local.gpu.plan import Plan
from voicebot_local.gpu.plan_text import memory_name
from voicebot_local.gpu.planning import plan_for

NVIDIA = "0x10de"
_DISPLAYS = "0x03"
CUDA_BUILD = "scripts/setup.sh local --force, on this machine with its GPU"


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of the GPU before anything computes.

    `cards` counts NVIDIA's cards on the bus, whether or not a driver drives them; `cuda` is the
    newest CUDA that the driver can run, `torch_cuda` the one that PyTorch was built for: (12, 4),
    or None where PyTorch is built for the processor or not installed (`has_torch`).
    """

    memory: GpuMemory | None
    cards: int = 0
    driver: str = ""
    cuda: tuple[int, int] | None = None
    has_torch: bool = False
    torch_cuda: tuple[int, int] | None = None


def look() -> Machine:
    """Ask this machine. Imports no PyTorch."""
    driver, cuda = _driver()
    return Machine(gpu_memory(), nvidia_cards(), driver, cuda, *torch_build())


def check_gpu(machine: Machine, *, wanted: bool) -> Result:
    """`wanted`: whether the configuration has engines that would use a GPU."""
    details = {"cards": machine.cards, "driver": machine.driver, "cuda": _text(machine.cuda)}
    details["torch_cuda"] = _text(machine.torch_cuda)
    memory = machine.memory
    if memory is None:
        return _without(machine, details, wanted=wanted)
    details |= {"name": memory.name}
    free = f"{gib(memory.free)} of {gib(memory.total)} free"
    said = f"{memory.name}, {free}"
    if machine.driver:
        said += f", driver {machine.driver} for CUDA {_text(machine.cuda)}"
    if wanted and machine.has_torch and machine.torch_cuda is None:
        mend = f"Install PyTorch for CUDA: {CUDA_BUILD}"
        return Result(
            "GPU", "red", f"{said}; PyTorch is built for the processor only", mend, details
        )
    if wanted and machine.torch_cuda and machine.cuda and machine.torch_cuda[0] > machine.cuda[0]:
        need = _text(machine.torch_cuda)
        mend = f"Install a newer NVIDIA driver, one for CUDA {need}."
        return Result("GPU", "red", f"{said}, but PyTorch wants CUDA {need}", mend, details)
    return Result("GPU", "green", said, "", details)


def _without(machine: Machine, details: dict[str, object], *, wanted: bool) -> Result:
    if machine.cards and wanted:
        return Result(
            "GPU",
            "red",
            "there is an NVIDIA card, and no driver that answers",
            "Install NVIDIA's driver (Debian, Ubuntu: `nvidia-smi` must work), or make the card "
            "visible (CUDA_VISIBLE_DEVICES; in a container: --gpus all).",
            details,
        )
    if wanted:
        return Result(
            "GPU",
            "yellow",
            "there is no NVIDIA card; everything runs on the processor",
            "The local stack is slower than speech there: use --backend starter or hosted.",
            details,
        )
    card = "there is an NVIDIA card without a driver" if machine.cards else "none"
    return Result("GPU", "green", f"{card}; this configuration needs none", "", details)


def check_memory(config: Config) -> tuple[Result, Plan | None]:
    """Whether the models of `config` fit, and the plan that says so."""
    try:
        plan = plan_for(config)
    except VoicebotError as error:
        return Result("memory", "red", error.message.rstrip("."), error.mend), None
    details = {"needed_bytes": plan.needed, "free_bytes": plan.free, "device": plan.device}
    needed = f"{gib(plan.needed)} needed of {gib(plan.free)} free in {memory_name(plan)}"
    if not plan.fits:
        return Result("memory", "red", needed, plan.mend, details), plan
    if plan.changes:
        mend = "To have it as it was asked for, free some of the GPU's memory; see `plan`."
        said = f"{needed}, with {plan.changes}"
        return Result("memory", "yellow", said, mend, details), plan
    return Result("memory", "green", needed, "", details), plan


def nvidia_cards(bus: Path = Path("/sys/bus/pci/devices")) -> int:
    """NVIDIA's graphics cards on the bus; 0 where the system does not say."""
    try:
        devices = list(bus.iterdir())
    except OSError:
        return 0
    return sum(
        _line(device / "vendor") == NVIDIA and _line(device / "class").startswith(_DISPLAYS)
        for device in devices
    )


def torch_build() -> tuple[bool, tuple[int, int] | None]:
    """Whether PyTorch is installed, and for which CUDA it was built, read from its file."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False, None
    match = re.search(r"^cuda\b[^=\n]*= *'(\d+)\.(\d+)'", _text_of(Path(spec.origin)), re.MULTILINE)
    return True, (int(match[1]), int(match[2])) if match else None


def _text_of(init: Path) -> str:
    try:
        return init.with_name("version.py").read_text("utf-8")
    except OSError:
        return ""


def _driver() -> tuple[str, tuple[int, int] | None]:
    """The driver's version, and the newest CUDA it can run, by NVIDIA's library."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return "", None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return "", None
    try:
        number = int(nvml.nvmlSystemGetCudaDriverVersion_v2())
        return str(nvml.nvmlSystemGetDriverVersion()), (number // 1000, number % 1000 // 10)
    except nvml.NVMLError:
        return "", None
    finally:
        nvml.nvmlShutdown()


def _line(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _text(version: tuple[int, int] | None) -> str:
    return f"{version[0]}.{version[1]}" if version else "–"
