"""Word error rate: how many words were put in, left out or changed on the way to the transcript."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Errors of a transcript of which `words` were expected."""

    substituted: int
    deleted: int
    inserted: int
    words: int

    @property
    def errors(self) -> int:
        """All of them."""
        return self.substituted + self.deleted + self.inserted

    @property
    def rate(self) -> float:
        """Errors a word; over 1 where more was put in than was said."""
        return self.errors / self.words if self.words else float(self.errors > 0)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substituted + other.substituted,
            self.deleted + other.deleted,
            self.inserted + other.inserted,
            self.words + other.words,
        )


def words_of(text: str) -> list[str]:
    """The words alone: no case, no punctuation, one kind of apostrophe."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return _WORD.findall(plain)


def word_errors(expected: str, got: str) -> WordErrors:
    """The fewest changes that make `expected` into `got`, word by word.

    Numbers count as they are written: "2" is not "two".
    """
    want, have = words_of(expected), words_of(got)
    # Best (changes, substituted, deleted, inserted) for each beginning of `have`.
    row = [(n, 0, 0, n) for n in range(len(have) + 1)]
    for word in want:
        before, row = row, [(row[0][0] + 1, 0, row[0][2] + 1, 0)]
        for n, other in enumerate(have):
            same = before[n]
            changed = same if word == other else (same[0] + 1, same[1] + 1, same[2], same[3])
            gone = before[n + 1]
            put_in = row[n]
            row.append(
                min(
                    changed,
                    (gone[0] + 1, gone[1], gone[2] + 1, gone[3]),
                    (put_in[0] + 1, put_in[1], put_in[2], put_in[3] + 1),
                )
            )
    _, substituted, deleted, inserted = row[-1]
    return WordErrors(substituted, deleted, inserted, len(want))
