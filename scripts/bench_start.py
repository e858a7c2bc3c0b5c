"""From the start of the engines to "listening", waiting for all of them or for the recognizer only.

    python -m scripts.bench_start [--backend starter] [--config FILE] [--times 3] [--json FILE]

Both ways in alternation; the engines' processes are started anew each time, and their files are in
the system's cache. `listening_s` is when a conversation can begin, `all_s` when the last engine is
warm, `cpu_s` what all engines took of the processor. With NeMo as the recognizer there is a third
way, `whole`: for the recognizer only, with all of the library imported (`fast_start = false`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
from pathlib import Path
from typing import Any

import anyio

from voicebot_local.config import load_config
from voicebot_local.engines.client import EngineNotice
from voicebot_local.events import EngineLoaded
from voicebot_local.providers.asr.nemo import NemoConfig
from voicebot_local.providers.registry import EngineOptions, choice, open_providers


async def start(config: Any, *, early: bool) -> dict[str, float]:
    """One start; seconds."""
    loaded: dict[str, float] = {}
    cpu = _children_cpu_s()

    def on_notice(notice: EngineNotice) -> None:
        if isinstance(notice, EngineLoaded):
            loaded[f"{notice.stage}_s"] = anyio.current_time() - began

    began = anyio.current_time()
    async with open_providers(
        choice(config.recognizer),
        choice(config.chat),
        choice(config.synthesizer),
        on_notice,
        EngineOptions(offline=True, early=early),
    ):
        listening_s = anyio.current_time() - began
        while len(loaded) < 3:
            await anyio.sleep(0.01)
    figures = {"listening_s": listening_s, "all_s": max(loaded.values()), **loaded}
    return {**figures, "cpu_s": _children_cpu_s() - cpu}


def _children_cpu_s() -> float:
    """Seconds of the processor of all processes that were started here and have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", default="starter")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = load_config(options.backend, options.config)
    ways = {"all": config, "early": config}
    if isinstance(config.recognizer, NemoConfig):
        whole = config.recognizer.model_copy(update={"fast_start": False})
        ways["whole"] = config.model_copy(update={"recognizer": whole})
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(options.times):
        for name, used in ways.items():
            early = name != "all"
            runs[name].append(anyio.run(lambda used=used, early=early: start(used, early=early)))
    found = {"bench": "start", "backend": options.backend, "load": os.getloadavg()[0], **runs}
    for name, kept in runs.items():
        medians = {key: statistics.median(run[key] for run in kept) for key in sorted(kept[0])}
        print(name, ", ".join(f"{key} {value:.2f}" for key, value in medians.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
