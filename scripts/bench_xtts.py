"""XTTS by our decoder against the package's own stream, in alternation.

    python -m scripts.bench_xtts [--model DIR] [--device auto] [--precision float32] [--json FILE]
                                 [--profile DIR]

Without a model a tiny one with random weights is made: it costs what its size costs, and what it
says is noise. Each piece is spoken for exactly so many tokens (46 ms each), by A B A B; the medians
count. Both have the weight norm of the vocoder folded, which the package itself never does.

- tokens a second: without the vocoder's time;
- vocoder frames: how many it was given, windows' neighbours included; 93.75 a second are needed;
- operations a token: calls into the tensor library, which cost more than the arithmetic at batch 1;
- the difference from `inference()`, which does not stream: of 40 greedy tokens, in samples.

`--profile` writes, for each of the two, what the operations of 100 tokens and their sound cost.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scripts.profiling import profile
from voicebot_local.providers.tts.xtts import XttsConfig, XttsEngine
from voicebot_local.providers.tts.xtts_decode import Chunks, OwnDecoder
from voicebot_local.providers.tts.xtts_tokens import Sampling

TEXT = "we can go to the old red bar by the sea and sit in the sun all day if you like."
TOKENS = (20, 50, 100, 200, 388)
TOKEN_S = 1024 / 22050
COUNTED = 20
PROFILED = 100
COMPARED = 40

Decoder = Literal["own", "stock"]


class Measured:
    """An engine whose vocoder is watched."""

    def __init__(self, decoder: Decoder, arguments: argparse.Namespace, model: Path) -> None:
        import torch

        self._wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
        settings = {"cuda_graph": not arguments.no_cuda_graph} if decoder == "own" else {}
        config = XttsConfig(
            model=model,
            voice=arguments.voice,
            device=arguments.device,
            threads=arguments.threads,
            precision=arguments.precision if decoder == "own" else "float32",
            decoder=decoder,
            seed=1,
            **settings,
        )
        self.decoder = decoder
        self.engine = XttsEngine(config)
        self.frames = 0
        self.vocoder_s = 0.0
        gpt = self.engine.model.gpt
        gpt.mel_head.bias[gpt.stop_audio_token] = -1e4  # only the limit ends a piece
        vocoder = self.engine.model.hifigan_decoder.waveform_decoder
        vocoder.register_forward_pre_hook(self._before)
        vocoder.register_forward_hook(self._after)

    def _before(self, _: Any, inputs: Any) -> None:
        self._wait()
        self.frames += inputs[0].shape[-1]
        self._began = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self._wait()
        self.vocoder_s += time.perf_counter() - self._began

    def speak(self, tokens: int) -> dict[str, float]:
        """One piece of so many tokens."""
        piece = self.engine._piece(TEXT, tokens)
        self.engine._decoder.seed(1)
        self.frames, self.vocoder_s = 0, 0.0
        cpu, start = time.process_time(), time.perf_counter()
        first_s, samples = 0.0, 0
        for chunk in self.engine._decoder.speak(piece, lambda _: nullcontext()):
            first_s = first_s or time.perf_counter() - start
            samples += len(chunk)
        took_s = time.perf_counter() - start
        return {
            "first_audio_ms": first_s * 1000,
            "took_ms": took_s * 1000,
            "cpu_ms": (time.process_time() - cpu) * 1000,
            "tokens_per_s": tokens / (took_s - self.vocoder_s),
            "vocoder_ms": self.vocoder_s * 1000,
            "vocoder_frames": self.frames,
            "sound_s": samples / 24_000,
        }

    def operations_per_token(self) -> float:
        """Calls into the tensor library for one token more."""
        import torch

        counts = []
        for tokens in (COUNTED, 2 * COUNTED):
            with torch.profiler.profile(acc_events=True) as seen, _unwatched_vocoder(self):
                self.speak(tokens)
            calls = [it.count for it in seen.key_averages() if it.key.startswith("aten::")]
            counts.append(sum(calls))
        return (counts[1] - counts[0]) / COUNTED

    def profile(self, folder: Path) -> None:
        """Write where the time of 100 tokens goes."""
        self.speak(PROFILED)
        device = self.engine.info.device
        title = f"XTTS, {self.decoder}: {PROFILED} tokens and their sound, {device}"
        text = profile(lambda: self.speak(PROFILED), title)
        (folder / f"xtts-{self.decoder}.txt").write_text(text)

    def difference(self) -> float | None:
        """The largest difference of any sample from what `inference()` gives, greedy; None where
        the package cannot compute in this precision."""
        if self.engine.info.details["precision"] != "float32":
            return None
        model, voice = self.engine.model, self.engine._decoder._voice
        piece = self.engine._piece(TEXT, COMPARED)
        greedy = OwnDecoder(model, voice, Sampling(1.0, 1, 1.0, 10.0), Chunks(10, 20))
        streamed = np.concatenate(list(greedy.speak(piece, lambda _: nullcontext())))
        limit, model.gpt.max_gen_mel_tokens = model.gpt.max_gen_mel_tokens, COMPARED
        whole = model.inference(
            piece.text, "en", voice.latents, voice.embedding, top_k=1, repetition_penalty=10.0
        )["wav"]
        model.gpt.max_gen_mel_tokens = limit
        return float(np.abs(streamed - whole).max())


@contextmanager
def _unwatched_vocoder(measured: Measured) -> Iterator[None]:
    """The vocoder gives silence at once: what remains is the token loop."""
    import torch

    vocoder = measured.engine.model.hifigan_decoder.waveform_decoder
    forward = vocoder.forward
    vocoder.forward = lambda x, g=None: torch.zeros(1, 1, x.shape[-1] * 256)  # noqa: ARG005
    try:
        yield
    finally:
        vocoder.forward = forward


def compare(arguments: argparse.Namespace, model: Path) -> dict[str, Any]:
    """All figures, ready for JSON."""
    began = time.perf_counter()
    own = Measured("own", arguments, model)
    load_s = time.perf_counter() - began
    stock = Measured("stock", arguments, model)
    if arguments.profile:
        arguments.profile.mkdir(parents=True, exist_ok=True)
        for measured in (stock, own):
            measured.profile(arguments.profile)
    lengths = []
    for tokens in arguments.tokens:
        runs: dict[str, list[dict[str, float]]] = {"own": [], "stock": []}
        for _ in range(arguments.times):
            for measured in (stock, own):
                runs[measured.decoder].append(measured.speak(tokens))
        medians = {
            name: {key: statistics.median(run[key] for run in found) for key in found[0]}
            for name, found in runs.items()
        }
        lengths.append({"tokens": tokens, "length_s": tokens * TOKEN_S, **medians})
    return {
        "bench": "xtts",
        "device": own.engine.info.device,
        "steps": own.engine.info.details.get("steps", "one by one"),
        "precision": arguments.precision,
        "times": arguments.times,
        "load": os.getloadavg()[0],
        "load_s": load_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "difference_from_inference": own.difference(),
        "operations_per_token": {it.decoder: it.operations_per_token() for it in (own, stock)},
        "lengths": lengths,
    }


def table(found: dict[str, Any]) -> str:
    """The figures as a table in Markdown: stock, ours, and how much better ours is."""
    rows = [
        "| tokens | first audio, ms | tokens/s | vocoder frames | all, ms of CPU |",
        "|---|---|---|---|---|",
    ]
    for length in found["lengths"]:
        own, stock = length["own"], length["stock"]

        def cell(key: str, *, more: bool = False, own: Any = own, stock: Any = stock) -> str:
            better = own[key] / stock[key] if more else stock[key] / own[key]
            return f"{stock[key]:.0f} → {own[key]:.0f} ({better:.1f}×)"

        cells = (
            cell("first_audio_ms"),
            cell("tokens_per_s", more=True),
            cell("vocoder_frames"),
            cell("cpu_ms"),
        )
        rows.append(f"| {length['tokens']} ({length['length_s']:.1f} s) | {' | '.join(cells)} |")
    calls = found["operations_per_token"]
    rows.append(f"\nOperations a token: {calls['stock']:.0f} → {calls['own']:.0f}.")
    if found["difference_from_inference"] is not None:
        rows.append(f"Difference from `inference()`: {found['difference_from_inference']:.1e}.")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="an XTTS directory; without, a tiny one is made")
    parser.add_argument("--voice", default="Test Voice")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--precision", default="float32", help="of ours; stock is float32")
    parser.add_argument("--no-cuda-graph", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if model is None:
            from scripts.make_fixtures.xtts_tiny import make_tiny_xtts

            model = make_tiny_xtts(folder)
        found = compare(arguments, model)
    print(table(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
