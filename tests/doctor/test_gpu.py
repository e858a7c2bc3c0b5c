"""The GPU as it is told by a driver, a bus and PyTorch's file that are made here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicebot_local.config import load_config
from voicebot_local.doctor import gpu as gpu_module
from voicebot_local.doctor.gpu import Machine, check_gpu, check_memory, look, nvidia_cards
from voicebot_local.errors import ModelError
from voicebot_local.gpu import planning
from voicebot_local.gpu.memory import GpuMemory
from voicebot_local.gpu.need import GIB

CARD = GpuMemory("NVIDIA GeForce RTX 4090", 22 * GIB, 24 * GIB)


def test_a_gpu_that_works() -> None:
    found = check_gpu(Machine(CARD, 1, "580.65", (13, 0), True, (13, 0)), wanted=True)
    assert (found.status, found.mend) == ("green", "")
    assert found.summary == (
        "NVIDIA GeForce RTX 4090, 22.00 GiB of 24.00 GiB free, driver 580.65 for CUDA 13.0"
    )


def test_a_pytorch_for_the_processor_beside_a_gpu() -> None:
    found = check_gpu(Machine(CARD, 1, "580.65", (13, 0), True, None), wanted=True)
    assert (found.status, "processor only" in found.summary) == ("red", True)
    assert "scripts/setup.sh local --force" in found.mend
    assert check_gpu(Machine(CARD, 1, "580.65", (13, 0), True), wanted=False).status == "green"


def test_a_driver_that_is_too_old() -> None:
    found = check_gpu(Machine(CARD, 1, "550.1", (12, 4), True, (13, 0)), wanted=True)
    assert (found.status, "newer NVIDIA driver" in found.mend) == ("red", True)
    older = Machine(CARD, 1, "570.1", (12, 8), True, (12, 9))
    assert check_gpu(older, wanted=True).status == "green"


def test_a_card_without_a_driver() -> None:
    found = check_gpu(Machine(None, 1), wanted=True)
    assert (found.status, "no driver that answers" in found.summary) == ("red", True)
    assert check_gpu(Machine(None, 1), wanted=False).status == "green"


def test_no_card() -> None:
    found = check_gpu(Machine(None), wanted=True)
    assert (found.status, "--backend starter" in found.mend) == ("yellow", True)
    assert check_gpu(Machine(None), wanted=False).summary == "none; this configuration needs none"


def test_cards_on_the_bus(tmp_path: Path) -> None:
    for number, (vendor, kind) in enumerate(
        (("0x10de", "0x030000"), ("0x10de", "0x030200"), ("0x10de", "0x040300"), ("0x8086", "0x03"))
    ):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "vendor").write_text(f"{vendor}\n")
        (tmp_path / str(number) / "class").write_text(f"{kind}\n")
    (tmp_path / "4").mkdir()
    assert nvidia_cards(tmp_path) == 2
    assert nvidia_cards(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("line", "cuda"),
    [
        ("cuda: Optional[str] = '13.0'", (13, 0)),
        ("cuda = '12.8'", (12, 8)),
        ("cuda: Optional[str] = None", None),
    ],
)
def test_what_pytorch_was_built_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, cuda: tuple[int, int] | None
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('it was imported')\n")
    (tmp_path / "torch" / "version.py").write_text(f"debug = False\n{line}\nhip = '6.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu_module.torch_build() == (True, cuda)


def test_the_drivers_word(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    def memory(_: object) -> SimpleNamespace:
        return SimpleNamespace(free=CARD.free, total=CARD.total)

    nvml = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlSystemGetCudaDriverVersion_v2=lambda: 12080,
        nvmlSystemGetDriverVersion=lambda: "570.86",
        nvmlDeviceGetHandleByIndex=lambda _: 0,
        nvmlDeviceGetMemoryInfo=memory,
        nvmlDeviceGetName=lambda _: CARD.name,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine = look()
    assert (machine.memory, machine.driver, machine.cuda) == (CARD, "570.86", (12, 8))


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("local")
    for free, status in ((24, "green"), (12, "yellow"), (3, "red")):
        card = GpuMemory("card", free * GIB, 24 * GIB)
        monkeypatch.setattr(planning, "gpu_memory", lambda card=card: card)
        found, plan = check_memory(config)
        assert (found.status, bool(found.mend)) == (status, status != "green")
        assert plan is not None
        assert plan.fits == (status != "red")


def test_a_file_that_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise ModelError("x.gguf is no model.", "Get another.")

    monkeypatch.setattr(gpu_module, "plan_for", fails)
    found, plan = check_memory(load_config("starter"))
    assert (found.status, found.summary, found.mend) == (
        "red",
        "x.gguf is no model",
        "Get another.",
    )
    assert plan is None
