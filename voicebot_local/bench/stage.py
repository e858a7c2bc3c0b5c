"""`bench --stage`: one engine alone, in its own process, with nothing else to do."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
from rich.console import Console
from rich.table import Table

from voicebot_local.bench.figures import figure
from voicebot_local.bench.first_token import curve, first_text_ms
from voicebot_local.bench.recordings import find_turns, load_sound
from voicebot_local.bench.report import write_json
from voicebot_local.bench.stacks import Stack
from voicebot_local.bench.wording import of_figure
from voicebot_local.bench.words import word_errors
from voicebot_local.config import Config, require_stack
from voicebot_local.engines.client import EngineNotice, LocalEngine, StepsDone, running
from voicebot_local.engines.faces import EngineChatModel, EngineRecognizer, EngineSynthesizer
from voicebot_local.engines.steps import TimedStep
from voicebot_local.errors import ConfigError
from voicebot_local.gpu.planning import fitted
from voicebot_local.gpu.supervisor import open_broker
from voicebot_local.providers.base import RECOGNIZER_RATE, Message, ProviderConfig, Samples
from voicebot_local.providers.registry import LOCAL_ENGINES, EngineOptions, choice, local_engine

Stage: TypeAlias = Literal["asr", "llm", "tts"]

TIMES = 3
"""How often each length is measured; the median counts."""
BLOCK = 512
"""Samples in a block that the recognizer is given, as a session gives them."""
STEPS_ARRIVE_S = 0.3
"""The last steps of a call are told after its end."""
PROMPT_WORDS = (25, 50, 100, 200, 400, 800, 1600, 3200)
SPOKEN_WORDS = (2, 5, 10, 20, 40)
TOKENS_A_WORD = 1.6
"""More than a word of plain English takes in any vocabulary, so that prompts fit."""
TEXT = (
    "the old lighthouse stands on a small island near the harbour and every evening its keeper "
    "climbs the narrow stairs with a lamp and a book while the boats come home one after another"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an engine was found to do: a table, and notes under it."""

    stack: str
    engine: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: dict[str, Any]


def print_stage(
    stage: Stage, stacks: Sequence[Stack], source: Path, console: Console, json: Path | None
) -> None:
    """Measure that engine of each stack; raises VoicebotError where it cannot be loaded."""
    findings = []
    for stack in stacks:
        config, _ = fitted(stack.settings())
        require_stack(config)
        finding = anyio.run(_measure, stage, stack.name, config, source)
        console.print(_table(finding))
        findings.append({"stack": finding.stack, "engine": finding.engine, **finding.values})
    if json is not None:
        write_json({"stage": stage, "findings": findings}, json)


def _table(finding: Finding) -> Table:
    table = Table(title=f"{finding.stack}: {finding.engine}", title_justify="left", pad_edge=False)
    for number, column in enumerate(finding.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in finding.rows:
        table.add_row(*row)
    return table


class _Engine:
    """An engine that is loaded, and the steps that it has done."""

    def __init__(self, config: Config, section: ProviderConfig, broker: str) -> None:
        name = str(getattr(section, "provider", ""))
        if name not in LOCAL_ENGINES:
            raise ConfigError(
                f"--stage measures engines on this machine; {name} is none.",
                "Measure the whole stack, without --stage.",
            )
        self.steps: list[TimedStep] = []
        # A broker, for an engine tells its steps only where it shares the device.
        options = EngineOptions(offline=config.session.offline, broker=broker)
        self.engine: LocalEngine = local_engine(choice(section), options, self._on_notice)

    def _on_notice(self, notice: EngineNotice) -> None:
        if isinstance(notice, StepsDone):
            self.steps += notice.steps

    async def took_ms(self, kind: str = "") -> list[float]:
        """What each step of that kind took, or each step."""
        await anyio.sleep(STEPS_ARRIVE_S)
        return [
            (ended - started) * 1000
            for name, _, started, ended in self.steps
            if name == kind or not kind
        ]


async def _measure(stage: Stage, stack: str, config: Config, source: Path) -> Finding:
    async with open_broker(config.gpu, lambda _: None) as broker:
        match stage:
            case "asr":
                engine = _Engine(config, config.recognizer, broker.address)
                return await _recognizer(stack, engine, source)
            case "llm":
                engine = _Engine(config, config.chat, broker.address)
                return await _chat(stack, engine, _context(config))
            case "tts":
                engine = _Engine(config, config.synthesizer, broker.address)
                return await _synthesizer(stack, engine)


def _context(config: Config) -> int:
    return int(getattr(config.chat, "context_tokens", 1024))


async def _recognizer(stack: str, engine: _Engine, source: Path) -> Finding:
    finals: list[float] = []
    heard_s, wrong, words = 0.0, 0, 0
    async with running(engine.engine):
        recognizer = EngineRecognizer(engine.engine)
        for turn in find_turns(source):
            samples = load_sound(turn.path, RECOGNIZER_RATE).samples
            ended: list[float] = []
            text = ""
            async with recognizer.transcribe(_in_real_time(samples, ended)) as transcripts:
                async for transcript in transcripts:
                    text = transcript.text
            finals.append((anyio.current_time() - ended[0]) * 1000)
            heard_s += len(samples) / RECOGNIZER_RATE
            errors = word_errors(turn.transcript, text)
            wrong, words = wrong + errors.errors, words + errors.words
        chunks = await engine.took_ms()
    rows = (
        ("a chunk, ms: p50 / p95 / max", of_figure(figure(chunks))),
        ("chunks", str(len(chunks))),
        ("final after the sound's end, ms", of_figure(figure(finals))),
        ("real-time factor", f"{sum(chunks) / 1000 / heard_s:.3f}"),
        ("words wrong", f"{wrong} of {words}"),
    )
    values = {"chunks_ms": chunks, "finals_ms": finals, "heard_s": heard_s}
    values |= {"words": words, "words_wrong": wrong}
    return Finding(stack, engine.engine.spec.name, ("recognizer", ""), rows, values)


async def _in_real_time(samples: Samples, ended: list[float]) -> AsyncIterator[Samples]:
    """The sound as it would be spoken; when it ended goes to `ended`."""
    start = anyio.current_time()
    for at in range(0, len(samples), BLOCK):
        block = samples[at : at + BLOCK]
        await anyio.sleep_until(start + (at + len(block)) / RECOGNIZER_RATE)
        yield block
    ended.append(anyio.current_time())


async def _chat(stack: str, engine: _Engine, context_tokens: int) -> Finding:
    lengths = [n for n in PROMPT_WORDS if n * TOKENS_A_WORD < context_tokens * 0.8]
    rows: list[tuple[str, ...]] = []
    values: list[dict[str, Any]] = []
    async with running(engine.engine):
        chat = EngineChatModel(engine.engine)
        for length in lengths:
            fresh, again = [], []
            for time in range(TIMES):
                messages = _prompt(length, f"{length} {time}")
                fresh.append(await first_text_ms(chat, messages))
                messages += [Message("assistant", "I see."), Message("user", "And then?")]
                again.append(await first_text_ms(chat, messages))
            fresh_ms, again_ms = statistics.median(fresh), statistics.median(again)
            rows.append((str(length), f"{fresh_ms:.1f}", f"{again_ms:.1f}"))
            values.append({"words": length, "fresh_ms": fresh, "reused_ms": again})
        async with chat.reply([Message("user", "Tell me a long story.")]) as deltas:
            async for _ in deltas:
                pass
        tokens = await engine.took_ms("token")
        most = int(context_tokens * 0.8 / TOKENS_A_WORD)
        spoken = await curve(chat, _words(most), TIMES)
    speed = f"{1000 * len(tokens) / sum(tokens):.0f}" if tokens else "–"
    rows.append((f"{speed} tokens a second", "", ""))
    rows.append(("seconds spoken", "read afterwards, ms", "read while the user speaks, ms"))
    for point in spoken:
        after_ms, ahead_ms = (statistics.median(point[key]) for key in ("after_ms", "ahead_ms"))
        rows.append((str(point["spoken_s"]), f"{after_ms:.1f}", f"{ahead_ms:.1f}"))
    columns = ("words of prompt", "first text, ms", "with its beginning reused, ms")
    found = {"prompts": values, "tokens_ms": tokens, "spoken": spoken}
    return Finding(stack, engine.engine.spec.name, columns, tuple(rows), found)


def _prompt(length: int, nonce: str) -> list[Message]:
    """A conversation of so many words that begins like no other."""
    return [Message("system", f"Talk {nonce}."), Message("user", " ".join(_words(length)))]


def _words(count: int) -> list[str]:
    words = TEXT.split()
    return [words[n % len(words)] for n in range(count)]


async def _synthesizer(stack: str, engine: _Engine) -> Finding:
    rows: list[tuple[str, ...]] = []
    values: list[dict[str, Any]] = []
    async with running(engine.engine):
        synthesizer = EngineSynthesizer(engine.engine)
        for length in SPOKEN_WORDS:
            text = " ".join(_words(length)).capitalize() + "."
            runs = [await _spoken(synthesizer, text) for _ in range(TIMES)]
            first_ms, all_ms, sound_s = (statistics.median(run) for run in zip(*runs, strict=True))
            factor = f"{all_ms / 1000 / sound_s:.3f}" if sound_s else "–"
            rows.append((str(length), f"{first_ms:.1f}", f"{sound_s:.2f}", factor))
            values.append({"words": length, "first_all_ms_sound_s": runs})
    columns = ("words", "first audio, ms", "sound, s", "real-time factor")
    return Finding(stack, engine.engine.spec.name, columns, tuple(rows), {"texts": values})


async def _spoken(synthesizer: EngineSynthesizer, text: str) -> tuple[float, float, float]:
    """Milliseconds to the first audio and to the last, and seconds of sound."""

    async def clauses() -> AsyncIterator[str]:
        yield text

    start = anyio.current_time()
    first_ms, count = 0.0, 0
    async with synthesizer.speak(clauses()) as audio:
        async for chunk in audio:
            if len(chunk.samples) and not count:
                first_ms = (anyio.current_time() - start) * 1000
            count += len(chunk.samples)
    all_ms = (anyio.current_time() - start) * 1000
    return first_ms, all_ms, count / synthesizer.sample_rate
