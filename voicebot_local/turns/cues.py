"""What the words said so far tell about whether the speaker is done."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from enum import Enum
from functools import cache
from importlib import resources
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*['’]?")
_SHORTEST_QUESTION = 3
"""Words that a question has at the least; "what is" is the beginning of one."""


class Cue(Enum):
    """What an utterance looks like by its words."""

    UNFINISHED = "unfinished"
    """Something must come: "tell me about the", "um"."""
    MAYBE_UNFINISHED = "maybe unfinished"
    """Something often comes: "turn it on", a comma."""
    UNKNOWN = "unknown"
    MAYBE_FINISHED = "maybe finished"
    """A question with all its parts, a "please"."""
    FINISHED = "finished"
    """A command or an answer by itself: "stop", "yes"."""


class TextCues:
    """Reads utterances of one language; a language without data gives no cues but punctuation."""

    def __init__(self, language: str) -> None:
        """`language`: two letters, in upper or lower case; what follows them does not count."""
        data = _languages().get(language[:2].lower(), {})
        lists = {name: frozenset(map(_words, entries)) for name, entries in data.items()}
        self._whole = lists.get("whole", frozenset())
        self._closing = lists.get("closing", frozenset())
        self._openers = lists.get("openers", frozenset())
        self._questions = lists.get("questions", frozenset())
        self._numbers = lists.get("numbers", frozenset())
        self._endings: dict[Words, str] = {
            entry: name
            for name in ("maybe", "unless_asked", "stranded", "unfinished", "fillers", "complete")
            for entry in lists.get(name, frozenset())
        }
        self._longest = max(map(len, self._endings), default=0)

    def read(self, text: str) -> Cue:
        """The cue of a whole utterance so far, with or without punctuation."""
        words = _words(text)
        if not words:
            return Cue.UNKNOWN
        if words in self._whole:
            return Cue.FINISHED
        mark = text.rstrip()[-1]
        body = self._without_closing(words)
        asked = mark == "?" or self._is_question(body)
        cue = self._of_ending(body, asked)
        if mark in "…-–—" or text.rstrip().endswith("..."):
            return Cue.UNFINISHED
        closed = len(body) < len(words)
        if cue is Cue.UNFINISHED or (cue is Cue.MAYBE_UNFINISHED and not closed):
            return cue
        if mark in ",;:":
            return Cue.MAYBE_UNFINISHED
        if body in self._whole:
            return Cue.FINISHED
        if asked and mark == "?" and self._is_question(body):
            return Cue.FINISHED
        if asked or closed:
            return Cue.MAYBE_FINISHED
        return Cue.UNKNOWN

    def _without_closing(self, words: Words) -> Words:
        for length in (2, 1):
            if len(words) > length and words[-length:] in self._closing:
                return words[:-length]
        return words

    def _is_question(self, words: Words) -> bool:
        start = 0
        while start < len(words) - 1 and words[start : start + 1] in self._openers:
            start += 1
        asks = words[start : start + 1] in self._questions
        return asks and len(words) - start >= _SHORTEST_QUESTION

    def _of_ending(self, words: Words, asked: bool) -> Cue:
        for length in range(min(self._longest, len(words)), 0, -1):
            match self._endings.get(words[-length:]):
                case "fillers" | "unfinished":
                    return Cue.UNFINISHED
                case "stranded":
                    return Cue.MAYBE_UNFINISHED if asked else Cue.UNFINISHED
                case "unless_asked":
                    return Cue.UNKNOWN if asked else Cue.UNFINISHED
                case "maybe":
                    return Cue.MAYBE_UNFINISHED
                case "complete":
                    return Cue.UNKNOWN
        if not asked and len(words) > 1 and all(self._is_number(word) for word in words[-2:]):
            return Cue.MAYBE_UNFINISHED
        return Cue.UNKNOWN

    def _is_number(self, word: str) -> bool:
        return word.isdigit() or (word,) in self._numbers


@cache
def _languages() -> dict[str, dict[str, list[str]]]:
    text = resources.files("voicebot_local.turns").joinpath("cues.toml").read_text("utf-8")
    return tomllib.loads(text)


def _words(text: str) -> Words:
    plain = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    return tuple(_WORD.findall(plain))
