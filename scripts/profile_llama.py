"""Where a reply's time goes, in llama.cpp's own code or in Python: `bench_llama --profile DIR`.

Every function of the library that Python calls is timed by a wrapper around it; what is left of a
reply is Python (the wrappers, about a microsecond a call, with it). Times are the processor's, of
the thread that replies, so that another program's work is not among them: with one thread that is
all of it. Functions by their own time come from another reply under cProfile, which slows Python
down, but not the library, whose time counts as that of the function that calls it.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicebot_local.providers.base import Message

if TYPE_CHECKING:
    from scripts.bench_llama import Ours, Stock

QUESTIONS = ("hello", "what can you do", "tell me a joke")
TURNS = [Message("system", "You are a helpful voice assistant. Keep answers short.")]
MOST_ROWS = 12
DRAW, DECODE = "llama_sampler_sample", "llama_decode"


@dataclass(slots=True)
class Spent:
    """What a conversation of three replies cost, from the ends of the user's turns."""

    total_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        return self.calls[DRAW]

    def per_token_us(self, *names: str) -> float:
        """In the library, in functions of these names, or in all."""
        chosen = names or tuple(self.seconds)
        return sum(self.seconds[name] for name in chosen) / self.tokens * 1e6


@contextmanager
def timed_library(spent: Spent) -> Iterator[None]:
    """While it lasts, calls into llama.cpp are counted and timed."""
    import llama_cpp
    import llama_cpp.llama_cpp as low

    function_type = type(low.llama_decode)
    originals = {name: it for name, it in vars(low).items() if isinstance(it, function_type)}

    def wrap(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments)
            finally:
                spent.seconds[name] += time.thread_time() - began
                spent.calls[name] += 1

        return call

    try:
        for name, function in originals.items():
            wrapped = wrap(name, function)
            setattr(low, name, wrapped)
            setattr(llama_cpp, name, wrapped)
        yield
    finally:
        for name, function in originals.items():
            setattr(low, name, function)
            setattr(llama_cpp, name, function)


def talk(arm: Ours | Stock, spent: Spent, around: Callable[[], Any]) -> None:
    """Three turns; `around` makes a context for what comes after the end of each turn."""
    messages = list(TURNS)
    for question in QUESTIONS:
        messages.append(Message("user", question))
        pieces = arm.reply(messages)
        next(pieces)  # The user's turn is over.
        with around():
            began = time.thread_time()
            said = "".join(pieces)
            spent.total_s += time.thread_time() - began
        messages.append(Message("assistant", said))


def functions(arm: Ours | Stock) -> str:
    """Python's functions by their own time, as a table in Markdown."""
    profiler, spent = cProfile.Profile(time.thread_time), Spent()

    @contextmanager
    def watched() -> Iterator[None]:
        profiler.enable()
        try:
            yield
        finally:
            profiler.disable()

    talk(arm, spent, watched)
    stats: Any = pstats.Stats(profiler)
    rows = ["| function | calls | own time, ms |", "|---|---|---|"]
    entries = [entry for entry in stats.stats.items() if entry[0][0] != __file__]
    entries.sort(key=lambda entry: -entry[1][2])
    for (file, line, name), (_, calls, own_s, *_rest) in entries[:MOST_ROWS]:
        where = f"{Path(file).parent.name}/{Path(file).name}:{line} {name}" if line else name
        rows.append(f"| `{where}` | {calls} | {own_s * 1000:.2f} |")
    return "\n".join(rows)


def compared(spent: dict[str, list[Spent]]) -> str:
    """Medians over the rounds, microseconds of a token."""

    def cells(what: Callable[[Spent], float], form: str) -> str:
        values = (statistics.median(map(what, spent[name])) for name in ("stock", "ours"))
        return " | ".join(f"{value:{form}}" for value in values)

    def outside(it: Spent) -> float:
        return it.total_s / it.tokens * 1e6 - it.per_token_us()

    def others(it: Spent) -> float:
        return it.per_token_us() - it.per_token_us(DRAW, DECODE)

    return "\n".join(
        [
            "| a token, µs of processor | stock | ours |",
            "|---|---|---|",
            f"| all | {cells(lambda it: it.total_s / it.tokens * 1e6, '.0f')} |",
            f"| in `{DECODE}` | {cells(lambda it: it.per_token_us(DECODE), '.0f')} |",
            f"| in `{DRAW}` | {cells(lambda it: it.per_token_us(DRAW), '.0f')} |",
            f"| in the library's other functions | {cells(others, '.0f')} |",
            f"| in Python | {cells(outside, '.0f')} |",
            f"| calls into the library | {cells(lambda it: it.calls.total() / it.tokens, '.1f')} |",
            f"| tokens of the conversation | {cells(lambda it: it.tokens, '.0f')} |",
        ]
    )


def profile(stock: Stock, ours: Ours, arguments: argparse.Namespace) -> str:
    """Measure in alternation, and write `llama-MODEL.md` into the directory."""
    load = os.getloadavg()[0]
    arms: dict[str, Ours | Stock] = {"stock": stock, "ours": ours}
    spent: dict[str, list[Spent]] = {name: [] for name in arms}
    for name, arm in arms.items():
        talk(arm, Spent(), lambda: timed_library(Spent()))  # What is slow only once.
        spent[name] = []
    for _ in range(arguments.times):
        for name, arm in arms.items():
            one = Spent()
            talk(arm, one, lambda one=one: timed_library(one))  # type: ignore[misc]
            spent[name].append(one)
    size = arguments.model.stat().st_size / 1e6
    text = "\n\n".join(
        [
            f"# llama.cpp, {arguments.model.stem}: {size:.0f} MB",
            f"Three short replies of at most {arguments.tokens} tokens each, from the end of the "
            "user's turn, by llama-cpp-python's chat (stock) and by our engine: processor time of "
            f"the thread that replies, medians of {arguments.times} conversations in alternation, "
            f"on {ours.engine.info.device}, threads: {arguments.threads or 'as each takes'}, "
            f"load {load:.1f} before. A function's own time includes what it calls in llama.cpp.",
            compared(spent),
            "## Python's functions, stock",
            functions(stock),
            "## Python's functions, ours",
            functions(ours),
        ]
    )
    arguments.profile.mkdir(parents=True, exist_ok=True)
    file = arguments.profile / f"llama-{arguments.model.stem}.md"
    file.write_text(text + "\n", "utf-8")
    return text
