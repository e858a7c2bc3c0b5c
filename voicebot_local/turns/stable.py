"""How much of a transcript that is still forming is likely to stay."""

from __future__ import annotations


def agreed(words: list[str], before: list[str]) -> list[str]:
    """The words that both have in common, from the beginning."""
    same = 0
    while same < min(len(words), len(before)) and words[same] == before[same]:
        same += 1
    return words[:same]


class StableText:
    """The words that two partial transcripts in a row have in common, from the beginning.

    The last word is left out: it may be half of one. Pure.
    """

    def __init__(self) -> None:
        self._before: list[str] = []

    def push(self, text: str) -> str:
        """Take the newest partial transcript; returns what of it is stable."""
        words = text.split()
        same = agreed(words[:-1], self._before)
        self._before = words
        return " ".join(same)
