"""Which words of a reply left the loudspeaker, counted in samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from voicebot_local.providers.base import Word
from voicebot_local.text.syllables import syllables

SYLLABLE_S = 0.2
"""Length of a syllable in unhurried English speech (s); about five a second is usual."""


@dataclass(slots=True)
class _Clause:
    text: str
    start: int | None = None
    samples: int = 0
    complete: bool = False
    words: list[Word] = field(default_factory=list)


class SpokenReply:
    """The clauses of one reply and where their audio lies; positions count its samples at `rate`.

    A clause with word times is cut after the last word that was heard whole. One without them is
    cut in proportion to its syllables; while its synthesis goes on, its length is taken to be at
    least `SYLLABLE_S` for each.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._clauses: list[_Clause] = []

    @property
    def text(self) -> str:
        """The whole reply as written so far."""
        return _join(clause.text for clause in self._clauses)

    def add_clause(self, text: str) -> int:
        """A clause as written; returns its number."""
        self._clauses.append(_Clause(text))
        return len(self._clauses) - 1

    def add_audio(self, clause: int, start: int, samples: int, words: tuple[Word, ...]) -> None:
        """`samples` more of the clause's audio, the first of all at `start` of the reply."""
        entry = self._clauses[clause]
        if entry.start is None:
            self.finish_audio()
            entry.start = start
        entry.samples += samples
        entry.words.extend(words)

    def finish_audio(self) -> None:
        """The audio of all clauses so far is complete."""
        for clause in self._clauses:
            clause.complete = clause.start is not None

    def heard(self, played: int) -> str:
        """The words of which all samples lie within the first `played` of the reply."""
        parts: list[str] = []
        for clause in self._clauses:
            if clause.start is None or clause.start >= played:
                break
            if clause.complete and clause.start + clause.samples <= played:
                parts.append(clause.text)
                continue
            parts.append(self._heard_of(clause, played - clause.start))
            break
        return _join(parts)

    def _heard_of(self, clause: _Clause, played: int) -> str:
        words = clause.text.split()
        if clause.words:
            done = sum(round(word.end_s * self._rate) <= played for word in clause.words)
            # The spoken form may have other words than the written one ("$5", "five dollars").
            count = done * len(words) // len(clause.words)
        else:
            lengths = [syllables(word) for word in words]
            reached, count, total = 0, 0, sum(lengths)
            samples = clause.samples
            if not clause.complete:
                samples = max(samples, round(total * SYLLABLE_S * self._rate))
            for length in lengths:
                reached += length
                if reached * samples > played * total:
                    break
                count += 1
        return " ".join(words[:count])


def _join(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
