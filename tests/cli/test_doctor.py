"""`voicebot-local doctor` as a person meets it, with the real engines of the starter stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.conftest import Run
from tests.cli.fake_portaudio import FakePortAudio
from tests.cli.test_run_hosted import cloud
from tests.cli.test_run_local import DATA, PROFILE
from tests.engines.xtts_fixture import VOICES, tiny_xtts
from voicebot_local.doctor import gpu as gpu_module
from voicebot_local.gpu import planning
from voicebot_local.gpu.memory import GpuMemory
from voicebot_local.gpu.need import GIB

__all__ = ["tiny_xtts"]


@pytest.fixture
def run(program: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the doctor here, on a machine without sound devices and without a GPU."""
    monkeypatch.setitem(sys.modules, "sounddevice", FakePortAudio())
    set_gpu(monkeypatch, None)
    return partial(program, "doctor")


def set_gpu(monkeypatch: pytest.MonkeyPatch, card: GpuMemory | None) -> None:
    monkeypatch.setattr(gpu_module, "gpu_memory", lambda: card)
    monkeypatch.setattr(planning, "gpu_memory", lambda: card)
    monkeypatch.setattr(gpu_module, "nvidia_cards", lambda: int(card is not None))
    monkeypatch.setattr(gpu_module, "torch_build", lambda: (True, (13, 0)))


def checks(out: str) -> dict[str, dict[str, Any]]:
    found = json.loads(out)
    return {check["name"]: check for check in found["checks"]}


def test_the_starter_without_sound_devices_is_fit_to_talk(run: Run) -> None:
    code, out, _ = run("--backend", "starter", "--json")
    assert code == 0, out
    assert json.loads(out)["status"] in ("green", "yellow")
    found = checks(out)
    assert list(found) == [
        *("packages", "GPU", "memory", "models", "disk", "sound"),
        *("recognizer", "chat", "synthesizer"),
    ]
    assert found["GPU"]["summary"] == "none; this configuration needs none"
    assert found["sound"]["status"] == "yellow"
    for stage, name in (
        ("recognizer", "pocketsphinx"),
        ("chat", "llama_cpp"),
        ("synthesizer", "espeak"),
    ):
        details = found[stage]["details"]
        assert (details["provider"], details["device"]) == (name, "cpu")
        assert details["load_s"] > 0
        assert details["whole_s"] > 0


def test_one_screen_for_people(run: Run) -> None:
    code, out, _ = run("--backend", "starter")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("!  sound       no microphone") for line in lines)
    assert any("→ Plug one in" in line for line in lines)
    assert "to know of (" in lines[-1]


def test_missing_models_are_red_with_the_command_that_gets_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_MODELS", str(tmp_path))
    code, out, _ = run("--backend", "local", "--json")
    assert code == 1
    found = checks(out)
    assert found["models"]["status"] == "red"
    assert found["models"]["mend"] == (
        "voicebot-local models download nemotron-streaming llama-3.1-8b xtts-v2"
    )
    assert found["GPU"]["status"] == "yellow"
    for stage in ("recognizer", "chat", "synthesizer"):
        assert found[stage]["status"] == "red"
        assert "was not tried: its model is missing" in found[stage]["summary"]


def test_an_engine_on_the_processor_although_there_is_a_gpu_is_red(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_gpu(monkeypatch, GpuMemory("NVIDIA GeForce RTX 4090", 22 * GIB, 24 * GIB))
    file = tmp_path / "mine.toml"
    file.write_text("[chat]\ngpu_layers = -1\n")
    code, out, _ = run("--backend", "starter", "--config", file, "--json")
    found = checks(out)
    assert code == 1
    assert (found["chat"]["status"], found["chat"]["details"]["device"]) == ("red", "cpu")
    assert "although there is a GPU" in found["chat"]["summary"]
    assert found["recognizer"]["status"] != "red"


def test_a_device_that_was_named_and_is_not_there_is_red(run: Run) -> None:
    code, out, _ = run("--backend", "hosted", "--input-device", "nosuch", "--json")
    found = checks(out)
    assert code == 1
    assert found["sound"]["status"] == "red"
    assert "no loudspeaker" in found["sound"]["summary"]


def test_hosted_without_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ASSEMBLYAI_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    code, out, _ = run("--backend", "hosted", "--json")
    found = checks(out)
    assert code == 1
    for name in ("AssemblyAI", "OpenAI", "ElevenLabs"):
        assert (found[name]["status"], "export" in found[name]["mend"]) == ("red", True)
    assert "memory" not in found


def test_hosted_services_are_asked_with_online(run: Run, tmp_path: Path) -> None:
    with cloud(tmp_path) as config:
        code, out, _ = run("--backend", "hosted", "--config", config, "--online", "--json")
    found = checks(out)
    assert code == 0, out
    for name in ("AssemblyAI", "OpenAI", "ElevenLabs"):
        assert found[name]["status"] == "green"
        assert "accepted" in found[name]["summary"]


def test_a_wrong_configuration_is_one_sentence(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--config", tmp_path / "none.toml")
    assert (code, "There is no configuration file" in err) == (2, True)


def test_ctrl_c_ends_it_with_nothing_left(tmp_path: Path) -> None:
    """That no engine is left running is checked after every test."""
    with subprocess.Popen(
        [sys.executable, "-m", "voicebot_local.cli", "doctor", "--backend", "starter"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        for _ in range(1200):
            if psutil.Process(program.pid).children(recursive=True):
                break
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Traceback" not in err


def test_the_program_on_this_machine_as_it_is() -> None:
    """Whatever is plugged in here: it ends, says what it found, and leaves nothing running."""
    done = subprocess.run(
        [sys.executable, "-m", "voicebot_local.cli", "doctor", "--backend", "starter", "--json"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["status"] == "red" else 0)
    assert done.stderr == ""


def test_the_local_stack_at_work(run: Run, tiny_xtts: Path, tmp_path: Path) -> None:
    """NeMo, llama.cpp and XTTS themselves, with small models, on the processor."""
    file = tmp_path / "local.toml"
    file.write_text(PROFILE.format(data=DATA, xtts=tiny_xtts, voice=VOICES[0]))
    _, out, _ = run("--config", file, "--json", "--wait", "120")
    found = checks(out)
    for stage, name in (("recognizer", "nemo"), ("chat", "llama_cpp"), ("synthesizer", "xtts")):
        assert found[stage]["status"] in ("green", "yellow"), found[stage]
        assert found[stage]["details"]["provider"] == name
        assert found[stage]["details"]["device"] == "cpu"
    assert found["GPU"]["status"] == "green"
