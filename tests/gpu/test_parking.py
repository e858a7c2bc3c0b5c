"""A conversation in which the chat model and the synthesizer take turns on the device."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.program import check_log, converse, inputs, processes, read_log, watched
from tests.cli.test_run_local import DATA, local
from tests.engines.xtts_fixture import tiny_xtts
from voicebot_local.events import EngineDied, EngineLoaded, SpeechProduced, TurnFinished
from voicebot_local.gpu.trace import Step, examine
from voicebot_local.turns.settings import TurnSettings

__all__ = ["local", "tiny_xtts"]

NAMES = ("joke", "timer", "joke")


def never_both(steps: list[Step]) -> None:
    """After the first moves, which follow the loads, one of the two is parked at any moment."""
    there: dict[str, bool] = {}
    for step in steps:
        if step.kind == "park":
            there[step.tenant] = False
        elif step.tenant in ("llm", "tts"):
            assert there.get(step.tenant) is not None, "an engine works before it was ever parked"
            there[step.tenant] = True
        assert not (there.get("llm") and there.get("tts")), step


def test_parked_by_turns_the_replies_are_the_same(
    local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told = {}
    made = {}
    for parking in ("never", "always"):
        config = tmp_path / f"{parking}.toml"
        config.write_text(f'{local.read_text()}\n[gpu]\nparking = "{parking}"\n')
        events = tmp_path / f"{parking}.jsonl"
        recordings = inputs(*(DATA / "nemo" / f"{name}.wav" for name in NAMES))
        done = converse("--config", config, "--pace", "fast", *recordings, "--events", events)
        assert done.code == 0, done.said
        log = read_log(events)
        drafts = {} if parking == "never" else {"max_revisions": 0}
        check_log(log, settings=TurnSettings(**drafts))
        told[parking] = [(turn["user"], turn["assistant"]) for turn in done.turns]
        made[parking] = [
            (event.turn, event.clause, event.samples)
            for event in (entry.event for entry in log)
            if isinstance(event, SpeechProduced)
        ]
        report = examine(log)
        assert report.overlap_s == 0
        moved = {step.tenant for step in report.steps if step.kind == "unpark"}
        assert moved == (set() if parking == "never" else {"llm", "tts"})
        if parking == "always":
            never_both(report.steps)
            # Once when it is loaded, and then for each reply.
            assert report.swaps["tts", "unpark"].moves == 1 + len(done.turns)
            loads = [it.event for it in log if isinstance(it.event, EngineLoaded)]
            parked = {load.stage for load in loads if load.unpark_s > 0}
            assert parked == {"chat", "synthesizer"}
    assert len(told["always"]) == 3
    assert told["always"] == told["never"]
    assert made["always"] == made["never"]


def test_an_engine_that_is_killed_comes_back_in_its_turn(local: Path, tmp_path: Path) -> None:
    """The room of one that has died is free, and both take turns again after it."""
    config = tmp_path / "always.toml"
    config.write_text(f'{local.read_text()}\n[gpu]\nparking = "always"\n')
    recordings = inputs(*(DATA / "nemo" / f"{name}.wav" for name in (*NAMES, *NAMES)))
    with watched(tmp_path / "e.jsonl", "--config", config, *recordings) as run:
        for turn, tenant in ((1, "tts"), (3, "llm")):
            run.wait_for(TurnFinished, turn)
            os.kill(processes(run.entries)[tenant], signal.SIGKILL)
        done = run.finish()
    assert done.code == 0, done.said
    events = [entry.event for entry in run.entries]
    died = [event.stage for event in events if isinstance(event, EngineDied)]
    assert died == ["synthesizer", "chat"]
    assert done.turns[-1]["heard"] == done.turns[-1]["assistant"] != ""
    report = examine(run.entries)
    assert report.overlap_s == 0
    last = max(step.started for step in report.steps if step.tenant == "tts")
    assert last > max(entry.at for entry in run.entries if isinstance(entry.event, EngineDied))
