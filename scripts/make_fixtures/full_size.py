"""Makes models of the published shapes with random weights: their time and memory, no download.

    python -m scripts.make_fixtures.full_size OUT [MODEL...] [--sparse]

MODEL is one or more of the names below; without any, what a check of a GPU needs: `llama-3.1-8b`,
`xtts-v2`, `fastconformer-115m` and `fastconformer-0.6b`. A model that is there is left alone. Each
takes seconds to a minute, the length of its file on the disk (`--sparse`: chat models without their
weights, for what only looks at the header), and one model's memory at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.make_fixtures.full_size_gguf import SHAPES, made_up_word, write_full_size
from scripts.make_fixtures.tiny_gguf import TEXT
from voicebot_local.paths import CHECKOUT

SPEECH = {
    "xtts-v2": "xtts_v2",
    "fastconformer-115m": "fastconformer-115m.nemo",
    "fastconformer-0.6b": "fastconformer-0.6b.nemo",
}
NEEDED = ("llama-3.1-8b", *SPEECH)
RECORDING = CHECKOUT / "tests" / "data" / "nemo" / "hello.wav"
WRITTEN_SHARE = 0.15
"""Of the recognizer's frames, 80 ms each."""
SPEECH_TOKENS = 60
"""Audio tokens that a random XTTS takes for each text: 2.8 s."""


def file_name(model: str) -> str:
    """What `make` calls the file or directory of a model."""
    return SPEECH.get(model, f"{model}-q4_k_m.gguf")


def make(model: str, folder: Path, *, sparse: bool = False) -> Path:
    """Write one model into `folder`, whole or not at all; returns its file or directory."""
    out = folder / file_name(model)
    if out.exists():
        return out
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as being_made:
        made = Path(being_made) / out.name
        if model in SHAPES:
            write_full_size(made, SHAPES[model], filled=not sparse)
        elif model == "xtts-v2":
            _xtts(made)
        else:
            _fastconformer(model, made)
        made.rename(out)
    return out


def _xtts(directory: Path) -> None:
    from scripts.make_fixtures.xtts_tiny import TinyShape, make_tiny_xtts

    shape = TinyShape(
        width=1024,
        layers=30,
        heads=16,
        codes=1024,
        most_tokens=602,
        speech_tokens=SPEECH_TOKENS,
        text_tokens=6681,
        published_vocoder=True,
    )
    make_tiny_xtts(directory, shape)


def _fastconformer(model: str, file: Path) -> None:
    from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    use_torchaudio_without_cuda()
    from nemo.utils import logging as nemo_log

    nemo_log.setLevel(logging.ERROR)
    from scripts.make_fixtures.asr.model import Size, build, train_tokenizer

    # Shapes: the model cards of the two that the profiles name; see gpu/shapes.toml.
    large = model == "fastconformer-0.6b"
    size = Size(
        width=1024 if large else 512,
        layers=24 if large else 17,
        heads=8,
        channels=256,
        hidden=640,
        rows=2 if large else 1,
        positions=5000,
    )
    out = file.resolve()
    # A .nemo file names the tokenizer's folder as it was given: a relative one.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        words = [made_up_word(number * 17 + 1).strip(",.") for number in range(4000)]
        train_tokenizer([TEXT, *words], Path("tokenizer"), pieces=1024)
        model = build("rnnt" if large else "hybrid", Path("tokenizer"), size)
        _mostly_blank(model)
        model.save_to(str(out))


def _mostly_blank(model: Any) -> None:
    """Let it write about as much as people say: with fresh weights it writes without a pause.

    Blank is raised until it wins in all but a share of the frames, whatever was written last.
    """
    import soundfile
    import torch

    speech, _ = soundfile.read(RECORDING, dtype="float32")
    sound = torch.from_numpy(speech)[None]
    model.eval()
    with torch.inference_mode():
        mel, lengths = model.preprocessor(input_signal=sound, length=torch.tensor([sound.shape[1]]))
        frames, _ = model.encoder(audio_signal=mel, length=lengths)
        written = torch.arange(0, model.joint.num_classes_with_blank - 1, 40)[:, None]
        said, _ = model.decoder.predict(written, None, add_sos=False, batch_size=len(written))
        scores = model.joint.joint(frames.transpose(1, 2).expand(len(written), -1, -1), said)
        over = scores[..., :-1].amax(-1) - scores[..., -1]
    with torch.no_grad():
        model.joint.joint_net[-1].bias[-1] += over.flatten().quantile(1 - WRITTEN_SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the directory")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join([*SHAPES, *SPEECH]))
    parser.add_argument("--sparse", action="store_true")
    options = parser.parse_args()
    unknown = set(options.models) - {*SHAPES, *SPEECH}
    if unknown:
        parser.error(f"there is no model {', '.join(sorted(unknown))}")
    if len(options.models) == 1:
        began = time.monotonic()
        out = make(options.models[0], options.out, sparse=options.sparse)
        print(f"{out}: {_size(out) / 1e9:.2f} GB, {time.monotonic() - began:.0f} s", flush=True)
        return
    for model in options.models or NEEDED:  # Each in a process, which gives its memory back.
        command = [sys.executable, "-m", "scripts.make_fixtures.full_size", str(options.out), model]
        subprocess.run([*command, *["--sparse"] * options.sparse], check=True)


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.iterdir()
    return sum(file.stat().st_blocks * 512 for file in files)


if __name__ == "__main__":
    main()
