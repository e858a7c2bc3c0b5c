"""What is measured, item by item. Each runs in a process of its own and returns its values.

An item is cut into so little that it ends within minutes on a GPU, whatever the card.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from scripts.gpu_check.machine import machine
from scripts.gpu_check.setting import DATA, Setting
from voicebot_local.paths import CHECKOUT

Values = dict[str, Any]
Item = Callable[[], Values]
SPOKEN = ("joke", "timer", "kitchen", "joke")
WORDS_KEPT = 400


def parts(setting: Setting) -> Mapping[str, Mapping[str, Item]]:
    """Every item by part and name, the bars first; the first item of every part is done
    before any second."""
    return {
        "environment": {"machine": machine},
        "models": {name: partial(_model, make) for name, make in setting.models().items()},
        "tts": {name: partial(_tts, setting, name) for name in setting.precisions},
        "llm": {"our engine and llama-cpp-python's": partial(_llm, setting)},
        "asr": {name: partial(_asr, setting, name) for name in setting.recognizer_runs},
        "contention": {"alone, free for all, brokered": partial(_contention, setting)},
        "tests": {"gpu-marked": partial(_tests, setting)},
        "conversation": {
            "resident": partial(_conversation, setting, "never"),
            "parked by turns": partial(_conversation, setting, "always"),
        },
        "memory": {name: partial(_memory, setting, name) for name in setting.precisions},
    }


class Failed(Exception):
    """A command did not do what it should; its last words."""


def _command(*words: object, text: str | None = None, codes: tuple[int, ...] = (0,)) -> str:
    """Run a Python module of this checkout; what it prints. Raises Failed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=CHECKOUT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in codes:
        raise Failed(
            f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-900:]}"
        )
    return done.stdout


def _bench(setting: Setting, module: str, *words: object) -> Values:
    """What a benchmark writes as JSON."""
    file = setting.work / f"{module.rpartition('.')[2]}.json"
    said = _command(module, *words, "--json", file)
    return dict(json.loads(file.read_text())) | {"said": said}


def _model(make: Callable[[], Path]) -> Values:
    out = make()
    files = [out] if out.is_file() else list(out.iterdir())
    return {"file": out.name, "gb": sum(file.stat().st_size for file in files) / 1e9}


def _tests(setting: Setting) -> Values:
    """The tests that need a GPU; without one they are only collected.

    Others are not even imported, since this machine may lack what they need. Warnings are no errors
    here: the packages may be others than those that the project pins.
    """
    dry = ["--collect-only"] if setting.tiny else []
    every = (CHECKOUT / "tests").rglob("test_*.py")
    files = sorted(file for file in every if "mark.gpu" in file.read_text("utf-8"))
    words = ("-q", "--run-gpu", "-m", "gpu", "-W", "default", *dry, *files)
    said = _command("pytest", *words, codes=(0, 1))
    last = said.strip().splitlines()[-1]
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return {"result": last, "failed": failed, "table": "\n".join(f"- {one}" for one in failed)}


def _asr(setting: Setting, name: str) -> Values:
    """A chunk by the library's call and by ours, and what it costs over minutes of speech."""
    model, _, precision = name.partition(" ")
    words = ["--model", setting.recognizer(model), "--precision", precision]
    minutes = ["--minutes", 0 if setting.tiny else 10, "--sounds", DATA / "nemo"]
    found = _bench(
        setting,
        "scripts.bench_nemo_step",
        *(*words, "--device", setting.device, "--times", setting.rounds, *minutes),
    )
    own, stock = found["own"], found["stock"]
    rows = ["| | stock, ms | ours, ms | |", "|---|---|---|---|"]
    rows += [
        f"| {label} | {stock[key]:.2f} | {own[key]:.2f} | {stock[key] / own[key]:.2f}× |"
        for key, label in (
            ("chunk_ms", "a chunk, median"),
            ("chunk_p95_ms", "a chunk, p95"),
            ("chunk_cpu_ms", "a chunk, processor time"),
            ("last_ms", "what is left after the end of speech, median"),
        )
    ]
    shown: Values = {
        "decoder": found["decoder"],
        "a chunk is, ms of audio": found["chunk_s"] * 1000,
        "ours, real-time factor": own["chunk_ms"] / 1000 / found["chunk_s"],
        "the same text": f"{found['same_text']} of {found['recordings']} recordings",
        "loaded in, s": found["load_s"],
        "load of the machine before": found["load"],
    }
    by_minute = found["by_minute"]
    if by_minute:
        least, most = (choose(one["chunk_ms"] for one in by_minute) for choose in (min, max))
        shown["a chunk's median, by the minute of one utterance, ms"] = f"{least:.2f} to {most:.2f}"
        shown["minutes"] = len(by_minute)
    return found | {"table": "\n".join(rows), "shown": shown}


def _llm(setting: Setting) -> Values:
    model = setting.chat
    if setting.tiny:  # The starter's model ends too soon to be measured.
        from scripts.make_fixtures.tiny_gguf import write_tiny_gguf

        model = setting.work / "random.gguf"
        write_tiny_gguf(model)
    layers, context = (0, 1024) if setting.tiny else (-1, 8192)
    sizes = ["--gpu-layers", layers, "--context", context, *["--threads", 1] * setting.tiny]
    lengths = [20, 60] if setting.tiny else [20, 100, 400, 2000]
    found = _bench(
        setting,
        "scripts.bench_llama",
        *("--model", model, *sizes, "--times", setting.rounds, "--words", *lengths),
    )
    rows = [
        "| words of the user | stock: first token, ms | ours | ours: reading ahead, ms |",
        "|---|---|---|---|",
    ]
    for words in lengths:
        first = (found[f"{arm}_first_token_ms_{words}_words"] for arm in ("stock", "ours"))
        ahead = found[f"ours_read_ahead_ms_{words}_words"]
        rows.append(f"| {words} | {' | '.join(f'{ms:.1f}' for ms in first)} | {ahead:.1f} |")
    shown: Values = {"device": found["device"], "load of the machine before": found["machine_load"]}
    for key, label in (
        ("tokens_per_s", "tokens/s"),
        ("cpu_ms_per_token", "processor time of a token, ms"),
    ):
        stock, ours = (found[f"{arm}_{key}"] for arm in ("stock", "ours"))
        shown[f"{label}: stock, ours"] = f"{stock:.2f}, {ours:.2f}"
    return found | {"table": "\n".join(rows), "shown": shown}


def _tts(setting: Setting, precision: str) -> Values:
    """First audio, tokens a second and vocoder frames, of the package's stream and of ours."""
    words = ["--model", setting.synthesizer, "--device", setting.device, "--precision", precision]
    lengths = [12] if setting.tiny else [20, 50, 100, 200]
    found = _bench(
        setting, "scripts.bench_xtts", *words, "--times", setting.rounds, "--tokens", *lengths
    )
    shown = {"device": found["device"], "steps": found["steps"]}
    shown["load of the machine before"] = found["load"]
    return found | {"table": "Stock → ours.\n\n" + found["said"].strip(), "shown": shown}


def _memory(setting: Setting, precision: str) -> Values:
    """What was planned for each engine, and what its process took."""
    config = setting.config(precision=precision)
    plan = json.loads(
        _command("voicebot_local.cli", "plan", "--config", config, "--json", codes=(0, 3))
    )
    events = setting.work / "memory.jsonl"
    _command(
        *(
            "voicebot_local.cli",
            "run",
            "--config",
            config,
            "--text",
            "--events",
            events,
            "--turns",
            1,
        ),
        text="Hello.\n",
    )
    loads = [line for line in _events(events) if line["type"] == "EngineLoaded"]
    rows = ["| engine | planned, MiB | taken, MiB | of | loaded in, s |", "|---|---|---|---|---|"]
    for load in loads:
        planned, taken = (load[key] / 2**20 for key in ("planned_bytes", "taken_bytes"))
        cells = f"{planned:.0f} | {taken:.0f} | {load['memory']} | {load['load_s']:.1f}"
        rows.append(f"| {load['stage']} ({load['name']}) | {cells} |")
    return {
        "planned_mib": plan["needed_bytes"] / 2**20,
        "taken_mib": sum(load["taken_bytes"] for load in loads) / 2**20,
        "table": "\n".join(rows),
        "loads": loads,
    }


def _contention(setting: Setting) -> Values:
    """The chat model writes without a pause while replies are spoken: contention.py."""
    rounds, replies = (2, 1) if setting.tiny else (4, 4)
    found = _bench(
        setting,
        "scripts.contention",
        *("--config", setting.config(), "--rounds", rounds, "--replies", replies),
    )
    arms, rounds = ("alone", "free", "brokered"), found["rounds"]
    table = ["| medians | alone | free for all | brokered |", "|---|---|---|---|"]
    for key, label in (
        ("first audio", "first audio, s"),
        ("real-time factor", "time to speak, over the length"),
        ("gap", "silence inside a reply, s"),
        ("recognizer", "end of an utterance to its transcript, s"),
        ("text", "pieces of text a second"),
    ):
        by_arm = ([one[arm][key] for one in rounds if key in one[arm]] for arm in arms)
        cells = (f"{median(values):.3g}" if values else "" for values in by_arm)
        table.append(f"| {label} | {' | '.join(cells)} |")
    shown: Values = {"load of the machine before": found["load"], "rounds": len(rounds)}
    for name, ratio in found["ratios"].items():
        if " over " in name:
            low, high = (f"{ratio[end]:.2f}" for end in ("low", "high"))
            shown[f"{name} (95 % interval)"] = f"{ratio['ratio']:.2f} ({low} to {high})"
    return found | {"table": "\n".join(table), "shown": shown}


def _conversation(setting: Setting, parking: str) -> Values:
    """A whole conversation from recordings in real time, and what its trace proves."""
    config, events = setting.config(parking), setting.work / f"{parking}.jsonl"
    names = SPOKEN[:2] if setting.tiny else SPOKEN
    inputs = [word for name in names for word in ("--input", DATA / "nemo" / f"{name}.wav")]
    told = _command(
        "voicebot_local.cli", "run", "--config", config, *inputs, "--events", events, "--json"
    )
    turns = [json.loads(line) for line in told.splitlines()]
    trace = _command("voicebot_local.cli", "trace", events, "--json")
    report = json.loads(trace)
    latencies = [turn["voice_to_voice_ms"] for turn in turns if turn["voice_to_voice_ms"]]
    swaps = {
        f"{swap['tenant']} {swap['move']}, median s": swap["median_s"] for swap in report["swaps"]
    }
    stages = [turn["stages_ms"] for turn in turns if turn["stages_ms"]]
    medians = {
        f"of it, {stage.replace('_', ' ')}, median ms": median(
            one[stage] for one in stages if one[stage] is not None
        )
        for stage in (stages[0] if stages else ())
        if any(one[stage] is not None for one in stages)
    }
    return {
        "turns": len(turns),
        "voice to voice, ms, turn by turn": ", ".join(f"{value:.0f}" for value in latencies),
        **medians,
        "chat model and synthesizer at work at once, s": report["overlap_s"],
        "gaps in what was heard": len(report["underruns"]),
        "violations of the broker's rules": len(report["violations"]),
        **swaps,
        "stages_ms": [turn["stages_ms"] for turn in turns],
        "waits": report["waits"],
        "longest": report["longest"],
    }


def _events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
