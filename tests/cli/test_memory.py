"""What a conversation on the starter stack takes of the memory, and that it does not grow.

The main process is judged by its resident set (RSS), which counts shared libraries in full. All
processes together are judged by the sum of their RSS, so pages that they share count several times.
"""

from __future__ import annotations

import json
import subprocess

import psutil
import pytest

from tests.cli.program import ALL_BYTES, COMMAND, ENVIRONMENT, Memory, memory

MAIN_BYTES = 150_000_000
GROWTH_BYTES = 4_000_000
"""What allocators may add to a process that keeps nothing: 20 kB a turn would show."""
TURNS, SETTLED = 200, 50
ASKED = ("hello", "what can you do", "tell me a joke", "what is your name")
SHORT = "[chat]\nmax_reply_tokens = 4\n[synthesizer]\nrate_wpm = 400\n"
"""Short replies, quickly spoken: the test is about turns."""


def talk(program: subprocess.Popen[str], found: dict[int, Memory]) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    for number in range(1, TURNS + 1):
        program.stdin.write(f"{ASKED[number % len(ASKED)]}\n")
        program.stdin.flush()
        turn = json.loads(program.stdout.readline())
        assert (turn["turn"], turn["failed"]) == (number, False)
        assert turn["heard"] == turn["assistant"] != ""
        if number in (SETTLED, TURNS):
            found[number] = memory(psutil.Process(program.pid))
    program.stdin.close()
    assert program.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Memory]:
    """The memory after some of many turns, typed one after the other."""
    config = tmp_path_factory.mktemp("memory") / "short.toml"
    config.write_text(SHORT)
    arguments = ("--backend", "starter", "--config", str(config))
    found: dict[int, Memory] = {}
    with subprocess.Popen(
        [*COMMAND, *arguments, "--text", "--pace", "fast", "--json"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        try:
            talk(program, found)
        finally:
            program.kill()
    return found


def test_the_main_process_is_small(measured: dict[int, Memory]) -> None:
    main = next(iter(measured[TURNS].values()))
    assert main <= MAIN_BYTES


def test_the_whole_starter_stack_is_small(measured: dict[int, Memory]) -> None:
    assert len(measured[TURNS]) == 1 + 3 + 1  # The program, its engines, the broker.
    assert sum(measured[TURNS].values()) <= ALL_BYTES


def test_nothing_grows_with_the_turns(measured: dict[int, Memory]) -> None:
    before, after = measured[SETTLED], measured[TURNS]
    assert after.keys() == before.keys()
    grown = [after[process] - before[process] for process in before]
    assert max(grown) <= GROWTH_BYTES, grown
