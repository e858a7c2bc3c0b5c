"""How many words the starter's recognizer gets wrong over the assistant's echo, way by way.

.venv/bin/python -m scripts.echo_words desk tinny
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from voicebot_local import paths
from voicebot_local.bench.echo.rooms import room_named
from voicebot_local.bench.echo.scenes import make_scene
from voicebot_local.bench.echo.speech import USED
from voicebot_local.bench.echo.ways import aec3, nothing, program
from voicebot_local.bench.recordings import find_turns
from voicebot_local.bench.words import word_errors
from voicebot_local.config import load_config
from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig, PocketsphinxEngine
from voicebot_local.providers.base import Samples

SECONDS = 100
BEFORE, AFTER = 4000, 6000
"""Samples that the recognizer hears around each sentence."""


class _Steps:
    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:  # noqa: ARG002
        yield


def main(rooms: list[str]) -> None:
    config = load_config("starter").recognizer
    assert isinstance(config, PocketsphinxConfig)
    texts = [turn.transcript for turn in find_turns(paths.examples_dir())][:USED]
    for room in rooms:
        for user_db in (0.0, -10.0):
            scene = make_scene(room_named(room), user_db, SECONDS)
            user: Samples = (scene.heard - scene.echo).astype(np.float32)
            ways = {"user alone": user}
            for name, way in (("none", nothing), ("aec3", aec3), ("program", program)):
                ways[name] = way(scene.heard, scene.played)
            for name, left in ways.items():
                engine = PocketsphinxEngine(config)
                wrong = words = 0
                for number, (start, end) in enumerate(scene.spans):
                    part = left[max(0, start - BEFORE) : end + AFTER]
                    *_, final = engine.transcribe(iter([part]), _Steps())
                    found = word_errors(texts[number % USED], final.text)
                    wrong, words = wrong + found.errors, words + found.words
                print(
                    f"{room} {user_db:+.0f} dB {name}: {wrong} of {words} words wrong", flush=True
                )


if __name__ == "__main__":
    main(sys.argv[1:] or ["desk"])
