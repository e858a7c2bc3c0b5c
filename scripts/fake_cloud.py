#!/usr/bin/env python3
"""A SIMULATED cloud: servers on this machine that speak like AssemblyAI, OpenAI, ElevenLabs and
Cartesia, so that `--backend hosted` and the bench run without an account.

    .venv/bin/python scripts/fake_cloud.py                 then, elsewhere:
    voicebot-local run --backend hosted --config .cache/fake-cloud.toml

What it understands is a list of sentences (or what the starter recognizer makes of the audio), what
it answers is made up, its voice is espeak's or a tone. Only its latencies are like the services':
their published medians, unless you say others. Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers.assemblyai import RATE, AssemblyAIServer, Hears, listed  # noqa: E402
from tests.servers.cartesia import CartesiaServer  # noqa: E402
from tests.servers.elevenlabs import ElevenLabsServer  # noqa: E402
from tests.servers.openai import OpenAIServer  # noqa: E402
from tests.servers.script import Script, Spoken, tone  # noqa: E402

ASR_MS, LLM_MS, TTS_MS = 256.0, 536.0, 288.0
"""Medians that are published: AssemblyAI universal-streaming, gpt-4.1, ElevenLabs Flash v2.5."""
SENTENCES = ("what can you do", "tell me a long story", "thank you that is all")
STORY = (
    "This is the simulated cloud speaking. I was asked to {asked}. Once upon a time there was a "
    "small machine that listened to people all day long. It never grew tired, and it never forgot "
    "a word. One evening somebody interrupted it, and from then on it remembered exactly how much "
    "of its story had been heard."
)


def answers(reply: str) -> Callable[[list[dict[str, str]]], str]:
    """A made-up reply; "{asked}" in it is what was asked."""

    def answer(messages: list[dict[str, str]]) -> str:
        return reply.replace("{asked}", messages[-1]["content"].strip(" .?!")[:80] or "say nothing")

    return answer


def espeak() -> Spoken:
    """The starter's voice, or a tone where it is not installed."""
    if find_spec("espeakng_loader") is None:
        return tone
    import numpy as np
    import soxr

    from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

    engine = EspeakEngine(EspeakConfig())
    made: dict[tuple[str, int], bytes] = {}

    def spoken(text: str, rate: int) -> bytes:
        if (text, rate) not in made:
            parts = [it.samples for it in engine.speak(iter([text]), _no_steps)]
            samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
            samples = soxr.resample(samples, engine.info.sample_rate, rate)
            made[text, rate] = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        return made[text, rate]

    return spoken


def starter_ears() -> Callable[[], Hears]:
    """The starter's recognizer; it listens when the utterance is over."""
    import numpy as np

    from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig, PocketsphinxEngine

    engine = PocketsphinxEngine(PocketsphinxConfig())

    def hears(audio: Any, ended: bool) -> str:
        if not ended:
            return ""
        samples = audio.astype(np.float32) / 32768
        blocks = (samples[at : at + RATE // 10] for at in range(0, len(samples), RATE // 10))
        *_, last = engine.transcribe(blocks, _no_steps)
        return last.text

    return lambda: hears


@contextmanager
def _no_steps(kind: str) -> Iterator[None]:  # noqa: ARG001
    """Nobody shares the processor with these engines."""
    yield


class _Written(list[Any]):
    """A list whose elements are also written to a file, as the JSON that `told` makes of them."""

    def __init__(self, file: Path, told: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__()
        self._file = file
        self._told = told

    def append(self, element: Any) -> None:
        super().append(element)
        if line := self._told(element):
            with self._file.open("a") as lines:
                lines.write(json.dumps(line) + "\n")


def _request(seen: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    path, body = seen
    return {"path": path, **body} if body else {}


def _served(stage: str, answered: tuple[float, float]) -> dict[str, Any]:
    asked_s, answered_s = answered
    return {"stage": stage, "asked_s": asked_s, "answered_s": answered_s}


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--asr-ms", type=float, default=ASR_MS, help="end of speech to final transcript")
    add("--llm-ms", type=float, default=LLM_MS, help="request to first token")
    add("--tts-ms", type=float, default=TTS_MS, help="first clause to first audio")
    add("--token-ms", type=float, default=15.0, help="between two words of a reply")
    add(
        "--hear",
        choices=["list", "starter"],
        default="list",
        help="what is understood; the starter's recognizer takes its own time",
    )
    add("--sentence", action="append", help="one of the list; again for the next")
    add("--reply", default=STORY, help='what is answered; "{asked}" is what was asked')
    add("--voice", choices=["elevenlabs", "cartesia"], default="elevenlabs")
    add("--config", type=Path, default=ROOT / ".cache" / "fake-cloud.toml", help="written anew")
    add("--requests", type=Path, help="write each chat request to this file, a JSON line each")
    add(
        "--served",
        type=Path,
        help="write to this file when each first answer was asked for and when given",
    )
    return parser.parse_args()


async def serve(chosen: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    spoken = espeak()
    sentences = tuple(chosen.sentence or SENTENCES)
    ears = starter_ears() if chosen.hear == "starter" else lambda: listed(sentences)
    voice = ElevenLabsServer if chosen.voice == "elevenlabs" else CartesiaServer
    heard = Script(first_s=chosen.asr_ms / 1000)
    thoughts = Script(first_s=chosen.llm_ms / 1000, pace_s=chosen.token_ms / 1000)
    said = Script(first_s=chosen.tts_ms / 1000)
    if chosen.requests is not None:
        chosen.requests.write_text("")
        thoughts.seen = _Written(chosen.requests, _request)
    if chosen.served is not None:
        chosen.served.write_text("")
        for stage, script in (("asr", heard), ("llm", thoughts), ("tts", said)):
            script.answered = _Written(chosen.served, partial(_served, stage))
    async with AsyncExitStack() as servers:
        enter = servers.enter_async_context
        hearing = await enter(AssemblyAIServer(heard, ears).running())
        thinking = await enter(OpenAIServer(thoughts, answers(chosen.reply)).running())
        speaking = await enter(voice(said, spoken).running())
        chosen.config.parent.mkdir(parents=True, exist_ok=True)
        chosen.config.write_text(
            "# Written by scripts/fake_cloud.py: SIMULATED services on this machine.\n"
            'backend = "hosted"\n\n'
            f'[recognizer]\nbase_url = "{hearing}"\nidle_close_s = 0\n\n'
            f'[chat]\nbase_url = "{thinking}"\ndialect = "openai"\n\n'
            f'[synthesizer]\nprovider = "{chosen.voice}"\nbase_url = "{speaking}"\n\n'
            "[session]\noffline = true\n"
        )
        print(
            "SIMULATED cloud: no service is asked, nothing leaves this machine. Latencies: "
            f"recognizer {chosen.asr_ms:g} ms, chat {chosen.llm_ms:g} ms, "
            f"voice {chosen.tts_ms:g} ms.\n"
            f"Ready: voicebot-local run --backend hosted --config {chosen.config}",
            flush=True,
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(serve(options()))
    except KeyboardInterrupt:
        sys.exit(130)
