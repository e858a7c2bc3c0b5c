"""NeMo streaming: our step against the library's own streaming call, in alternation.

    python -m scripts.bench_nemo [--model FILE] [--device auto] [--lookahead-ms 80] [--json FILE]

Stock is what NeMo's own example of cache-aware streaming does: `CacheAwareStreamingAudioBuffer` and
`conformer_stream_step`. Both hear the same recording at the same chunk size, as fast as they can;
the first chunk of an utterance, which allocates, is left out of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from voicebot_local.paths import CHECKOUT
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

DATA = CHECKOUT / "tests" / "data"
LAST = 2
"""Chunks after the end of speech are not of the usual length."""


class Ours:
    """The engine, each of whose steps is timed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.engine = NemoEngine(
            NemoConfig(
                model=arguments.model,
                device=arguments.device,
                precision=arguments.precision,
                lookahead_ms=arguments.lookahead_ms,
                threads=arguments.threads,
            )
        )
        self._took: list[float] = []

    def hear(self, samples: Samples) -> list[float]:
        """Seconds of each chunk."""
        self._took = []
        for _ in self.engine.transcribe(iter([samples]), self._step):
            pass
        return self._took

    @contextmanager
    def _step(self, _: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        _wait()
        self._took.append(time.perf_counter() - began)


class Stock:
    """The library's own loop, on the same model in memory."""

    def __init__(self, ours: Ours) -> None:
        self._model = ours.engine._model.nemo

    def hear(self, samples: Samples) -> list[float]:
        """Seconds of each chunk, features included, as in ours."""
        import torch
        from nemo.collections.asr.parts.utils.streaming_utils import CacheAwareStreamingAudioBuffer

        model = self._model
        took: list[float] = []
        buffer = CacheAwareStreamingAudioBuffer(model, pad_and_drop_preencoded=True)
        began = time.perf_counter()
        buffer.append_audio(samples, stream_id=-1)
        features_s = time.perf_counter() - began
        caches = list(model.encoder.get_initial_cache_state(batch_size=1))
        hypotheses: Any = None
        drawn: Any = None
        drop = model.encoder.streaming_cfg.drop_extra_pre_encoded
        with torch.inference_mode():
            for number, (chunk, lengths) in enumerate(buffer):
                began = time.perf_counter()
                drawn, _, *caches, hypotheses = model.conformer_stream_step(
                    processed_signal=chunk,
                    processed_signal_length=lengths,
                    cache_last_channel=caches[0],
                    cache_last_time=caches[1],
                    cache_last_channel_len=caches[2],
                    keep_all_outputs=buffer.is_buffer_empty(),
                    previous_hypotheses=hypotheses,
                    previous_pred_out=drawn,
                    drop_extra_pre_encoded=drop if number else 0,
                    return_transcription=True,
                )
                _wait()
                took.append(time.perf_counter() - began)
        model.encoder.streaming_cfg.drop_extra_pre_encoded = drop
        return [one + features_s / max(1, len(took)) for one in took]


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures, ready for JSON; times in ms."""
    speech, rate = soundfile.read(arguments.sound, dtype="float32")
    assert rate == RECOGNIZER_RATE
    samples = np.tile(speech, max(1, round(arguments.seconds * rate / len(speech))))
    began = time.perf_counter()
    ours = Ours(arguments)
    load_s = time.perf_counter() - began
    arms: dict[str, Ours | Stock] = {"stock": Stock(ours), "ours": ours}
    for arm in arms.values():
        arm.hear(samples[: 3 * rate])
    chunks: dict[str, list[float]] = {name: [] for name in arms}
    pairs = []
    for _ in range(arguments.times):
        medians = {}
        for name, arm in arms.items():
            took = arm.hear(samples)[1:-LAST]
            chunks[name] += took
            medians[name] = statistics.median(took)
        pairs.append(medians["stock"] / medians["ours"])
    info = ours.engine.info
    chunk_s = float(info.details["chunk_ms"]) / 1000
    found: dict[str, Any] = {
        "bench": "nemo",
        "device": info.device,
        "model": info.details["model"],
        "precision": info.details["precision"],
        "chunk_ms": info.details["chunk_ms"],
        "load_s": load_s,
        "machine_load": os.getloadavg()[0],
    }
    for name, took in chunks.items():
        ordered = sorted(took)
        found[f"{name}_ms"] = statistics.median(took) * 1000
        found[f"{name}_p95_ms"] = ordered[len(ordered) * 95 // 100] * 1000
        found[f"{name}_real_time_factor"] = statistics.mean(took) / chunk_s
    return found | {"stock_over_ours": statistics.median(pairs), "pairs": pairs}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=DATA / "nemo_tiny.nemo")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--lookahead-ms", type=int, default=80)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of sound, each time")
    parser.add_argument("--sound", type=Path, default=DATA / "nemo" / "hello.wav")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = compare(arguments)
    for key, value in found.items():
        print(f"{key:28} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
