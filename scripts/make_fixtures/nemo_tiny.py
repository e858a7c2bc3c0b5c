"""Make `tests/data/nemo_tiny.nemo`: a recognizer small enough to commit, good enough to check.

    python -m scripts.make_fixtures.nemo_tiny [--steps N] [--out FILE]

Needs the `local` extra and the `espeak-ng` command. Takes about 20 minutes of one core
(`OMP_NUM_THREADS=1`). It knows the sentences in `asr/speech.py` and no others. What it reaches on
voices that it was not trained on is printed by `python -m scripts.make_fixtures.asr.evaluate`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import tempfile
from pathlib import Path

from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

_OUT = Path(__file__).parents[2] / "tests" / "data" / "nemo_tiny.nemo"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2600, help="training batches of 16 utterances")
    parser.add_argument("--takes", type=int, default=48, help="training utterances a sentence")
    parser.add_argument("--out", type=Path, default=_OUT)
    asked = parser.parse_args()

    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    use_torchaudio_without_cuda()
    import torch
    from nemo.utils import logging as nemo_log

    nemo_log.setLevel(logging.ERROR)
    from .asr.model import build, train_tokenizer
    from .asr.speech import SENTENCES, training_set
    from .asr.train import train

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(0)
    out: Path = asked.out.resolve()
    spoken = training_set(asked.takes)
    print(f"{len(spoken)} training utterances", flush=True)
    # A .nemo file names the tokenizer's folder as it was given: a relative one says nothing of
    # the machine that made it.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        train_tokenizer(SENTENCES * 3, Path("tokenizer"))
        model = build("hybrid", Path("tokenizer"))
        print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
        train(model, spoken, asked.steps)
        model.save_to(str(out))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
