"""How a download shows itself, on a terminal of 80 columns and in a log."""

from __future__ import annotations

import io
import re
import tomllib

from rich.console import Console

from tests.models.places import MANIFEST
from voicebot_local.cli.model_progress import (
    NAME_WIDTH,
    LineProgress,
    bars,
    download_progress,
    megabytes,
    short,
)
from voicebot_local.models.manifest import Manifest
from voicebot_local.models.source import RemoteFile

MODELS = Manifest.model_validate(tomllib.loads(MANIFEST)).model
FILES = [
    RemoteFile(MODELS[0], "thinker.gguf", "", 4_920_739_232, checked="hub"),
    RemoteFile(MODELS[1], "a-very-long-name-of-a-checkpoint.nemo", "", 2_473_041_920),
]


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def shown(console: Console) -> list[str]:
    """What was written, line by line, without colours."""
    assert isinstance(console.file, io.StringIO)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_bars_fit_in_80_columns_and_count_all_together() -> None:
    console = terminal()
    with download_progress(console, FILES) as progress:
        first, second = FILES
        progress.begin(first, 1_000_000_000)
        progress.begin(second, 0)
        progress.advance(first, first.size - 1_000_000_000)
        progress.check(first)
        progress.advance(first, first.size)
        progress.done(first)
        progress.wait(second, "the connection broke", 4.0)
        progress.advance(second, 500_000_000)
    lines = shown(console)
    assert max(map(len, lines)) <= 80
    assert any(
        line == f"{second.file}: the connection broke; trying again in 4 s" for line in lines
    )
    last = lines[-3:]
    assert last[0].startswith("all ")
    assert "5.4/7.4 GB" in last[0]
    assert "4.9/4.9 GB" in last[1]
    assert "0.5/2.5 GB" in last[2]


def test_one_file_has_one_bar() -> None:
    console = terminal()
    with download_progress(console, FILES[:1]) as progress:
        progress.begin(FILES[0], 0)
        progress.advance(FILES[0], 1000)
    assert not any(line.startswith("all") for line in shown(console))


def test_a_file_that_begins_anew_is_counted_anew() -> None:
    console = terminal()
    with download_progress(console, FILES) as progress:
        progress.begin(FILES[0], 1_000_000_000)
        progress.begin(FILES[0], 0)
        progress.advance(FILES[0], 100_000_000)
    assert "0.1/7.4 GB" in shown(console)[-2]


def test_lines_for_a_log() -> None:
    console = Console(file=io.StringIO(), width=80)
    with download_progress(console, FILES) as progress:
        assert isinstance(progress, LineProgress)
        progress.begin(FILES[0], 1_000_000_000)
        progress.advance(FILES[0], 500_000_000)
        progress.wait(FILES[0], "busy (503)", 2.0)
        progress.check(FILES[0])
        progress.advance(FILES[0], 1)
        progress.done(FILES[0])
    assert shown(console) == [
        "thinker.gguf: 4.92 GB, 1.00 GB of them are here already",
        "thinker.gguf: busy (503); trying again in 2 s",
        "thinker.gguf: here, checksum right",
    ]


def test_names_and_sizes() -> None:
    assert len(short("x")) == len(short("x" * 100)) == NAME_WIDTH
    assert short("nemotron-speech-streaming-en-0.6b.nemo") == "nemotron…0.6b.nemo"
    assert (megabytes(4_920_739_232), megabytes(8_700_000)) == ("4.92 GB", "8.7 MB")


def test_bars_can_be_drawn_without_a_file() -> None:
    console = terminal()
    with bars(console):
        pass
    assert shown(console) == []
