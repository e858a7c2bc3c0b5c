"""llama.cpp: our engine against llama-cpp-python's own chat, in alternation.

    python -m scripts.bench_llama --model FILE [--context 4096] [--gpu-layers -1] [--json FILE]

A conversation in which the user says the same long things to both, told apart by a number so that
nothing is reused that should not be. First token: from the end of the user's turn. Ours has read
what the user said while it was said (`prefill`, whose time is told apart); the library reads it
afterwards, and reuses the beginning that it has in memory, as ours does. Processor time is that of
the whole process: on a GPU the host waits for most of it.

`--profile DIR` writes where a reply's time goes instead: in llama.cpp's own code or in Python.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from voicebot_local.providers.base import Message
from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig, LlamaCppEngine

SAID = "I went to the sea, and there I saw a café with a red door, and I thought about a story. "
PERSONA = Message("system", "You are a helpful voice assistant. Keep answers short.")


class Ours:
    """Our engine; what was said is read ahead."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.engine = LlamaCppEngine(
            LlamaCppConfig(
                model=arguments.model,
                context_tokens=arguments.context,
                max_reply_tokens=arguments.tokens,
                gpu_layers=arguments.gpu_layers,
                threads=arguments.threads,
                temperature=0,
            )
        )
        self.ahead_ms = 0.0

    def reply(self, messages: list[Message]) -> Iterator[str]:
        began = time.perf_counter()
        self.engine.prefill(messages, lambda _: nullcontext())
        self.ahead_ms = (time.perf_counter() - began) * 1000
        yield ""  # The user's turn is over now.
        for delta in self.engine.reply(messages, lambda _: nullcontext()):
            yield delta.text


class Stock:
    """llama-cpp-python's own, with its defaults but for what decides the size of the work."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        import llama_cpp

        self._model = llama_cpp.Llama(
            str(arguments.model),
            n_ctx=arguments.context,
            n_gpu_layers=arguments.gpu_layers,
            n_threads=arguments.threads or None,
            n_threads_batch=arguments.threads or None,
            flash_attn=True,
            verbose=False,
        )
        self._tokens = arguments.tokens

    def reply(self, messages: list[Message]) -> Iterator[str]:
        told: Any = [{"role": one.role, "content": one.content} for one in messages]
        yield ""
        parts: Any = self._model.create_chat_completion(
            told, stream=True, max_tokens=self._tokens, temperature=0
        )
        for part in parts:
            yield part["choices"][0]["delta"].get("content") or ""


def once(arm: Ours | Stock, words: int, number: int) -> dict[str, float]:
    """One turn of so many words, after another; the first token's time, and the tokens a second."""
    said = " ".join((SAID * (words // 18 + 1)).split()[:words])
    messages = [
        PERSONA,
        Message("user", f"Number {number}. Hello."),
        Message("assistant", "Hello! What can I do?"),
    ]
    for _ in arm.reply(messages[:2]):
        pass
    arrived: list[float] = []
    cpu = 0.0
    for _ in arm.reply([*messages, Message("user", said)]):
        arrived.append(time.perf_counter())
        if len(arrived) == 2:  # The first piece is there: from here on a token a step.
            cpu = time.process_time()
    over, *pieces = arrived
    if len(pieces) < 3:
        raise SystemExit("the model says next to nothing; measure one with random weights")
    return {
        "first_token_ms": (pieces[0] - over) * 1000,
        "tokens_per_s": (len(pieces) - 1) / (pieces[-1] - pieces[0]),
        "cpu_ms_per_token": (time.process_time() - cpu) * 1000 / (len(pieces) - 1),
    }


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures, ready for JSON."""
    ours = Ours(arguments)
    arms: dict[str, Ours | Stock] = {"stock": Stock(arguments), "ours": ours}
    found: dict[str, Any] = {
        "bench": "llama",
        "model": arguments.model.name,
        "device": ours.engine.info.device,
        "machine_load": os.getloadavg()[0],
    }
    number = 0
    each: dict[str, dict[str, list[float]]] = {
        key: {name: [] for name in arms} for key in ("tokens_per_s", "cpu_ms_per_token")
    }
    for words in arguments.words:
        firsts: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(arguments.times):
            for name, arm in arms.items():
                number += 1
                values = once(arm, words, number)
                firsts[name].append(values["first_token_ms"])
                for key, by_arm in each.items():
                    by_arm[name].append(values[key])
        for name, values_ms in firsts.items():
            found[f"{name}_first_token_ms_{words}_words"] = statistics.median(values_ms)
        found[f"ours_read_ahead_ms_{words}_words"] = ours.ahead_ms
    for key, by_arm in each.items():
        for name, measured in by_arm.items():
            found[f"{name}_{key}"] = statistics.median(measured)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--words", type=int, nargs="+", default=[20, 100, 400])
    parser.add_argument("--tokens", type=int, default=64, help="of each reply, at most")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path, metavar="DIR", help="where the time goes")
    arguments = parser.parse_args()
    if arguments.profile:
        from scripts.profile_llama import profile

        print(profile(Stock(arguments), Ours(arguments), arguments))
        return
    found = compare(arguments)
    for key, value in found.items():
        print(f"{key:36} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
