"""Makes `tests/data/nemo/`: recordings in held-out voices, and what was said in `expected.json`.

    python -m scripts.make_fixtures.asr.recordings

Tests hold the small recognizer to these texts in every one of its modes. It is not perfect on all
held-out speech (`evaluate.py` says how good it is); of the takes below each is one it gets right.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .evaluate import with_margins
from .speech import RATE, SENTENCES, Take, as_wav, speak

_FOLDER = Path(__file__).parents[3] / "tests" / "data" / "nemo"
_PAUSE_S = 0.7

_SAID = {
    "timer.wav": ("en-us+m7", 165, 50, ("set a timer for ten minutes",)),
    "kitchen.wav": ("en-gb+f4", 165, 50, ("turn on the kitchen light",)),
    "joke.wav": ("en-us+f4", 185, 50, ("tell me a joke",)),
    "shopping.wav": ("en-us+m6", 165, 65, ("add milk and eggs to my shopping list",)),
    "hello.wav": ("en-gb-x-rp+m7", 165, 50, ("hello computer", "what can you do")),
    "goodbye.wav": ("en-gb-scotland+f5", 135, 50, ("thank you", "good night")),
}


def main() -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    pause = np.zeros(int(_PAUSE_S * RATE), np.float32)
    for name, (voice, speed, pitch, sentences) in _SAID.items():
        audio = [pause]
        for sentence in sentences:
            take = Take(SENTENCES.index(sentence), voice, speed, pitch)
            audio += [speak(take).samples, pause]
        (_FOLDER / name).write_bytes(as_wav(with_margins(np.concatenate(audio[1:-1]))))
    expected = {name: " ".join(said[3]) for name, said in _SAID.items()}
    (_FOLDER / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
