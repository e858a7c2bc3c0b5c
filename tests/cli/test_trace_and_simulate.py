"""`voicebot-local trace` and `voicebot-local simulate`, as a person or a program calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.gpu.test_trace import BROKEN, CLEAN, log, write


@pytest.fixture
def run(program: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program in a wide terminal."""
    monkeypatch.setenv("COLUMNS", "100")
    return program


@pytest.fixture
def events(tmp_path: Path) -> Path:
    write(tmp_path / "events.jsonl", log(CLEAN))
    return tmp_path / "events.jsonl"


def test_a_clean_log(run: Run, events: Path) -> None:
    code, out, err = run("trace", events, "--check")
    assert (code, err) == (0, "")
    assert out.count("holds") == 6
    assert "not measured: the log has" in out
    assert "chat model and synthesizer at once: 0.00 ms" in out


def test_check_fails_on_a_violation(run: Run, events: Path) -> None:
    write(events, log(BROKEN[1]))
    code, out, _ = run("trace", events, "--check")
    assert code == 3
    assert "violated" in out
    assert "llm and tts compute at once" in out
    assert run("trace", events)[0] == 0


def test_a_log_that_was_cut_off(run: Run, events: Path) -> None:
    events.write_text(events.read_text()[:-9])
    code, out, _ = run("trace", events)
    assert code == 0
    assert "The last line of the log is not whole" in out


def test_a_report_for_programs(run: Run, events: Path) -> None:
    code, out, _ = run("trace", events, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["steps"] == 6
    assert report["rules"]["1"] == {"holds": True, "violations": 0}
    assert report["rules"]["7"]["holds"] is None
    assert not report["cut_off"]


def test_a_timeline_and_a_picture(run: Run, events: Path, tmp_path: Path) -> None:
    timeline, picture = tmp_path / "t.json", tmp_path / "t.svg"
    assert run("trace", events, "--chrome", timeline, "--plot", picture, "--turn", 1)[0] == 0
    assert json.loads(timeline.read_text())["traceEvents"]
    assert "<svg" in picture.read_text()


def test_matplotlib_may_be_missing(
    run: Run, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = run("trace", events, "--plot", tmp_path / "t.png")
    assert code == 2
    assert 'pip install "voicebot-local[plots]"' in err


@pytest.mark.parametrize("option", ["--chrome", "--plot"])
def test_a_file_that_cannot_be_written(run: Run, events: Path, tmp_path: Path, option: str) -> None:
    code, _, err = run("trace", events, option, tmp_path / "none" / "t.png")
    assert code == 2
    assert "cannot be written: No such file or directory" in err


def test_no_log(run: Run, tmp_path: Path) -> None:
    code, out, err = run("trace", tmp_path / "none.jsonl")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 2


SHORT = ("--seconds", 20, "--card", "h200", "--conversations", "1,2")


def test_simulate_for_people(run: Run) -> None:
    code, out, err = run("simulate", *SHORT)
    assert (code, err) == (0, "")
    assert "two conversations: slack's p95 is 0." in out
    assert "conversations that this card holds: slack" in out


def test_simulate_for_programs(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(
        "simulate", *SHORT, "--policy", "slack", "--json", "--plot", tmp_path / "p.png"
    )
    told = json.loads(out)
    assert code == 0
    assert [(o["card"], o["policy"], o["conversations"]) for o in told["outcomes"]] == [
        ("h200", "slack", 1),
        ("h200", "slack", 2),
    ]
    assert told["held"][0]["conversations"] >= 1
    assert (tmp_path / "p.png").exists()


def test_too_short_for_a_turn_is_null_and_no_number(run: Run) -> None:
    code, out, _ = run("simulate", *SHORT, "--seconds", 1, "--json")
    assert code == 0
    assert json.loads(out)["outcomes"][0]["first_audio_p50_s"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--card", "tnt2"), "There are no costs for 'tnt2'"),
        (("--policy", "lottery"), "There is no policy 'lottery'"),
        (("--policy", ","), "--policy is empty"),
        (("--conversations", "0"), "'0' is no number of conversations"),
        (("--conversations", "two"), "'two' is no number of conversations"),
        (("--costs", "none.toml"), "none.toml cannot be read"),
    ],
)
def test_what_simulate_refuses(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run("simulate", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 2
