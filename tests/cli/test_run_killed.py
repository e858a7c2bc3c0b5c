"""Starter engines that are killed in mid-turn: that turn fails aloud, the next one works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import check_death, check_log, inputs, kill_in_mid_turn, question, watched
from voicebot_local.events import Stage
from voicebot_local.turns.settings import TurnSettings


@pytest.mark.parametrize("stage", ["recognizer", "chat", "synthesizer"])
def test_a_killed_engine_costs_one_turn(tmp_path: Path, stage: Stage) -> None:
    file, _ = question()
    # An engine that dies while it drafts a reply costs nothing: the reply is made anew.
    config = tmp_path / "c.toml"
    config.write_text('backend = "starter"\n[turn]\nmax_revisions = 0\nread_ahead = false\n')
    arguments = ("--config", config, "--pace", "fast", *inputs(file, file, file))
    with watched(tmp_path / "e.jsonl", *arguments) as run:
        kill_in_mid_turn(run, stage, turn=2)
        done = run.finish()
    assert done.code == 0, done.said
    assert [turn["failed"] for turn in done.turns] == [False, True, False]
    check_death(run.entries, done, stage, turn=2)
    check_log(run.entries, settings=TurnSettings(max_revisions=0))
