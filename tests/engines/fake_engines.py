"""Small engines without a model: what they do and how they fail is set in their configuration."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from voicebot_local.engines.client import EngineSpec
from voicebot_local.errors import ModelError
from voicebot_local.events import Stage
from voicebot_local.providers.base import (
    EngineInfo,
    Message,
    ProviderConfig,
    Samples,
    SpokenAudio,
    Steps,
    TextDelta,
    Transcript,
    Word,
)

RATE = 8_000


class OutOfMemoryError(RuntimeError):
    """Looks like torch's own, which the worker must know without importing torch."""


OutOfMemoryError.__module__ = "torch"


class FakeConfig(ProviderConfig):
    provider: Literal["fake"] = "fake"
    load: Literal["", "fail", "crash", "hang", "bug"] = ""
    load_after: Path | None = None
    """Loading takes until this file is there."""
    load_once: Path | None = None
    """With `load`: loads well while this file is missing, and makes it."""
    step_s: float = 0.0
    finals: int = 1


class Fake:
    """What the three have in common: a way to load, and words that make them misbehave."""

    rate = 0

    def __init__(self, config: FakeConfig) -> None:
        print("garbage on standard output")
        sys.stderr.write("progress 10 %\rprogress 100 %\n")
        self.info = EngineInfo("cpu", self.rate, {"thread": threading.get_ident()})
        self.step_s = config.step_s
        self.finals = config.finals
        while config.load_after is not None and not config.load_after.exists():
            time.sleep(0.01)
        once = config.load_once
        if once is not None and not once.exists():
            once.touch()
            return
        match config.load:
            case "fail":
                raise ModelError("the model is not there", "get it")
            case "bug":
                raise KeyError("a bug")
            case "crash":
                os._exit(3)
            case "hang":
                while True:
                    time.sleep(0.01)

    def do(self, word: str) -> None:
        """What an order like "crash" says; of any other word, nothing."""
        assert threading.get_ident() == self.info.details["thread"], "not in the owner thread"
        match word:
            case "crash":
                sys.stderr.write("these are its last words\n")
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "fork":
                subprocess.Popen(["sleep", "3600"])
            case "corrupt":
                for fd in range(3, 9):  # one of them is the pipe to the program
                    with suppress(OSError):
                        os.write(fd, b"\xff" * 100)
            case "connect":
                socket.create_connection(("192.0.2.1", 80), 1).close()
            case "print":
                os.write(1, b"\x00garbage from native code\xff" * 1000)
            case "bug":
                raise ZeroDivisionError("division by zero\nand more lines")
            case "memory":
                raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            case "lost":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def work(self, steps: Steps) -> None:
        with steps("token"):
            time.sleep(self.step_s)


class FakeRecognizer(Fake):
    """The transcript is how many samples came, and how often their sum passed an integer."""

    def transcribe(self, audio: Iterator[Samples], steps: Steps) -> Iterator[Transcript]:
        count, total = 0, 0.0
        for block in audio:
            assert block.dtype == np.float32
            block += 0.0  # it may be written to
            self.work(steps)
            count += len(block)
            total += float(block.sum())
            yield Transcript(f"{count}", False)
        words = (Word(f"{count}", 0.0, count / 16_000),) if count else ()
        for _ in range(self.finals):
            yield Transcript(f"{count} {total:.0f}" if count else "", True, words, 0.5)


class FakeChat(Fake):
    """Says the last message again, word by word; "count N" counts; orders are obeyed."""

    def reply(self, messages: Sequence[Message], steps: Steps) -> Iterator[TextDelta]:
        *_, last = messages
        order, _, rest = last.content.partition(" ")
        words = (
            (str(n) for n in range(int(rest))) if order == "count" else iter(last.content.split())
        )
        for word in words:
            self.work(steps)
            self.do(word)
            yield TextDelta(word + " ")

    def prefill(self, messages: Sequence[Message], steps: Steps) -> None:
        for word in messages[-1].content.split():
            self.work(steps)
            self.do(word)


class FakeSynthesizer(Fake):
    """Each letter is one sample, its code point; "long N" is N samples in one piece."""

    rate = RATE

    def speak(self, clauses: Iterator[str], steps: Steps) -> Iterator[SpokenAudio]:
        for number, clause in enumerate(clauses):
            if not clause:
                continue
            self.do(clause)
            order, _, rest = clause.partition(" ")
            if order == "long":
                yield SpokenAudio(np.arange(int(rest), dtype=np.float32), number)
                continue
            words = tuple(Word(w, n / RATE, (n + 1) / RATE) for n, w in enumerate(clause.split()))
            for letter in clause:
                self.work(steps)
                yield SpokenAudio(np.array([ord(letter)], np.float32), number, words)
                words = ()


_CLASSES: dict[Stage, str] = {
    "recognizer": "FakeRecognizer",
    "chat": "FakeChat",
    "synthesizer": "FakeSynthesizer",
}


def fake(stage: Stage, **config: object) -> EngineSpec:
    """The spec of the fake engine of a stage."""
    here = "tests.engines.fake_engines"
    return EngineSpec(
        stage, "fake", f"{here}:{_CLASSES[stage]}", f"{here}:FakeConfig", FakeConfig(**config)
    )
