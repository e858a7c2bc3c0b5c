"""Word error rate of the small recognizer on voices it was not trained on, through the engine.

    python -m scripts.make_fixtures.asr.evaluate [MODEL]

Every held-out utterance is streamed in blocks of 20 ms with 0.3 s of silence around it, at each
lookahead with each decoder. Exits with 1 where RNN-T is wrong in more than 3 % of the words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine

from .speech import RATE, Spoken, held_out_set

MODEL = Path(__file__).parents[3] / "tests" / "data" / "nemo_tiny.nemo"
LOOKAHEADS_MS = (0, 80, 480, 1040)
_HIGHEST_RATE = 0.03
_BLOCK = RATE // 50
_MARGIN_S = 0.3


@dataclass
class Clock:
    """Times each step of the engine, in CPU seconds."""

    chunks_s: list[float] = field(default_factory=list)

    @contextmanager
    def __call__(self, _kind: str) -> Iterator[None]:
        began = process_time()
        yield
        self.chunks_s.append(process_time() - began)


def word_errors(said: str, heard: str) -> int:
    """The fewest words to insert, delete or replace to get from one text to the other."""
    heard_words = heard.split()
    row = list(range(len(heard_words) + 1))
    for i, wanted in enumerate(said.split(), 1):
        corner, row[0] = row[0], i
        for j, got in enumerate(heard_words, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (wanted != got))
    return row[-1]


def with_margins(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    silence = np.zeros(int(_MARGIN_S * RATE), np.float32)
    return np.concatenate((silence, samples, silence))


def recognize(engine: NemoEngine, samples: NDArray[np.float32], clock: Clock) -> str:
    blocks = (samples[i : i + _BLOCK] for i in range(0, len(samples), _BLOCK))
    *_, final = engine.transcribe(blocks, clock)
    return final.text


def _evaluate(engine: NemoEngine, spoken: Sequence[Spoken]) -> float:
    clock = Clock()
    errors = words = exact = 0
    length_s = 0.0
    for utterance in spoken:
        samples = with_margins(utterance.samples)
        heard = recognize(engine, samples, clock)
        wrong = word_errors(utterance.take.text, heard)
        errors, words = errors + wrong, words + len(utterance.take.text.split())
        exact, length_s = exact + (wrong == 0), length_s + len(samples) / RATE
        if wrong:
            print(f"    {utterance.take.voice:20} {utterance.take.text!r} heard as {heard!r}")
    p50, p99 = np.percentile(clock.chunks_s, (50, 99)) * 1000
    about = engine.info.details
    print(
        f"{about['decoder']:4} {about['lookahead_ms']:4} ms  WER {errors / words:6.2%}"
        f"  exact {exact}/{len(spoken)}  CPU s/s {sum(clock.chunks_s) / length_s:.3f}"
        f"  chunk p50 {p50:.1f} ms p99 {p99:.1f} ms",
        flush=True,
    )
    return errors / words


def main() -> None:
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL
    spoken = held_out_set()
    good = True
    for decoder in ("rnnt", "ctc"):
        engine = NemoEngine(NemoConfig(model=model, device="cpu", decoder=decoder, threads=1))
        for lookahead_ms in LOOKAHEADS_MS:
            engine.look_ahead(lookahead_ms)
            rate = _evaluate(engine, spoken)
            good = good and (decoder == "ctc" or rate <= _HIGHEST_RATE)
    sys.exit(not good)


if __name__ == "__main__":
    main()
