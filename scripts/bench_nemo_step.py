"""NeMo's recognizer by our streaming step against the library's own, in alternation.

    python -m scripts.bench_nemo_step [--model FILE] [--decoder rnnt] [--minutes 60] [--json FILE]
                                      [--profile DIR]

Both get the same mel frames; the library's step is `conformer_stream_step`, once a chunk, as
its documentation says. Figures are for one chunk, its mel frames included: time by the clock and
of the processor. `--minutes` then lets ours run through so much speech as one utterance, and says
what a chunk costs in each minute; for `--decoder ctc` the library decodes all that was said again
for each chunk, so its curve is measured too, for as long as `--stock-minutes`. `--profile` writes,
for each of the two, what the operations of one recording cost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from scripts.profiling import profile
from voicebot_local.paths import CHECKOUT
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine, _Utterance
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

EXAMPLES = CHECKOUT / "examples"
TINY = CHECKOUT / "tests" / "data" / "nemo_tiny.nemo"


class Own(_Utterance):
    """Our step, timed."""

    def __init__(self, engine: NemoEngine) -> None:
        super().__init__(engine._model, engine._decoder)
        self.took: list[tuple[float, float]] = []
        self.last: tuple[float, float] | None = None
        """The step after the end of the audio, where there was one."""
        self._engine = engine

    @property
    def text(self) -> str:
        return self.said.text

    def step(self) -> None:
        _wait(self._engine)
        start, cpu = time.perf_counter(), time.process_time()
        super().step()
        _wait(self._engine)
        self.took.append((time.perf_counter() - start, time.process_time() - cpu))


class Stock(Own):
    """The library's step, on the same mel frames, timed."""

    def __init__(self, engine: NemoEngine) -> None:
        super().__init__(engine)
        self._said = ""
        self._carried: tuple[Any, Any, list[Any]] | None = None

    @property
    def text(self) -> str:
        return self._said

    def step(self) -> None:
        import torch

        model = self._engine._model
        count = self.mel.ready if self.mel.ended else self._sizes.new
        _wait(self._engine)
        start, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            mel = self._with_old(self.mel.take(count))
            if self._carried is None:
                self._carried = (None, None, model.new_caches())
            hypothesis, predicted, caches = self._carried
            predicted, texts, *caches, hypothesis = model.nemo.conformer_stream_step(
                processed_signal=mel,
                processed_signal_length=torch.tensor([mel.shape[2]], device=model.device),
                cache_last_channel=caches[0],
                cache_last_time=caches[1],
                cache_last_channel_len=caches[2],
                keep_all_outputs=self.mel.ended,
                previous_hypotheses=hypothesis,
                previous_pred_out=predicted,
                drop_extra_pre_encoded=self._sizes.drop,
                return_transcription=True,
            )
        _wait(self._engine)
        self.took.append((time.perf_counter() - start, time.process_time() - cpu))
        self._carried = (hypothesis, predicted, caches)
        self._said = getattr(texts[0], "text", texts[0])
        self._sizes = model.chunk_sizes(first=False)


def _wait(engine: NemoEngine) -> None:
    if engine._model.device.type == "cuda":
        import torch

        torch.cuda.synchronize()


def run(utterance: Own, samples: Samples) -> list[tuple[float, float]]:
    """One recording, chunk by chunk; seconds by the clock and of the processor for each."""
    utterance.mel.add(samples)
    while utterance.has_chunk:
        utterance.step()
    utterance.mel.end()
    if utterance.mel.ready > 0:
        utterance.step()
        utterance.last = utterance.took[-1]
    return utterance.took


def recordings(folder: Path) -> list[Samples]:
    found = [soundfile.read(path, dtype="float32") for path in sorted(folder.glob("*.wav"))]
    return [samples for samples, rate in found if rate == RECOGNIZER_RATE and samples.ndim == 1]


def compare(engine: NemoEngine, sounds: list[Samples], times: int) -> dict[str, Any]:
    """What a chunk costs, each recording by A B A B."""
    took: dict[str, list[tuple[float, float]]] = {"stock": [], "own": []}
    last: dict[str, list[tuple[float, float]]] = {"stock": [], "own": []}
    same = 0
    for number in range(times):
        for samples in sounds:
            stock, own = Stock(engine), Own(engine)
            pair = (("stock", stock), ("own", own))
            for name, utterance in pair if number % 2 else pair[::-1]:
                took[name] += run(utterance, samples)
                last[name] += [utterance.last] if utterance.last else []
            same += stock.text.split() == own.text.split()
    figures: dict[str, Any] = {"same_text": same, "recordings": times * len(sounds)}
    for name, found in took.items():
        figures[name] = {
            "chunks": len(found),
            **spread(found, "chunk"),
            **spread(last[name], "last"),
        }
    return figures


def spread(found: list[tuple[float, float]], what: str) -> dict[str, float]:
    """Milliseconds by the clock, and of the processor, of all chunks or of the last ones."""
    clock, cpu = ([1000 * one[at] for one in found] for at in (0, 1))
    return {
        f"{what}_ms": statistics.median(clock),
        f"{what}_p95_ms": float(np.percentile(clock, 95)),
        f"{what}_cpu_ms": statistics.mean(cpu),
        f"{what}_cpu_p50_ms": statistics.median(cpu),
        f"{what}_cpu_p95_ms": float(np.percentile(cpu, 95)),
    }


def endless(sounds: list[Samples]) -> Iterator[Samples]:
    pause = np.zeros(RECOGNIZER_RATE // 2, np.float32)
    for samples in cycle(sounds):
        yield samples
        yield pause


def by_minute(utterance: Own, sounds: list[Samples], minutes: float) -> list[dict[str, float]]:
    """Processor and clock milliseconds of a chunk, minute by minute of one utterance."""
    found = []
    for samples in endless(sounds):
        utterance.mel.add(samples)
        while utterance.has_chunk:
            utterance.step()
        minute = utterance.mel.samples / RECOGNIZER_RATE / 60
        if minute >= len(found) + 1:
            clock, cpu = ([1000 * one[at] for one in utterance.took] for at in (0, 1))
            found.append(
                {
                    "minute": len(found) + 1,
                    "chunk_cpu_ms": statistics.mean(cpu),
                    "chunk_ms": statistics.median(clock),
                }
            )
            utterance.took.clear()
        if minute >= minutes:
            break
    return found


def write_profiles(engine: NemoEngine, samples: Samples, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (("stock", Stock), ("own", Own)):
        run(kind(engine), samples)
        took: list[int] = []
        found = profile(
            lambda kind=kind, took=took: took.append(len(run(kind(engine), samples))), ""
        )
        chunk_ms = engine.info.details["chunk_ms"]
        title = f"NeMo, {name} step, {engine._decoder}: {took[0]} chunks of {chunk_ms} ms"
        (folder / f"nemo-{name}.txt").write_text(title + found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=TINY)
    parser.add_argument("--sounds", type=Path, default=EXAMPLES, help="a folder of 16 kHz WAV")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--decoder", choices=("auto", "rnnt", "ctc"), default="auto")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--lookahead-ms", type=int, default=80)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--stock-minutes", type=float, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path, metavar="DIR", help="where the time goes")
    options = parser.parse_args()
    config = NemoConfig(
        model=options.model.absolute(),
        device=options.device,
        decoder=options.decoder,
        precision=options.precision,
        lookahead_ms=options.lookahead_ms,
        threads=options.threads,
        fast_start=False,  # The library's step is that of its whole model.
    )
    start = time.perf_counter()
    engine = NemoEngine(config)
    load_s = time.perf_counter() - start
    if hasattr(engine._model.nemo, "ctc_decoder"):
        engine._model.nemo.change_decoding_strategy(decoder_type=engine._decoder, verbose=False)
    sounds = recordings(options.sounds)
    if options.profile:
        write_profiles(engine, sounds[0], options.profile)
        return
    found = {
        "bench": "nemo",
        "device": engine.info.device,
        "decoder": engine._decoder,
        "chunk_s": float(engine.info.details["chunk_ms"]) / 1000,
        "load_s": load_s,
        "load": os.getloadavg()[0],
        **compare(engine, sounds, options.times),
        "by_minute": by_minute(Own(engine), sounds, options.minutes) if options.minutes else [],
        "stock_by_minute": (
            by_minute(Stock(engine), sounds, options.stock_minutes) if options.stock_minutes else []
        ),
    }
    stock, own = found["stock"], found["own"]
    for key in (key for key in own if key.endswith("_ms")):
        print(f"{key}: {stock[key]:.2f} -> {own[key]:.2f} ({stock[key] / own[key]:.2f}x)")
    print(f"the same text in {found['same_text']} of {found['recordings']} recordings")
    if found["by_minute"]:
        first, last = found["by_minute"][0], found["by_minute"][-1]
        print(f"cpu of a chunk: minute 1 {first['chunk_cpu_ms']:.2f} ms, last {last}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
