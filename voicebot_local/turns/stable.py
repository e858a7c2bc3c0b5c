"""How much of a transcript that is still forming is likely to stay."""

from __future__ import annotations


class StableText:
    """The words that two partial transcripts in a row have in common, from the beginning.

    The last word is left out: it may be half of one. Pure.
    """

    def __init__(self) -> None:
        self._before: list[str] = []

    def push(self, text: str) -> str:
        """Take the newest partial transcript; returns what of it is stable."""
        words = text.split()
        same = 0
        for word, before in zip(words[:-1], self._before, strict=False):
            if word != before:
                break
            same += 1
        self._before = words
        return " ".join(words[:same])
