"""The set-up scripts: what can be checked of them without setting anything up."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
CONSTRAINTS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]


def wanted(*extras: str) -> dict[str, str]:
    """Package and version specifier of all that is asked for directly."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(.*)", line)
        assert match is not None
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_executable_and_parse(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_an_unknown_word_is_refused() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "setup.sh", "strater"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "'strater' is unknown" in done.stderr


def test_everything_asked_for_is_pinned() -> None:
    for name, specifier in wanted(*EXTRAS).items():
        assert name in CONSTRAINTS, name
        if specifier.startswith("=="):
            assert CONSTRAINTS[name] == specifier.removeprefix("==")


def test_the_script_builds_the_pinned_llama_cpp() -> None:
    script = (ROOT / "scripts" / "setup.sh").read_text()
    assert set(re.findall(r"llama-cpp-python==([\d.]+)", script)) == {
        CONSTRAINTS["llama-cpp-python"]
    }
    assert CONSTRAINTS["llama-cpp-python"].replace(".", r"\.") in script


def test_the_starter_asks_for_no_heavy_library() -> None:
    heavy = {"torch", "torchaudio", "nemo-toolkit", "coqui-tts", "transformers", "silero-vad"}
    assert not heavy & set(wanted("starter"))
