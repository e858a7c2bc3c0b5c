"""Measure the starter stack on spoken sentences that neither model was made from.

    python -m scripts.make_fixtures.starter_accuracy [--most 60] [--no-chat] [--wrong]

The held-out sentences of the chat corpus, spoken by three voices that no setting was fitted to, go
through the recognizer and the chat model. For each voice it prints the share of words misheard, of
sentences understood exactly, and of answers that are right to the letter; then what sentences from
outside and noises come to. `--most` takes that many sentences, spread over the corpus.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from scripts.make_fixtures.chat.corpus import load_corpus
from scripts.make_fixtures.chat.evaluate import Case, ChatModel, slot_cases, topic_cases
from scripts.make_fixtures.chat.sentences import sentences as training_sentences
from scripts.make_fixtures.ngrams import sentences as as_heard
from scripts.make_fixtures.spoken import RESERVED_VOICES, spoken
from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig, PocketsphinxEngine
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

MODEL = Path(__file__).resolve().parents[2] / "models" / "starter" / "chat.gguf"
OUTSIDE = """
the committee approved the new budget on tuesday afternoon
my cousin broke his leg skiing in austria
please pass the salt and the butter
interest rates rose sharply in the third quarter
she bought a red bicycle for her daughter
the train to manchester leaves from platform nine
we should paint the kitchen before the winter
the senator denied all the charges against him
scientists discovered a new species of frog
they played football in the rain for two hours
""".strip().splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--most", type=int, default=60, help="sentences a voice; 0 is all")
    parser.add_argument("--no-chat", action="store_true", help="measure the recognizer alone")
    parser.add_argument("--wrong", action="store_true", help="show what went wrong")
    args = parser.parse_args()

    corpus = load_corpus()
    cases = [c for c in topic_cases(corpus) + slot_cases(corpus) if not c.history]
    if args.most:
        cases = cases[:: max(len(cases) // args.most, 1)][: args.most]
    chat = None if args.no_chat else ChatModel(MODEL)
    for voice in RESERVED_VOICES:
        measure(voice, cases, chat, corpus.speech.systems[0], wrong=args.wrong)
    inside = set(as_heard(training_sentences(corpus, 80)))
    reject(inside, wrong=args.wrong)


def measure(
    voice: str, cases: Sequence[Case], chat: ChatModel | None, system: str, *, wrong: bool
) -> None:
    """Print the figures of one voice."""
    ears = PocketsphinxEngine(PocketsphinxConfig())
    errors = words = exact = right = typed = 0
    busy_s = audio_s = 0.0
    for seed, case in enumerate(cases):
        said = " ".join(as_heard([case.question]))
        audio = spoken(said, voice, RECOGNIZER_RATE, seed)
        began = time.process_time()
        heard = hear(ears, audio)
        busy_s += time.process_time() - began
        audio_s += len(audio) / RECOGNIZER_RATE
        errors += distance(said.split(), heard.split())
        words += len(said.split())
        exact += said == heard
        answer = ""
        if chat is not None:
            answer = chat.reply([("system", system), ("user", heard)]) if heard else ""
            right += answer == case.expected
            typed += chat.reply([("system", system), ("user", said)]) == case.expected
        if wrong and said != heard:
            print(f"  {said} -> {heard}" + (f" -> {answer}" if chat else ""))
    count = len(cases)
    print(
        f"{voice}: {count} sentences, words misheard {errors / words:.1%}"
        f", exact {exact / count:.1%}"
        + (f", right answers {right / count:.1%} (typed {typed / count:.1%})" if chat else "")
        + f", real-time factor {busy_s / audio_s:.2f}",
        flush=True,
    )


def reject(inside: set[str], *, wrong: bool) -> None:
    """Print how often outside speech and noise are taken for a sentence of the domain."""
    ears = PocketsphinxEngine(PocketsphinxConfig())
    for what, recordings in (
        (
            "outside sentences",
            [spoken(t, v, RECOGNIZER_RATE) for v in RESERVED_VOICES for t in OUTSIDE],
        ),
        ("noises", list(noises())),
    ):
        texts = [hear(ears, audio) for audio in recordings]
        taken = [t for t in texts if t in inside]
        silent = sum(not t for t in texts)
        print(
            f"{len(texts)} {what}: {len(taken)} taken for one of ours, {silent} dropped", flush=True
        )
        if wrong:
            print("  " + " | ".join(t for t in texts if t))


def noises(seconds: float = 2.0) -> Iterator[Samples]:
    """Hiss, rumble, hum, clicks and bursts like coughs, five of each."""
    length = round(seconds * RECOGNIZER_RATE)
    at = np.arange(length) / RECOGNIZER_RATE
    for seed in range(5):
        random = np.random.default_rng(seed)
        white = random.normal(0, 1, length)
        floor = 0.0006 * random.normal(0, 1, length)
        yield (0.02 * (seed + 1) * white).astype(np.float32)
        rumble = np.convolve(white, np.hanning(200), "same")
        yield (0.3 * rumble / np.abs(rumble).max()).astype(np.float32)
        yield (floor + 0.1 * np.sin(2 * np.pi * 50 * (seed + 1) * at)).astype(np.float32)
        clicks = np.where(random.random(length) < 4 / RECOGNIZER_RATE, 0.5, 0.0)
        yield (floor + np.convolve(clicks, np.exp(-np.arange(80) / 20), "same")).astype(np.float32)
        burst = np.zeros(length)
        for begin in random.integers(2000, length - 8000, 1 + seed % 3):
            shape = np.exp(-np.arange(4000) / 900) * np.minimum(1, np.arange(4000) / 100)
            burst[begin : begin + 4000] += 0.3 * shape * random.normal(0, 1, 4000)
        yield (floor + np.convolve(burst, np.hanning(12) / 6, "same")).astype(np.float32)


def hear(ears: PocketsphinxEngine, audio: Samples) -> str:
    return list(ears.transcribe(iter([audio]), _no_steps))[-1].text


def distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to insert, delete or change to come from one to the other."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[:], i
        for j, other in enumerate(heard, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other))
    return row[-1]


def _no_steps(_kind: str) -> AbstractContextManager[None]:
    return nullcontext()


if __name__ == "__main__":
    main()
