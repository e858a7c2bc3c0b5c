"""The llama.cpp engine, tested in a process of its own.

llama.cpp and the voice activity detector each bring a ggml library, and a process can hold only one
of them. So the cases of `llama_cpp_cases.py` run in a pytest of their own, once, and every case is
a test here with its own outcome.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("llama_cpp_cases.py")
NAMES = [
    node.name
    for node in ast.parse(CASES.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[ElementTree.Element]]:
    """For each case the reports of its runs, one for each set of parameters."""
    report = tmp_path_factory.mktemp("report") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert report.exists(), f"pytest itself died ({done.returncode}):\n{done.stdout}{done.stderr}"
    found: dict[str, list[ElementTree.Element]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        found.setdefault(case.get("name", "").partition("[")[0], []).append(case)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, outcomes: Mapping[str, list[ElementTree.Element]]) -> None:
    runs = outcomes.get(name, [])
    assert runs, f"{name} did not run"
    for run in runs:
        for problem in (*run.iter("failure"), *run.iter("error"), *run.iter("skipped")):
            pytest.fail(f"{run.get('name')}: {problem.get('message')}\n{problem.text}")
