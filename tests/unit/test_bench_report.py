"""Reports from results that are made up: tables, page, files that come back."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from voicebot_local.bench.page import page
from voicebot_local.bench.report import Outputs, comparisons, publish
from voicebot_local.bench.results import (
    VERSION,
    BargeInResult,
    ProcessUse,
    Results,
    SessionResult,
    StackInfo,
    TurnResult,
    read_results,
    results_json,
)
from voicebot_local.bench.summary import median_turn, summarize
from voicebot_local.bench.tables import print_results, write_csv
from voicebot_local.bench.wording import verdict, what_leaves
from voicebot_local.bench.words import WordErrors
from voicebot_local.errors import InputError
from voicebot_local.metrics import STAGES

LINKS = {"src", "href", "srcset", "action", "data", "xlink:href", "poster"}


def made_up(slower: float = 1.0, turns: int = 12) -> Results:
    """Two stacks; "b <i>" takes three quarters of the time of "a"."""
    stacks = (
        StackInfo("a", "starter", "", {"recognizer": "pocketsphinx"}),
        StackInfo("b <i>", "hosted", "b.toml", {}, ("what the microphone hears, to somebody",)),
    )
    found = []
    for stack, share in (("a", 1.0), ("b <i>", 0.75)):
        for number in range(turns):
            total = (900 + 10 * (number * 7 % turns)) * share * slower
            parts = dict.fromkeys(STAGES, total / len(STAGES))
            found.append(
                TurnResult(
                    stack, 1, f"turn {number}", number == 0, total, False, True, parts, "hello",
                    WordErrors(0, number % 2, 0, 3),
                )
            )  # fmt: skip
    found.append(TurnResult("a", 1, "lost", False, None, True, True))
    found.append(TurnResult("a", 1, "silent", False, None, False, False))
    sessions = tuple(
        SessionResult(
            stack=stack.name,
            repeat=1,
            spoken_over=False,
            duration_s=60.0,
            processes={"session": ProcessUse(1.0, 3.0, 2**26)},
            vram_bytes=None,
            load_s={"chat": 1.5},
            real_time_factors={"asr": 0.1},
            tokens_per_s=80.0,
            measured_steps=True,
            overlap_ms=0.0,
            wasted_ms=12.0,
            underruns=1,
            underrun_ms=20.0,
            false_interruptions=2,
            cost_usd=0.01 if stack.name != "a" else None,
        )
        for stack in stacks
    )
    machine = dict.fromkeys(
        ("processor", "cores", "memory", "gpu", "system", "load", "version"), "x"
    )
    barge_ins = tuple(
        BargeInResult("a", 1, f"turn {n}", 250.0 + n, stopped=n < 3) for n in range(4)
    )
    return Results(
        VERSION, "2024-01-01", machine, "made up", "realtime", 1, stacks, tuple(found), barge_ins,
        sessions,
    )  # fmt: skip


def test_a_summary_counts_what_happened() -> None:
    first, second = summarize(made_up())
    assert (first.turns, first.cut_off, first.unanswered) == (14, 1, 1)
    assert first.voice_to_voice is not None
    assert (first.voice_to_voice.count, first.voice_to_voice.max) == (12, 1010)
    assert first.cold is not None
    assert (first.cold.count, first.cold.p50) == (1, 900)
    assert first.warm is not None
    assert first.warm.count == 11
    assert first.barge_in is not None
    assert (first.barge_in.count, first.barge_in.max, first.not_stopped) == (3, 252, 1)
    assert first.words is not None
    assert (first.words.errors, first.words.words) == (6, 36)
    assert first.false_interruptions_per_min == 2
    assert first.cpu_s_per_min == {"session": 3.0}
    assert (first.cost_usd_per_min, second.cost_usd_per_min) == (None, 0.01)
    assert first.wasted_ms_per_turn == pytest.approx(12 / 13, abs=0.001)


def test_the_median_turn() -> None:
    turn = median_turn(made_up().turns_of("a"))
    assert turn is not None
    assert turn.voice_to_voice_ms == 950


def test_one_stack_against_the_other_and_against_itself_earlier() -> None:
    results = made_up()
    (one,) = comparisons(results, None)
    assert one.ratio is not None
    assert (one.ratio.pairs, one.ratio.ratio, one.ratio.low, one.ratio.high) == (12, *[0.75] * 3)
    assert "b <i> answers faster than a, by 239 ms" in verdict(one)
    earlier = comparisons(made_up(slower=2.0), results)
    assert [found.ratio and found.ratio.ratio for found in earlier] == [2, 2]
    assert earlier[0].first == "a (baseline)"
    assert "nothing leaves" in what_leaves(results.stacks[0])
    assert "to somebody" in what_leaves(results.stacks[1])


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    results, path = made_up(), tmp_path / "r.json"
    publish(results, None, Outputs(json=path), "made up")
    assert read_results(path) == results
    assert json.loads(path.read_text())["comparison"][0]["ratio"]["ratio"] == 0.75


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "no"])
def test_what_is_no_baseline(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_results(path)


def test_a_baseline_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(results_json(made_up()) | {"version": 99}))
    with pytest.raises(InputError, match="another version"):
        read_results(path)


def test_the_table_names_every_stack_and_warns_of_few_turns() -> None:
    out = io.StringIO()
    results = made_up()
    print_results(Console(file=out, width=120), results, summarize(results))
    said = out.getvalue()
    assert "945" in said or "955" in said
    assert "b <i>" in said
    assert "12 turns are few" in said


def test_a_line_for_each_turn() -> None:
    out = io.StringIO(newline="")
    results = made_up()
    write_csv(out, results)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + len(results.turns)
    assert lines[0].startswith("stack,repeat,turn,cold,voice_to_voice_ms,cut_off,answered")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.alternatives: list[str] = []
        self.headers_without_scope = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "img":
            self.alternatives.append(given.get("alt") or "")
        if tag == "th" and "scope" not in given:
            self.headers_without_scope += 1
        self.links += [value or "" for name, value in attrs if name in LINKS]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib.*")
def test_the_page_needs_nothing_but_itself() -> None:
    results = made_up()
    document = page(results, summarize(results), comparisons(results, None), "a & b")
    reader = _Page()
    reader.feed(document)
    assert {"html", "title", "table", "img"} <= set(reader.tags)
    assert not {"script", "link", "iframe", "i"} & set(reader.tags)
    assert all(link.startswith("data:image/svg+xml;base64,") for link in reader.links)
    assert "url(" not in document
    assert "@import" not in document
    for link in reader.links:
        svg = base64.b64decode(link.partition(",")[2])
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        outside = re.findall(rb'(?:href|src)="(?!#)([^"]*)"|url\((?!#)', svg)
        assert outside == []
    assert "b &lt;i&gt;" in document
    assert [" ms" in words for words in reader.alternatives] == [True, True]
    assert reader.headers_without_scope == 0
    assert document == page(results, summarize(results), comparisons(results, None), "a & b")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib.*")
def test_a_page_where_nothing_was_answered() -> None:
    results = made_up(turns=0)
    assert "cannot be compared" in page(
        results, summarize(results), comparisons(results, None), "none"
    )


def test_a_file_that_cannot_be_written_is_known_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory does not exist"):
        Outputs(csv=tmp_path / "missing" / "r.csv").check()
