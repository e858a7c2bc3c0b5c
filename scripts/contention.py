"""Chat model and synthesizer at full tilt on one device: free for all against brokered.

    python -m scripts.contention [--config FILE] [--rounds 6] [--replies 4] [--json FILE]

The chat model writes without a pause, the recognizer hears somebody talk, and replies are spoken
one after the other, on real engines in their own processes. Rounds without and with the broker
alternate (A B, B A, ...) on the same loaded engines, so that whatever else the machine does falls
on both, and the card has to hold one stack only. Without, the broker gives the device to everybody
who asks, see `contention_broker.py`; with it, it is told deadlines as in a session: first audio is
due at once, later audio when what was made has been heard, text when the first clause has been
spoken.

Measured from outside the engines, the same for both:

- first audio: from the text of a reply to its first audio;
- real-time factor: time to speak a reply, over its length;
- recognizer: from the end of an utterance to its transcript;
- gaps: silence that a listener would hear inside a reply;
- text: pieces of text a second of the chat model, which pays for the rest.

Each round ends with the synthesizer alone, the others loaded and idle, so that first audio can be
told as a multiple of what it takes then: the contention ratio.

Without --config the models are small ones with random weights that are made first, sized so that a
step takes milliseconds on a processor; `--threads N` makes N cores the device, and each engine uses
all of them. With --config, the models of a configuration, on whatever device it names.

On a machine that does other work, use `--threads 1`: several threads of an engine wait for one
another many times a step, and with other programs in between, that is what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import cast

import anyio
import soundfile

from scripts.contention_broker import Switch, open_switch
from voicebot_local.bench.figures import paired_ratio
from voicebot_local.config import load_config
from voicebot_local.gpu.queue import Outlook
from voicebot_local.paths import CHECKOUT
from voicebot_local.providers.base import RECOGNIZER_RATE, Message, ProviderConfig, Samples
from voicebot_local.providers.registry import (
    Choice,
    EngineOptions,
    Providers,
    choice,
    open_providers,
)

TEXT = "This is a sentence of a reply, as long as most of them are."
FIRST_CLAUSE_S = 2.7
"""What a first clause of ten tokens lasts: until then the text that follows is not missed (s)."""
BLOCK_S = 0.1
PAUSE_S = 0.3
MESSAGES = (
    Message("system", "You are a helpful voice assistant."),
    Message("user", "Please tell me a long story."),
)
ARMS = ("free", "brokered")
SPEECH = CHECKOUT / "tests" / "data" / "nemo" / "hello.wav"


@dataclass(slots=True)
class Round:
    """What was measured in one round of one arm (s; `text` in pieces a second)."""

    first_audio: list[float] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)
    recognizer: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    pieces: int = 0
    took_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """Only of those that worked."""
        speech = {
            "first audio": median(self.first_audio),
            "real-time factor": median(self.factor),
            "gap": sum(self.gap) / len(self.gap),
        }
        if not self.recognizer:
            return speech
        return speech | {
            "recognizer": median(self.recognizer),
            "text": self.pieces / self.took_s,
        }


class Stack:
    """The three engines, and the broker that they ask for the device."""

    def __init__(self, providers: Providers, switch: Switch, speech: Samples) -> None:
        self._providers = providers
        self._switch = switch
        self._speech = speech

    async def arm(self, name: str, replies: int) -> Round:
        """A round "free", "brokered", or of the synthesizer "alone"."""
        await anyio.sleep(PAUSE_S)  # What was cancelled has given the device back by then.
        self._switch.arbitrate(arbitrate=name != "free")
        return await self.round(replies, alone=name == "alone")

    async def round(self, replies: int, *, alone: bool = False) -> Round:
        """Speak so many replies while the others work, or `alone`; with the others, go on until an
        utterance has been recognized."""
        measured = Round()
        began = monotonic()
        async with anyio.create_task_group() as tasks:
            if not alone:
                tasks.start_soon(self._write, measured)
                tasks.start_soon(self._hear, measured)
            await anyio.sleep(PAUSE_S)
            while len(measured.first_audio) < replies or not (alone or measured.recognizer):
                await self._speak(measured)
                await anyio.sleep(PAUSE_S)
            measured.took_s = monotonic() - began
            tasks.cancel_scope.cancel()
        return measured

    def _look_ahead(self, audio_until: float | None) -> None:
        said_until = (audio_until or monotonic()) + FIRST_CLAUSE_S
        self._switch.look_ahead(Outlook(audio_until, said_until))

    async def _speak(self, measured: Round) -> None:
        async def clauses() -> AsyncIterator[str]:
            yield TEXT

        rate = self._providers.synthesizer.sample_rate
        self._look_ahead(None)
        asked = monotonic()
        first: float | None = None
        made_s = gap_s = 0.0
        async with self._providers.synthesizer.speak(clauses()) as audio:
            async for part in audio:
                if not len(part.samples):
                    continue
                now = monotonic()
                if first is None:
                    first = now
                else:
                    gap_s += max(0.0, now - (first + made_s + gap_s))
                made_s += len(part.samples) / rate
                self._look_ahead(first + made_s + gap_s)
        if first is None:
            raise RuntimeError("the synthesizer made no audio")
        measured.first_audio.append(first - asked)
        measured.factor.append((monotonic() - asked) / made_s)
        measured.gap.append(gap_s)

    async def _write(self, measured: Round) -> None:
        while True:
            async with self._providers.chat.reply(MESSAGES) as deltas:
                async for _ in deltas:
                    measured.pieces += 1

    async def _hear(self, measured: Round) -> None:
        """Utterances in real time, one after the other."""
        block = round(BLOCK_S * RECOGNIZER_RATE)
        while True:
            ended = monotonic()

            async def audio() -> AsyncIterator[Samples]:
                nonlocal ended
                due = monotonic()
                for start in range(0, len(self._speech), block):
                    due += BLOCK_S
                    await anyio.sleep(max(0.0, due - monotonic()))
                    yield self._speech[start : start + block]
                ended = due

            async with self._providers.recognizer.transcribe(audio()) as transcripts:
                async for _ in transcripts:
                    pass
            measured.recognizer.append(monotonic() - ended)


@asynccontextmanager
async def _stack(choices: tuple[Choice, Choice, Choice]) -> AsyncIterator[Stack]:
    speech, rate = soundfile.read(SPEECH, dtype="float32")
    assert rate == RECOGNIZER_RATE
    with open_switch() as switch:
        options = EngineOptions(broker=switch.address)
        async with open_providers(*choices, lambda _: None, options) as providers:
            yield Stack(providers, switch, speech)


@contextmanager
def _tiny_choices(threads: int) -> Iterator[tuple[Choice, Choice, Choice]]:
    """Small models with random weights, whose steps take milliseconds on a processor."""
    from scripts.make_fixtures.chat.gguf_file import Shape
    from scripts.make_fixtures.tiny_gguf import write_tiny_gguf
    from scripts.make_fixtures.xtts_tiny import TinyShape, make_tiny_xtts
    from voicebot_local.providers.asr.nemo import NemoConfig
    from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig
    from voicebot_local.providers.tts.xtts import XttsConfig

    with tempfile.TemporaryDirectory() as directory:
        chat, voice = Path(directory) / "chat.gguf", Path(directory) / "xtts"
        shape = Shape(dim=1024, layers=8, heads=8, kv_heads=4, ffn=3072, context=2048)
        write_tiny_gguf(chat, shape, ftype="q8_0")
        make_tiny_xtts(
            voice, TinyShape(width=256, layers=8, heads=4, most_tokens=100, speech_tokens=None)
        )
        configs: tuple[ProviderConfig, ...] = (
            NemoConfig(
                model=CHECKOUT / "tests" / "data" / "nemo_tiny.nemo", device="cpu", threads=threads
            ),
            LlamaCppConfig(
                model=chat,
                gpu_layers=0,
                threads=threads,
                context_tokens=1024,
                max_reply_tokens=256,
            ),
            XttsConfig(model=voice, voice="Test Voice", device="cpu", threads=threads, seed=1),
        )
        yield cast(tuple[Choice, Choice, Choice], tuple(map(choice, configs)))


@contextmanager
def _choices(config: Path | None, threads: int) -> Iterator[tuple[Choice, Choice, Choice]]:
    if config is None:
        with _tiny_choices(threads) as choices:
            yield choices
        return
    loaded = load_config("local", config, [])
    yield choice(loaded.recognizer), choice(loaded.chat), choice(loaded.synthesizer)


async def _measure(
    choices: tuple[Choice, Choice, Choice], rounds: int, replies: int
) -> list[dict[str, dict[str, float]]]:
    found: list[dict[str, dict[str, float]]] = []
    async with _stack(choices) as stack:
        for name in ARMS:  # What is slow only once, such as first allocations.
            await stack.arm(name, 1)
        for number in range(rounds):
            results: dict[str, dict[str, float]] = {}
            for name in (*(ARMS if number % 2 == 0 else ARMS[::-1]), "alone"):
                results[name] = (await stack.arm(name, replies)).figures()
                print(f"round {number + 1:2} {name:9}" + _line(results[name]), flush=True)
            found.append(results)
    return found


def _line(figures: dict[str, float]) -> str:
    return "".join(f"  {name} {value:.3f}" for name, value in figures.items())


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, help="a configuration with real models")
    parser.add_argument("--rounds", type=int, default=6, help="of each arm")
    parser.add_argument("--replies", type=int, default=4, help="in each round")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="of each engine, on as many cores"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load before it: {load:.1f} on {os.cpu_count()} cores")
    if arguments.config is None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    with _choices(arguments.config, arguments.threads) as choices:
        found = anyio.run(_measure, choices, arguments.rounds, arguments.replies)
    ratios = {}
    for name in found[0]["free"]:
        pairs = [(one["free"][name], one["brokered"][name]) for one in found]
        free, brokered = (median(values) for values in zip(*pairs, strict=True))
        print(f"{name:17} free {free:8.3f}  brokered {brokered:8.3f}", end="")
        ratio = paired_ratio(pairs) if free > 0 else None
        if ratio is not None:
            ratios[name] = asdict(ratio)
            print(f"  ratio {ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})", end="")
        print()
    for arm in ARMS:
        pairs = [(one["alone"]["first audio"], one[arm]["first audio"]) for one in found]
        ratio = paired_ratio(pairs)
        if ratio is not None:
            ratios[f"first audio, {arm} over alone"] = asdict(ratio)
            print(f"first audio, {arm} over alone: ", end="")
            print(f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})")
    if arguments.json:
        told = {"load": load, "cores": os.cpu_count(), "rounds": found, "ratios": ratios}
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
