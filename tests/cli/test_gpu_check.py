"""`scripts/gpu_check.sh`: what it does without a GPU, and one part of it on the processor."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from voicebot_local.paths import CHECKOUT

SCRIPT = CHECKOUT / "scripts" / "gpu_check.sh"


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_without_a_gpu_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    done = run("--work", tmp_path, CUDA_VISIBLE_DEVICES="-1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "This machine has no NVIDIA GPU that can be used; "
        "--cpu tries the script on the processor.\n"
    )


def test_parts_are_listed_and_unknown_ones_refused(tmp_path: Path) -> None:
    done = run("--list", "--work", tmp_path)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[:3] == ["environment", "models", "tests"]
    assert {"asr", "llm", "tts", "memory", "contention", "conversation"} < set(names)
    done = run("nothing", "--cpu", "--work", tmp_path)
    assert done.returncode == 2
    assert "there is no part nothing" in done.stderr


@pytest.mark.timeout(300)
def test_a_part_on_the_processor_survives_being_cut(tmp_path: Path) -> None:
    words = ("llm", "--cpu", "--work", tmp_path)
    cut = run(*words, "--limit-s", 0)
    assert cut.returncode == 4
    assert "start this again" in cut.stdout
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "cpu.json").read_text())
    values = found["llm.our engine and llama-cpp-python's"]
    for arm in ("ours", "stock"):
        assert values[f"{arm}_first_token_ms_20_words"] > 0
        assert values[f"{arm}_tokens_per_s"] > 0
    assert found["environment.machine"]["cores"] == os.cpu_count()
    page = (tmp_path / "cpu.md").read_text()
    assert "no figure counts" in page
    assert "## llm" in page
    # What is known is not measured again.
    again = run(*words)
    assert (again.returncode, again.stdout) == (0, "")
