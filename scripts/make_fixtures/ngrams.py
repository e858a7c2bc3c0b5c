"""A trigram model of a small domain mixed with a bigram model of general English, as ARPA text.

The domain is counted and smoothed by Witten and Bell; the general model is given. Both are
interpolated word by word, and a history that is more likely in general English than in the domain
gives the general model more weight, so that speech from outside is not bent into domain sentences.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

START, END = "<s>", "</s>"
Gram = tuple[str, ...]


class Domain:
    """Counts of a list of sentences (lower case, words parted by spaces), with probabilities."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.counts: Counter[Gram] = Counter()
        self.total: Counter[Gram] = Counter()
        self.followers: Counter[Gram] = Counter()
        for sentence in sentences:
            words = [START, *sentence.split(), END]
            for at in range(1, len(words)):
                for order in (1, 2, 3):
                    if at - order + 1 >= 0:
                        self.counts[tuple(words[at - order + 1 : at + 1])] += 1
        for gram, count in self.counts.items():
            self.total[gram[:-1]] += count
            self.followers[gram[:-1]] += 1
        self.words = {g[0] for g in self.counts if len(g) == 1}

    def p(self, word: str, history: Gram) -> float:
        """P(word | history), by Witten-Bell; 0 for a word that the domain does not have."""
        if not history:
            return self.counts[(word,)] / self.total[()]
        lower = self.p(word, history[1:])
        total, new = self.total[history], self.followers[history]
        return (self.counts[(*history, word)] + new * lower) / (total + new) if total else lower


@dataclass
class General:
    """A bigram model of general English, restricted to a vocabulary."""

    unigrams: dict[str, float]
    bigrams: dict[tuple[str, str], float] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)
    """The share of each history that goes to words it has no bigram with."""

    @classmethod
    def read(
        cls, lines: Iterable[str], keep: set[str], size: int, known: Container[str]
    ) -> General:
        """Read ARPA `lines`: the words in `keep` and the likeliest others, `size` in
        all, of those that are `known`."""
        one: dict[str, float] = {}
        model = cls({})
        section = ""
        for line in lines:
            parts = line.split()
            if line.startswith("\\"):
                if section == "\\1-grams:":
                    common = sorted((w for w in one if w not in keep), key=lambda w: -one[w])
                    common = [w for w in common if w.isalpha() and len(w) > 1 and w in known]
                    chosen = (
                        {START, END} | (keep & one.keys()) | set(common[: max(size - len(keep), 0)])
                    )
                    mass = sum(one[w] for w in chosen if w != START)
                    model.unigrams = {w: one[w] / mass for w in chosen}
                section = parts[0]
            elif section == "\\1-grams:" and len(parts) >= 2:
                one[parts[1]] = 10 ** float(parts[0])
            elif section == "\\2-grams:" and len(parts) >= 3:
                pair = (parts[1], parts[2])
                if model.unigrams.keys() >= set(pair):
                    model.bigrams[pair] = 10 ** float(parts[0])
        listed: defaultdict[str, float] = defaultdict(float)
        covered: defaultdict[str, float] = defaultdict(float)
        for (history, word), p in model.bigrams.items():
            listed[history] += p
            covered[history] += model.unigrams[word]
        for word in model.unigrams:
            left = max(1 - listed[word], 0.01) if word in listed else 1.0
            model.left[word] = left / max(1 - covered[word], 1e-6)
        return model

    def p(self, word: str, history: Gram) -> float:
        """P(word | last word of the history); 0 for a word outside the vocabulary."""
        if not history or history[-1] not in self.left:
            return self.unigrams.get(word, 0.0)
        listed = self.bigrams.get((history[-1], word))
        return self.left[history[-1]] * self.unigrams.get(word, 0.0) if listed is None else listed

    def useful(self, count: int) -> list[tuple[str, str]]:
        """The `count` bigrams that tell most beyond their words alone."""

        def gain(item: tuple[tuple[str, str], float]) -> float:
            (history, word), p = item
            other = self.left[history] * self.unigrams[word]
            seen = self.unigrams[END if history == START else history]
            return seen * p * abs(math.log(p / max(other, 1e-12)))

        return [gram for gram, _ in sorted(self.bigrams.items(), key=gain, reverse=True)[:count]]


class Mixture:
    """Both models, interpolated. `weight` is the domain's share where the history says nothing."""

    def __init__(self, domain: Domain, general: General, weight: float, bigrams: int) -> None:
        self._domain, self._general, self._weight = domain, general, weight
        words = (domain.words | general.unigrams.keys()) - {START}
        grams: list[set[Gram]] = [
            {(w,) for w in words} | {(START,)},
            {g for g in domain.counts if len(g) == 2} | set(general.useful(bigrams)),
            {g for g in domain.counts if len(g) == 3},
        ]
        self.p: list[dict[Gram, float]] = []
        for level in grams:
            self.p.append({g: self._mixed(g) for g in sorted(level)})
        self.p[0][(START,)] = 1e-99

    def _mixed(self, gram: Gram) -> float:
        *history, word = gram
        share = self._share(tuple(history))
        p = share * self._domain.p(word, tuple(history))
        return max(p + (1 - share) * self._general.p(word, tuple(history)), 1e-9)

    def _share(self, history: Gram) -> float:
        domain, general = self._weight, 1 - self._weight
        for at, word in enumerate(history):
            if word != START:
                domain *= self._domain.p(word, history[:at])
                general *= max(self._general.p(word, history[:at]), 1e-9)
        return domain / (domain + general)

    def write(self, file: TextIO) -> None:
        """Write the model in ARPA format."""
        file.write("\\data\\\n")
        for order, level in enumerate(self.p, 1):
            file.write(f"ngram {order}={len(level)}\n")
        for order, level in enumerate(self.p, 1):
            file.write(f"\n\\{order}-grams:\n")
            backoff = self._backoffs(order) if order < len(self.p) else {}
            for gram, p in level.items():
                tail = f"\t{math.log10(backoff.get(gram, 1.0)):.4f}" if order < len(self.p) else ""
                file.write(f"{math.log10(p):.4f}\t{' '.join(gram)}{tail}\n")
        file.write("\n\\end\\\n")

    def _backoffs(self, order: int) -> dict[Gram, float]:
        """For every history of `order` words that has listed followers, the weight of the rest."""
        listed: defaultdict[Gram, float] = defaultdict(float)
        covered: defaultdict[Gram, float] = defaultdict(float)
        for gram, p in self.p[order].items():
            listed[gram[:-1]] += p
            covered[gram[:-1]] += self.p[order - 1][gram[1:]]
        return {h: max(1 - listed[h], 1e-4) / max(1 - covered[h], 1e-4) for h in listed}


# Of words that sound alike, the recognizer writes one.
_WRITTEN = {"colour": "color", "colours": "colors", "favourite": "favorite", "ii": "two"}


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """Sentences as the recognizer hears them: lower case, words and apostrophes only."""
    for line in lines:
        kept = "".join(c if c.isalpha() or c == "'" else " " for c in line.lower())
        words = [w for w in (w.strip("'") for w in kept.split()) if w]
        if words:
            yield " ".join(_WRITTEN.get(w, w) for w in words)
