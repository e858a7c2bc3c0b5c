"""Makes of a clean sentence what a recognizer or a keyboard would: misheard, filled in, typed."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from scripts.make_fixtures.chat.corpus import NUMBERS, Corpus
from scripts.make_fixtures.chat.grammar import tidy

# fmt: off
# Only these may be lost: the words that carry the meaning of a question stay.
_DROPPABLE = frozenset([
    "a", "an", "and", "are", "can", "could", "do", "for", "i", "in", "is", "it", "me", "of",
    "please", "tell", "that", "the", "there", "this", "to", "us", "what", "would", "you", "your",
])
_ASKING = frozenset([
    "what", "who", "how", "why", "when", "where", "which", "can", "could", "do", "does", "are",
    "is", "will", "would", "may", "am", "did", "should", "whose", "what's", "who's",
])
# fmt: on
_QUESTION_WORDS = frozenset(("what", "who", "how", "why", "when", "where", "which", "what's"))
_ACRONYMS = ("GPU", "CPU", "VRAM", "AI", "XTTS", "GGUF", "I", "LLM", "USA", "NVIDIA", "TTS")
_SIGNS = {"plus": "+", "minus": "-"}


class Noise:
    """Spoils sentences at random; the same generator state gives the same result."""

    def __init__(self, corpus: Corpus) -> None:
        self._speech = corpus.speech
        self._misheard = {
            said: (re.compile(rf"\b{re.escape(said)}\b"), heard)
            for said, heard in corpus.speech.misheard.items()
        }
        names = {word for slot in corpus.slots for key in slot.topics for word in key.split()}
        proper = {name for name in names if name[0].isupper()} | set(_ACRONYMS)
        proper -= {"May", "March"} | {number.capitalize() for number in NUMBERS}
        self._proper = {name.lower(): name for name in proper}

    def spoil(self, text: str, rng: random.Random) -> str:
        """As it might arrive: spoken with faults, or typed with capitals and punctuation."""
        if rng.random() < 0.55:
            text = self.speak(text, rng)
        return typed(text, rng, self._proper) if rng.random() < 0.45 else text

    def speak(self, text: str, rng: random.Random) -> str:
        """As a recognizer might hear it, in lowercase."""
        speech = self._speech
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            text = self._mishear(text, rng)
        words = text.split()
        if len(words) > 3 and rng.random() < 0.15:
            places = [i for i, word in enumerate(words) if word in _DROPPABLE]
            if places:
                del words[rng.choice(places)]
        if len(words) > 2 and rng.random() < 0.07:
            at = rng.randrange(len(words))
            words.insert(at, words[at])
        if len(words) > 2 and rng.random() < 0.08:
            words.insert(rng.randrange(1, len(words)), rng.choice(speech.fillers_within))
        if words and words[0] in _QUESTION_WORDS and rng.random() < 0.25:
            words.insert(0, rng.choice(speech.fillers_asking))
        elif rng.random() < 0.35:
            words.insert(0, rng.choice(speech.fillers_before))
        if rng.random() < 0.15:
            words.append(rng.choice(speech.fillers_after))
        return " ".join(words)

    def _mishear(self, text: str, rng: random.Random) -> str:
        matching = [pair for pair in self._misheard.values() if pair[0].search(text)]
        if not matching:
            return text
        pattern, heard = rng.choice(matching)
        return pattern.sub(rng.choice(heard), text, count=1)


def typed(text: str, rng: random.Random, proper: Mapping[str, str] | None = None) -> str:
    """With a capital letter, mostly punctuation, sometimes digits and names in capitals."""
    if not text:
        return text
    if re.search(r" (plus|minus) ", text) and rng.random() < 0.6:
        text = _digits(text, signs=rng.random() < 0.6)
    if proper and rng.random() < 0.7:
        text = re.sub(r"[\w']+", lambda word: proper.get(word.group(), word.group()), text)
    text = text[0].upper() + text[1:]
    if rng.random() < 0.2:
        return text
    return text + end_mark(text, rng)


def end_mark(text: str, rng: random.Random) -> str:
    """A question mark after a question, else a full stop or now and then an exclamation mark."""
    words = text.lower().split()
    asked = words[0] in _ASKING or any(word in _ASKING for word in words[1:3])
    return "?" if asked else "!" if rng.random() < 0.2 else "."


def _digits(text: str, *, signs: bool) -> str:
    def replace(match: re.Match[str]) -> str:
        word = match.group()
        if word in _SIGNS:
            return _SIGNS[word] if signs else word
        return str(NUMBERS.index(word))

    return tidy(re.sub(rf"\b({'|'.join([*NUMBERS[:11], *_SIGNS])})\b", replace, text))
