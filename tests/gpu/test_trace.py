"""What a log proves, on logs made by hand: a clean one, and one for each rule that is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicebot_local.errors import InputError
from voicebot_local.events import (
    DeviceSteps,
    Entry,
    Event,
    MemoryPlanned,
    PlayoutFinished,
    PlayoutStarted,
    PlayoutUnderrun,
    ReplyStopped,
    SessionStarted,
    SpeechEnded,
    SpeechProduced,
    SpeechStarted,
    TurnCommitted,
    TurnFinished,
    VoiceActivity,
    to_json,
)
from voicebot_local.events.file import read_events
from voicebot_local.gpu.plots import draw_turn, read_turn
from voicebot_local.gpu.trace import RULES, Report, Swaps, Waits, chrome_trace, examine

Timed = tuple[float, Event]


def steps(tenant: str, *spans: tuple[float, float, float]) -> Timed:
    """Steps of `tenant`: (queued, started, ended)."""
    kind = {"asr": "chunk", "llm": "token", "tts": "token"}[tenant]
    return spans[-1][2], DeviceSteps(tenant, 7, tuple((kind, *span) for span in spans))


ASR = steps("asr", (1.0, 1.0, 1.01), (1.1, 1.1, 1.11))
LLM = steps("llm", (2.0, 2.0, 2.02), (2.02, 2.02, 2.04))
TTS = steps("tts", (2.03, 2.04, 2.07), (2.07, 2.07, 2.09))
CLEAN: list[Timed] = [
    (0.5, SessionStarted("card", 24_000, "local")),
    (1.0, VoiceActivity(8_000, 0.9, -20.0)),
    (1.0, SpeechStarted(1, 0, 6_000, 0)),
    ASR,
    (1.5, VoiceActivity(16_000, 0.1, -60.0)),
    (1.5, SpeechEnded(1, 0, 12_000, 16_000)),
    (2.0, TurnCommitted(1, 0, "hello")),
    LLM,
    TTS,
    (2.1, SpeechProduced(1, 0, 0, 0, 2_400)),
    (2.2, PlayoutStarted(1, 0, 50_000)),
    (2.3, PlayoutFinished(1, 0, 52_400, 2_400)),
    (2.3, TurnFinished(1, "completed")),
]


def log(events: list[Timed]) -> list[Entry]:
    return [
        Entry(number, at, event) for number, (at, event) in enumerate(sorted(events, key=_time))
    ]


def _time(timed: Timed) -> float:
    return timed[0]


def broken(report: Report) -> set[int]:
    return {violation.rule for violation in report.violations}


def test_a_clean_log() -> None:
    report = examine(log(CLEAN))
    assert report.violations == []
    assert (report.overlap_s, report.wasted_s, report.underruns) == (0.0, 0.0, [])
    assert [report.unmeasured(rule) is None for rule in RULES] == [True] * 6 + [False]
    assert report.waits["tts"] == Waits(
        2, pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.01)
    )
    assert report.longest["tts"].ended == 2.07


def test_moves_of_weights_are_listed() -> None:
    """A move is made of parts; what another engine does between them belongs to none."""
    moves = [
        ("unpark", 3.0, 3.0, 3.1),
        ("unpark", 3.1, 3.2, 3.3),
        ("token", 3.3, 3.3, 3.4),
        ("park", 3.5, 3.5, 3.52),
        ("unpark", 4.0, 4.0, 4.1),
    ]
    between = steps("asr", (3.1, 3.12, 3.18))
    report = examine(log([*CLEAN, (4.1, DeviceSteps("tts", 7, tuple(moves))), between]))
    assert report.violations == []
    assert report.swaps["tts", "unpark"] == Swaps(2, pytest.approx(0.2), pytest.approx(0.3))
    assert report.swaps["tts", "park"] == Swaps(1, pytest.approx(0.02), pytest.approx(0.02))


BROKEN = {
    1: [LLM, steps("tts", (2.03, 2.03, 2.06))],
    2: [steps("llm", (2.0, 2.0, 3.5))],
    3: [
        steps("asr", (2.0, 2.1, 2.11)),
        steps("llm", (2.0, 2.0, 2.04), (2.04, 2.04, 2.08)),
    ],
    4: [(2.3, PlayoutFinished(1, 0, 52_401, 2_401))],
    5: [(2.1, ReplyStopped(1, 0, "barge-in"))],
    6: [(1.9, PlayoutStarted(1, 0, 50_000))],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_log_that_breaks_one_rule(rule: int) -> None:
    replaced = {type(event) for _, event in BROKEN[rule]}
    rest = [timed for timed in CLEAN if type(timed[1]) not in replaced]
    assert broken(examine(log(rest + BROKEN[rule]))) == {rule}


def test_how_long_two_compute_at_once() -> None:
    report = examine(log([LLM, steps("tts", (1.9, 1.99, 2.03), (2.03, 2.035, 2.5))]))
    assert report.overlap_s == pytest.approx(0.02 + 0.01 + 0.005)
    assert len(report.violations) == 3


def test_a_recognizer_may_wait_for_the_step_that_runs() -> None:
    asr = steps("asr", (2.01, 2.101, 2.11))
    assert examine(log([asr, steps("llm", (2.0, 2.0, 2.1))])).violations == []


def test_steps_may_take_as_long_as_the_limit_says() -> None:
    events = log(BROKEN[2])
    assert broken(examine(events, step_limit_s=2.0)) == set()


def test_who_had_the_device_before_a_gap() -> None:
    busy = steps("llm", (1.5, 1.5, 2.1))
    late = steps("tts", (2.2, 2.2, 2.3))
    gap = (2.4, PlayoutUnderrun(1, 0, 51_000, 480))
    report = examine(log([*CLEAN[:4], (0.0, TurnCommitted(1, 0, "x")), busy, late, gap]))
    assert report.underruns == [(2.4, 480, "llm")]
    early = (0.6, PlayoutUnderrun(1, 0, 51_000, 480))
    assert examine(log([early])).underruns == [(0.6, 480, "nobody")]


def test_work_on_a_reply_that_was_taken_back_is_wasted() -> None:
    events = [timed for timed in CLEAN if timed[0] < 2.1 or timed in (LLM, TTS)]
    report = examine(log([*events, (2.08, ReplyStopped(1, 0, "resumed"))]))
    assert report.wasted_s == pytest.approx(0.02 + 0.02 + 0.03 + 0.02)


def test_a_log_without_steps_says_nothing_about_the_device() -> None:
    report = examine(log([timed for timed in CLEAN if not isinstance(timed[1], DeviceSteps)]))
    assert [report.unmeasured(rule) is None for rule in RULES] == [
        *(False, False, False),
        *(True, True, True),
        False,
    ]
    assert all(examine([]).unmeasured(rule) for rule in RULES)


def test_the_memory_is_judged_by_its_plan() -> None:
    assert examine([]).unmeasured(7) == "the log has no plan of the memory"
    for free, rules in ((10, []), (9, [7]), (0, [])):
        report = examine(log([(0.0, MemoryPlanned("GPU", free, 4, 6))]))
        assert report.unmeasured(7) is None
        assert [violation.rule for violation in report.violations] == rules


def test_the_timeline_has_a_row_for_each_tenant() -> None:
    events = chrome_trace(examine(log(CLEAN)))["traceEvents"]
    assert json.loads(json.dumps(events)) == events
    spans = [(event["tid"], event["name"], event["ts"]) for event in events if event["ph"] == "X"]
    assert spans == [
        (1, "chunk", 1_000_000),
        (1, "chunk", 1_100_000),
        (2, "token", 2_000_000),
        (2, "token", 2_020_000),
        (3, "waits", 2_030_000),
        (3, "token", 2_040_000),
        (3, "token", 2_070_000),
    ]


def test_one_turn_as_it_is_drawn() -> None:
    turn = read_turn(log([*CLEAN, (2.25, PlayoutUnderrun(1, 0, 51_000, 480))]))
    assert turn.speech == [(1.0, 1.25)]  # Before the first thing heard nothing is known.
    assert turn.playout == [(2.2, 2.3)]
    assert turn.gaps == [(pytest.approx(2.23), 2.25)]
    assert (turn.committed, turn.begins, turn.ends) == (2.0, 1.0, 2.3)


def test_pictures(tmp_path: Path) -> None:
    entries = log(CLEAN)
    draw_turn(entries, examine(entries), tmp_path / "turn.png")
    assert (tmp_path / "turn.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no turn 2"):
        draw_turn(entries, examine(entries), tmp_path / "turn.png", 2)
    with pytest.raises(InputError, match="No turn of this log was spoken"):
        draw_turn(entries[:5], examine([]), tmp_path / "turn.png")
    with pytest.raises(InputError, match=r"cannot be written: No such file"):
        draw_turn(entries, examine(entries), tmp_path / "none" / "turn.png")


def write(path: Path, entries: list[Entry]) -> str:
    text = "".join(json.dumps(to_json(entry)) + "\n" for entry in entries)
    path.write_text(text)
    return text


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    file, entries = tmp_path / "e.jsonl", log(CLEAN)
    text = write(file, entries)
    assert read_events(file).entries == tuple(entries)
    file.write_text(text[:-1])
    assert not read_events(file).cut_off
    file.write_text(text[:-9])
    read = read_events(file)
    assert read.cut_off
    assert read.entries == tuple(entries[:-1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no event"),
        (b'{"seq": 0, "at', "holds no event"),
        (b"RIFF\xff\x00\x01\n", "Line 1 of"),
        (b"17\n", "Line 1 of"),
        (b'{"seq": 0, "at": 0.5, "type": "Unknown"}\n', "Line 1 of"),
        (b'{"seq": 0, "at": "x", "type": "InputEnded", "position": 1}\n', "Line 1 of"),
        (
            b'{"seq": 0, "at": 0, "type": "DeviceSteps", "tenant": "asr", "process": 1, '
            b'"steps": [["chunk", 1]]}\n',
            "Line 1 of",
        ),
    ],
)
def test_what_is_no_log(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "e.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_events(file)
    assert refused.value.message.isascii()
    assert refused.value.mend


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no event log"):
        read_events(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_events(tmp_path)


def test_a_step_that_was_granted_before_a_recognizer_asked_may_begin_after_it() -> None:
    chunk = steps("asr", (1.0, 1.05, 1.06))
    one = steps("llm", (0.9, 1.01, 1.05))
    assert examine(log([one, chunk])).violations == []
    two = steps("llm", (0.9, 0.91, 1.005), (1.005, 1.01, 1.05))
    assert [found.rule for found in examine(log([two, chunk])).violations] == [3]
