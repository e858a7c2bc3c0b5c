"""Every recording of `examples/` on the starter stack: understood, answered, measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import EXAMPLES, Done, check_latencies, check_log, converse, inputs, read_log
from voicebot_local.cards import example_recordings


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path, Path]:
    """The conversation, at the pace at which it was spoken; its recording and its log."""
    directory = tmp_path_factory.mktemp("examples")
    record, events = directory / "s.wav", directory / "e.jsonl"
    files = inputs(*example_recordings())
    done = converse("--backend", "starter", *files, "--record", record, "--events", events)
    assert done.code == 0, done.said
    return done, record, events


def test_all_of_it_is_a_conversation(held: tuple[Done, Path, Path]) -> None:
    done, _, events = held
    assert len(done.turns) == len(EXAMPLES) >= 3
    assert not any(turn["interrupted"] or turn["failed"] for turn in done.turns)
    assert all(turn["heard"] == turn["assistant"] for turn in done.turns)
    check_log(read_log(events))


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[turn["file"] for turn in EXAMPLES])
def test_a_recording_is_understood_and_answered(held: tuple[Done, Path, Path], number: int) -> None:
    turn, expected = held[0].turns[number], EXAMPLES[number]
    assert turn["user"] == expected["transcript"]
    assert expected["reply"].lower() in turn["assistant"].lower()


def test_latencies_can_be_read_off_the_recording(held: tuple[Done, Path, Path]) -> None:
    done, record, _ = held
    check_latencies(done.turns, record)
