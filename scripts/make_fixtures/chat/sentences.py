"""Lists what people may say to the starter model, for the recognizer's language model.

    python -m scripts.make_fixtures.chat.sentences > sentences.txt

Lowercase, one a line, only letters, spaces and apostrophes, always the same ones in the same order.
They come from the training templates; no held-out sentence is among them.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator

from scripts.make_fixtures.chat.corpus import Corpus, Phrases, load_corpus
from scripts.make_fixtures.chat.grammar import normal

MOST_TRIES = 4
_SPOKEN = re.compile(r"[a-z' ]+")


def sentences(corpus: Corpus, per_topic: int = 24, seed: int = 0) -> list[str]:
    """At most `per_topic` sentences of a topic, fewer of each key of a slot, without repeats."""
    rng = random.Random(seed)
    keys = {f"{slot.name} of {key}" for slot in corpus.slots for key in slot.topics}
    found: dict[str, None] = {}
    for name, phrases in corpus.all_phrases():
        found |= dict.fromkeys(
            _some(corpus, phrases, per_topic // 4 if name in keys else per_topic, rng)
        )
    for slot in corpus.slots:
        for follow in slot.follows.values():
            found |= dict.fromkeys(_some(corpus, follow, 2, rng))
    found |= dict.fromkeys(_some(corpus, corpus.unknown.phrases, per_topic * 20, rng))
    return list(found)


def _some(corpus: Corpus, phrases: Phrases, most: int, rng: random.Random) -> Iterator[str]:
    found: set[str] = set()
    for attempt in range(most * MOST_TRIES):
        if len(found) == most:
            return
        template = phrases.templates[attempt % len(phrases.templates)]
        text = normal(template.sample(rng))
        if text in found or not _SPOKEN.fullmatch(text) or corpus.is_held_out(text):
            continue
        found.add(text)
        yield text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--per-topic", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for sentence in sentences(load_corpus(), options.per_topic, options.seed):
        print(sentence)


if __name__ == "__main__":
    main()
