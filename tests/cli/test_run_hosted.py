"""`voicebot-local run --backend hosted` as a program, against the simulated cloud as another."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from scripts.fake_cloud import ASR_MS, LLM_MS, TTS_MS
from tests.servers.script import KEY

ROOT = Path(__file__).parents[2]
SPEECH = ROOT / "tests" / "data" / "nemo" / "joke.wav"
PUBLISHED_MS = (ASR_MS, LLM_MS, TTS_MS)
PERSONA = "You are a test."

pytest.importorskip("openai")
pytest.importorskip("websockets")


@contextmanager
def cloud(tmp_path: Path, *arguments: str) -> Iterator[Path]:
    """The simulated cloud; gives the configuration that leads to it."""
    config = tmp_path / "fake.toml"
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "fake_cloud.py", "--config", config, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            first, second = program.stdout.readline(), program.stdout.readline()
            assert first.startswith("SIMULATED cloud")
            assert "Ready" in second
            yield config
        finally:
            program.terminate()


def run(config: Path, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "voicebot_local.cli", "run", "--backend", "hosted"),
            *("--config", config, "--persona", PERSONA),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **more,
    )


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, Path]:
    """Two turns in one file, the second of them while the reply is playing, and one in another."""
    speech, rate = soundfile.read(SPEECH, dtype="float32")
    gap = np.zeros(round(2.6 * rate), np.float32)
    soundfile.write(tmp_path / "two.wav", np.concatenate((speech, gap, speech)), rate)
    soundfile.write(tmp_path / "one.wav", speech, rate)
    return tmp_path / "two.wav", tmp_path / "one.wav"


def test_three_turns_and_a_barge_in(tmp_path: Path, recordings: tuple[Path, Path]) -> None:
    requests, log = tmp_path / "requests.jsonl", tmp_path / "events.jsonl"
    quick = ("--asr-ms", "50", "--llm-ms", "50", "--tts-ms", "50", "--requests", str(requests))
    reply = ("--reply", "This is a test of {asked}. It goes on for a few words more than needed.")
    with cloud(tmp_path, *quick, *reply) as config:
        first, second = recordings
        done = run(config, "--input", first, "--input", second, "--json", "--events", log)
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert [turn["user"] for turn in turns] == [
        "what can you do",
        "tell me a long story",
        "thank you that is all",
    ]
    assert [turn["interrupted"] for turn in turns] == [True, False, False]
    cut = turns[0]
    assert cut["assistant"].startswith(cut["heard"])
    assert len(cut["heard"]) < len(cut["assistant"])
    assert turns[1]["heard"] == turns[1]["assistant"] != ""

    asked = [json.loads(line)["messages"] for line in requests.read_text().splitlines()]
    heard = f"{cut['heard']} —".lstrip()
    assert asked[-1] == [
        {"role": "system", "content": PERSONA},
        {"role": "user", "content": turns[0]["user"]},
        {"role": "assistant", "content": heard},
        {"role": "user", "content": turns[1]["user"]},
        {"role": "assistant", "content": turns[1]["assistant"]},
        {"role": "user", "content": turns[2]["user"]},
    ]

    used = [
        entry
        for entry in map(json.loads, log.read_text().splitlines())
        if entry["type"] == "UsageReported"
    ]
    for stage in ("recognizer", "chat", "synthesizer"):
        assert {1, 2, 3} <= {entry["turn"] for entry in used if entry["stage"] == stage}
    assert all(entry["cost_usd"] > 0 for entry in used)


def test_bench_reports_the_latencies_that_the_services_had(tmp_path: Path) -> None:
    """Those are their published medians, and later by what this machine is busy with: so what the
    bench says is held, turn by turn, against when each service was asked and when it answered.
    Without drafts, which would hide a part of it in the pause before."""
    turns, served, found = tmp_path / "turns", tmp_path / "served.jsonl", tmp_path / "found.json"
    turns.mkdir()
    shutil.copy(SPEECH, turns)
    with cloud(tmp_path, "--reply", "Yes.", "--served", str(served)) as config:
        config.write_text(config.read_text() + "\n[turn]\nmax_revisions = 0\n")
        subprocess.run(
            [
                *(sys.executable, "-m", "voicebot_local.cli", "bench", turns, "--config", config),
                *("--repeat", "7", "--no-barge-in", "--json", found),
            ],
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
    results = json.loads(found.read_text())
    (summary,) = results["summaries"]
    answers = [json.loads(line) for line in served.read_text().splitlines()]
    asr, llm, tts = (
        [(it["asked_s"] * 1000, it["answered_s"] * 1000) for it in answers if it["stage"] == stage]
        for stage in ("asr", "llm", "tts")
    )
    reported = {}
    for name, served_ms, published_ms in (
        ("asr_final", asr, ASR_MS),
        ("llm_first_token", llm, LLM_MS),
        ("tts_first_audio", tts, TTS_MS),
    ):
        reported[name] = [turn["stages_ms"][name] for turn in results["turns"]]
        figure = summary["stages"][name]
        assert (figure["count"], len(served_ms)) == (7, 7)
        assert figure["p50"] == pytest.approx(statistics.median(reported[name]), abs=0.1)
        for ms, (asked, answered) in zip(reported[name], served_ms, strict=True):
            assert ms > answered - asked - 1
            assert answered - asked >= published_ms
    # The chat model's part lies between its neighbours' answer and question. What the others' parts
    # have at their outer ends is least in the turn in which the machine was least busy.
    for ms, (_, before), (after, _) in zip(reported["llm_first_token"], asr, tts, strict=True):
        assert ms < after - before + 1
    outer_ms = [
        min(ms - (end - begin) for ms, (begin, end) in zip(reported[name], it, strict=True))
        for name, it in (("asr_final", asr), ("tts_first_audio", tts))
    ]
    assert sum(outer_ms) <= 0.05 * sum(PUBLISHED_MS), outer_ms


def test_local_and_hosted_stages_mix(tmp_path: Path) -> None:
    """Typed, so that no recognizer of the cloud is needed; espeak speaks here."""
    pytest.importorskip("espeakng_loader")
    with cloud(tmp_path, "--llm-ms", "10") as config:
        mixed = tmp_path / "mixed.toml"
        mixed.write_text(
            config.read_text().split("[synthesizer]")[0]
            + '[synthesizer]\nprovider = "espeak"\n\n[session]\noffline = true\n'
        )
        done = run(mixed, "--text", "--json", "--pace", "fast", input="hello\n")
    assert done.returncode == 0, done.stderr
    (turn,) = map(json.loads, done.stdout.splitlines())
    assert "simulated cloud" in turn["heard"]


def test_no_key_is_ever_written(tmp_path: Path) -> None:
    """Not even while debugging; the key is in `.env`."""
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nexport ELEVENLABS_API_KEY='{KEY}'\n")
    log = tmp_path / "events.jsonl"
    with cloud(tmp_path, "--llm-ms", "10", "--tts-ms", "10") as config:
        command = ("--text", "--debug", "--pace", "fast", "--events", log)
        done = run(config, *command, input="hello\n", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "simulated cloud" in done.stdout
    assert KEY not in done.stdout + done.stderr + log.read_text()
