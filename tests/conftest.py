"""For all tests: no network but this machine's own, no child process left behind, GPU opt-in."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.soundcard.pulse import missing
from voicebot_local.offline import forbid_network

_LEFT_OUT = pytest.StashKey[list[str]]()
ENDING_S = 5.0
"""How long a child may take to end once its test is over."""

# The user's own configuration and conversations are not the tests' business.
_EMPTY = tempfile.mkdtemp(prefix="voicebot-tests-")
os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = _EMPTY
atexit.register(shutil.rmtree, _EMPTY, ignore_errors=True)

# Shells start what they put in the background deaf to Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# For good, and before any test is imported: an import that asks the network fails too.
forbid_network()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-gpu", action="store_true", help="run the tests that need a GPU, too")
    parser.addoption(
        "--run-soundcard", action="store_true", help="run the tests that need PulseAudio, too"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--run-gpu") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--run-gpu: there is one GPU; run pytest without -n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for mark in ("gpu", "soundcard"):
        chosen = [item for item in items if item.get_closest_marker(mark)]
        if chosen and not config.getoption(f"--run-{mark}"):
            config.hook.pytest_deselected(items=chosen)
            items[:] = [item for item in items if item not in chosen]
            said = f"{len(chosen)} {mark} tests were left out; --run-{mark} runs them"
            _left_out(config).append(said)
        elif chosen and mark == "soundcard" and missing():
            raise pytest.UsageError(f"--run-soundcard: {missing()}")


def _left_out(config: pytest.Config) -> list[str]:
    """The lines about tests that were left out; a process of pytest-xdist sends its own home."""
    if hasattr(config, "workeroutput"):
        lines: list[str] = config.workeroutput.setdefault("left_out", [])
        return lines
    return config.stash.setdefault(_LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """All processes of pytest-xdist collect the same tests, so the lines of one say it all."""
    told = getattr(node, "workeroutput", {})  # A process that crashed sends nothing.
    if "left_out" in told:
        node.config.stash[_LEFT_OUT] = told["left_out"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _left_out(terminalreporter.config):
        terminalreporter.write_line(line)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio; a test that means more says so itself."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_child_left_behind() -> Iterator[None]:
    """A process that a test started, and its fixtures did not end, fails it."""
    before = set(_children())
    yield
    left = [child for child in _children() if child not in before]
    _, alive = psutil.wait_procs(left, timeout=ENDING_S)
    told = [f"{child.pid} {' '.join(_command(child))[:200]}" for child in alive]
    for child in alive:
        child.kill()
    assert not told, f"processes were left running: {told}"


def _children() -> list[psutil.Process]:
    # Python's own helper for shared memory stays for the life of the program.
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if not any("resource_tracker" in word for word in _command(child))
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
