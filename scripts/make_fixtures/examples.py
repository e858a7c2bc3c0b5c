"""Make the recordings of `examples/`: user turns of a short conversation, by three voices.

    python -m scripts.make_fixtures.examples

The same files every time. What is said and what to expect is in `examples/conversation.toml`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import soundfile

from scripts.make_fixtures.spoken import spoken

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def main() -> None:
    turns = tomllib.loads((EXAMPLES / "conversation.toml").read_text())["turn"]
    for seed, turn in enumerate(turns):
        rate, channels = turn["rate"], turn["channels"]
        samples = spoken(turn["transcript"], turn["voice"], rate, seed)
        sound = np.repeat(samples[:, None], channels, axis=1)
        # As from a pair of microphones: the second is farther away.
        sound *= np.array([1.0, 0.7])[:channels]
        path = EXAMPLES / turn["file"]
        soundfile.write(path, sound, rate, subtype="PCM_16")
        print(f"{path.name}: {len(samples) / rate:.2f} s, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
