"""Measure what the starter's recognizer makes of sounds over a reply, hundreds of them, unplayed.

    python -m scripts.over_words [--voices en-us+m3 ...] [--turn barge_in_words_s=0 ...] [--wrong]

Signs of listening and interruptions that espeak-ng speaks go through voice detection, pocketsphinx
and the turn machine, as over a reply that is being played; time is the position of the sound. It
prints how many of each stopped the reply, and how much later than the sound's beginning that was
decided; the reply stands still long before. `scripts.over_replies` plays some of them instead.
"""

from __future__ import annotations

import argparse
import tomllib
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy

import numpy as np

from scripts.make_fixtures.spoken import LEAD_S, spoken
from voicebot_local import paths
from voicebot_local.audio.vad import WINDOW
from voicebot_local.audio.vad import VoiceActivity as Detector
from voicebot_local.events import (
    PlayoutStarted,
    ReplyResumed,
    ReplyStopped,
    SpeechEnded,
    SpeechStarted,
    Transcribed,
    VoiceActivity,
)
from voicebot_local.providers.asr.cepstral_mean import CepstralMean
from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig, PocketsphinxEngine
from voicebot_local.providers.base import RECOGNIZER_RATE as RATE
from voicebot_local.providers.base import Samples
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.settings import TurnSettings

TUNED_WITH = (
    *("en-us+m3", "en-us+f2", "en-gb+m4", "en-us+m7", "en-gb+f4", "en-us+f5"),
    *("en-gb-scotland+m2", "en-us+Annie", "en-us+adam", "en-gb+linda"),
)
HELD_OUT = (
    *("en-us+f1", "en-us+m1", "en-gb+m2", "en-us+m6", "en-gb+f3", "en-us+Alicia"),
    *("en-gb-scotland+m5", "en-us+david"),
)
"""Voices that no setting was fitted to."""
LISTENING = """
mm hmm|uh huh|yeah|right|okay|oh yes|i see|yes|ok|sure|got it|all right|really|wow|yeah yeah|oh okay
aha|ah|oh really|yep|exactly|great|good|fine|nice|of course|makes sense|that's true|oh i see
interesting
"""
INTERRUPTING = """
stop|wait|no|hold on|wait a moment|what about the weather|tell me another one|stop it|no no no
never mind|hang on|be quiet|that's enough|what time is it|tell me a joke|but why is that
can you repeat that|i want to ask something else|who are you|cancel that|excuse me|stop please
what is the capital of france|go back please|speak louder please|not that one|what|why
how old are you|please stop talking
"""
FIRST = "what is the capital of france and how many people live there"
"""What the user has said before: the recognizer knows the voice by it."""
STEP_S = 0.03
"""What the recognizer takes for 100 ms of sound."""


class OverReply:
    """One sound over a reply, up to the decision what it is."""

    def __init__(self, sound: Samples, engine: PocketsphinxEngine, settings: TurnSettings) -> None:
        self._engine = engine
        self._machine = TurnMachine(settings)
        self._position = 0
        self._quiet_or_speech(1, 0.9)
        self._quiet_or_speech(2, 0.0)
        self._machine.handle(Transcribed(1, 0, "go on with the story", is_final=True))
        self._quiet_or_speech(1, 0.0)
        self._machine.handle(PlayoutStarted(1, 0, 0))
        self._quiet_or_speech(0.5, 0.0)
        self._begins = self._position
        self._sound = np.concatenate([sound, np.zeros(3 * RATE, np.float32)])
        self._windows = deque(Detector().push(self._sound))
        self._part: SpeechStarted | None = None
        self._known: deque[tuple[float, Transcribed]] = deque()
        self._busy_to_s = 0.0
        self.heard: list[str] = []
        self.stopped_s: float | None = None
        """When the reply was stopped, from the sound's beginning; None where it was not."""
        self._decided = False

    def play(self) -> None:
        """Let it sound until it is decided."""
        while not self._over:
            if self._part is None:
                self._next_window()
            else:
                self._recognize(self._part)

    @property
    def _over(self) -> bool:
        return self._decided or not self._windows

    def _quiet_or_speech(self, seconds: float, probability: float) -> None:
        for _ in range(round(seconds * RATE / WINDOW)):
            self._position += WINDOW
            self._machine.handle(VoiceActivity(self._position, probability, -30.0))

    def _next_window(self) -> Samples:
        end, probability = self._windows.popleft()
        self._position = self._begins + end
        self._see(VoiceActivity(self._position, round(probability, 3), -30.0))
        while self._known and self._known[0][0] <= self._position / RATE and not self._decided:
            said = self._known.popleft()[1]
            self.heard.append(said.text)
            self._see(said)
        return self._sound[end - WINDOW : end]

    def _see(self, event: VoiceActivity | Transcribed) -> None:
        for decision in self._machine.handle(event):
            match decision:
                case SpeechStarted():
                    self._part = decision
                case SpeechEnded():
                    self._part = None
                case ReplyStopped():
                    self._decided = True
                    self.stopped_s = (self._position - self._begins) / RATE
                case ReplyResumed():
                    self._decided = True

    def _recognize(self, part: SpeechStarted) -> None:
        """The engine asks for the part's audio, and that makes the time go on."""

        def audio() -> Iterator[Samples]:
            yield self._sound[
                max(part.audio_from - self._begins, 0) : self._position - self._begins
            ]
            while self._part is part and not self._over:
                yield self._next_window()

        def step(_kind: str) -> AbstractContextManager[None]:
            self._busy_to_s = max(self._busy_to_s, self._position / RATE) + STEP_S
            return nullcontext()

        for said in self._engine.transcribe(audio(), step):
            event = Transcribed(
                part.turn, part.part, said.text, said.is_final, confidence=said.confidence
            )
            self._known.append((self._busy_to_s, event))
            if self._over:
                break


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--voices", nargs="+", default=list(HELD_OUT))
    parser.add_argument("--turn", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--wrong", action="store_true", help="show what went wrong")
    args = parser.parse_args()
    profile = tomllib.loads((paths.configs_dir() / "starter.toml").read_text("utf-8"))["turn"]
    settings = TurnSettings(**profile | dict(pair.split("=", 1) for pair in args.turn))
    engine = PocketsphinxEngine(PocketsphinxConfig())
    for kind, texts in (("listening", LISTENING), ("interrupting", INTERRUPTING)):
        said = texts.replace("\n", "|").strip("|").split("|")
        measure(kind, said, args.voices, engine, settings, wrong=args.wrong)


def measure(
    kind: str,
    texts: list[str],
    voices: list[str],
    engine: PocketsphinxEngine,
    settings: TurnSettings,
    *,
    wrong: bool,
) -> None:
    """Print how many of the texts, each in each voice, stop a reply."""
    decided = []
    for voice in voices:
        engine._mean = CepstralMean()
        list(engine.transcribe(iter([spoken(FIRST, voice, RATE)]), lambda _: nullcontext()))
        known = engine._mean
        for seed, text in enumerate(texts):
            engine._mean = deepcopy(known)
            over = OverReply(spoken(text, voice, RATE, seed), engine, settings)
            over.play()
            if over.stopped_s is not None:
                decided.append(over.stopped_s - LEAD_S)
            if wrong and (over.stopped_s is None) == (kind == "interrupting"):
                print(f"  {voice}: {text!r} heard as {' > '.join(over.heard)}")
    count = len(texts) * len(voices)
    p50, p95 = np.percentile(decided, [50, 95]) if decided else (0.0, 0.0)
    print(
        f"{kind}: {len(decided)} of {count} stopped the reply ({len(decided) / count:.0%})"
        f", decided after {p50:.2f} / {p95:.2f} s (p50 / p95)",
        flush=True,
    )


if __name__ == "__main__":
    main()
