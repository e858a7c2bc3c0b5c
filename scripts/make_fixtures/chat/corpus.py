"""Reads the corpus: what may be said to the starter model, and what it answers.

`load_corpus` gives frozen data. Held-out sentences are for measuring and are never trained on.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from scripts.make_fixtures.chat.grammar import Choice, normal, parse, tidy

FOLDER = Path(__file__).parent / "corpus"

# fmt: off
NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
]
# fmt: on


@dataclass(frozen=True)
class Phrases:
    """Ways to say one thing: templates to train on, and sentences that are held out."""

    templates: tuple[Choice, ...] = ()
    held_out: tuple[str, ...] = ()

    def sample(self, rng: random.Random) -> str:
        return tidy(rng.choice(self.templates).sample(rng))

    def expand(self) -> Iterator[str]:
        for template in self.templates:
            for text in template.expand():
                yield tidy(text)


@dataclass(frozen=True)
class Topic:
    """One question and its answer; `why` and `more` answer those follow-ups."""

    name: str
    answer: str
    phrases: Phrases
    why: str | None = None
    more: str | None = None


@dataclass(frozen=True)
class Series:
    """Several answers to one request; `reveals`, if any, are the solutions of each."""

    name: str
    answers: tuple[str, ...]
    reveals: tuple[str, ...]
    phrases: Phrases
    again: Phrases
    reveal: Phrases

    def next(self, told: str | None) -> str:
        """The answer after `told`, or the first."""
        at = self.answers.index(told) + 1 if told else 0
        return self.answers[at % len(self.answers)]


@dataclass(frozen=True)
class Slot:
    """One question about many keys; `follow` is asked of another key just after it."""

    name: str
    topics: Mapping[str, Topic]
    follows: Mapping[str, Phrases]


@dataclass(frozen=True)
class FollowUp:
    """What refers to the answer before; `nothing` is said when there was none."""

    phrases: Phrases
    nothing: str
    unknown: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Speech:
    """System prompts, fillers, and what a recognizer makes of words."""

    systems: tuple[str, ...]
    fillers_before: tuple[str, ...]
    fillers_asking: tuple[str, ...]
    fillers_after: tuple[str, ...]
    fillers_within: tuple[str, ...]
    misheard: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Corpus:
    topics: tuple[Topic, ...]
    series: tuple[Series, ...]
    slots: tuple[Slot, ...]
    follow_ups: Mapping[str, FollowUp]
    unknown: Topic
    garbled: Topic
    garbled_words: tuple[str, ...]
    speech: Speech
    _held_out: frozenset[str] = field(repr=False, default=frozenset())

    def is_held_out(self, text: str) -> bool:
        return normal(text) in self._held_out

    def all_phrases(self) -> Iterator[tuple[str, Phrases]]:
        """Every way to say something that has a name, the unknown and the garbled left out."""
        for topic in self.topics:
            yield topic.name, topic.phrases
        for series in self.series:
            yield series.name, series.phrases
            yield f"{series.name} again", series.again
            if series.reveals:
                yield f"{series.name} reveal", series.reveal
        for slot in self.slots:
            for key, topic in slot.topics.items():
                yield f"{slot.name} of {key}", topic.phrases
        for name, follow_up in self.follow_ups.items():
            if follow_up.phrases.templates:
                yield name, follow_up.phrases


@cache
def load_corpus(folder: Path = FOLDER) -> Corpus:
    """Read every TOML file of the corpus; a bad template raises `GrammarError`."""
    data: dict[str, Any] = {}
    for path in sorted(folder.glob("*.toml")):
        for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
            data[key] = data.get(key, []) + value if isinstance(value, list) else value
    rules = data["rules"]
    speech = data["speech"]
    topics = tuple(_topic(table, rules) for table in data["topic"])
    series = tuple(_series(table, rules) for table in data["series"])
    slots = tuple(_slot(table, rules) for table in data["slot"])
    names = ("repeat", "slower", "another", "why", "more", "reveal")
    follow_ups = {name: _follow_up(data[name], rules) for name in names}
    garbled = data["garbled"]
    corpus = Corpus(
        topics=topics,
        series=series,
        slots=slots,
        follow_ups=follow_ups,
        unknown=_topic(data["unknown"] | {"name": "unknown"}, rules),
        garbled=Topic(
            "garbled",
            garbled["answer"],
            Phrases(
                (Choice(tuple((text,) for text in garbled["whole"])),), tuple(garbled["held_out"])
            ),
        ),
        garbled_words=tuple(garbled["words"]),
        speech=Speech(
            systems=tuple(speech["systems"]),
            fillers_before=tuple(speech["fillers_before"]),
            fillers_asking=tuple(speech["fillers_asking"]),
            fillers_after=tuple(speech["fillers_after"]),
            fillers_within=tuple(speech["fillers_within"]),
            misheard={said: tuple(heard) for said, heard in data["misheard"].items()},
        ),
    )
    held_out = {normal(text) for _, phrases in corpus.all_phrases() for text in phrases.held_out}
    held_out |= {normal(text) for text in corpus.unknown.phrases.held_out}
    held_out |= {normal(text) for text in corpus.garbled.phrases.held_out}
    for slot in slots:
        held_out |= {normal(text) for follow in slot.follows.values() for text in follow.held_out}
    object.__setattr__(corpus, "_held_out", frozenset(held_out))
    return corpus


def _phrases(
    table: Mapping[str, Any],
    rules: Mapping[str, str],
    *,
    say: str = "say",
    held_out: str = "held_out",
    slots: Mapping[str, Sequence[str]] | None = None,
) -> Phrases:
    # A held-out sentence takes only the first word of a slot: the key itself, not its other names.
    slots = {**table.get("fill", {}), **(slots or {})}
    return Phrases(
        tuple(parse(template, rules, slots) for template in table.get(say, ())),
        tuple(
            tidy(text)
            for sentence in table.get(held_out, ())
            for text in parse(sentence, {}, {k: v[:1] for k, v in slots.items()}).expand()
        ),
    )


def _topic(table: Mapping[str, Any], rules: Mapping[str, str]) -> Topic:
    return Topic(
        table["name"],
        table["answer"],
        _phrases(table, rules),
        why=table.get("why"),
        more=table.get("more"),
    )


def _series(table: Mapping[str, Any], rules: Mapping[str, str]) -> Series:
    return Series(
        table["name"],
        tuple(table["answers"]),
        tuple(table.get("reveals", ())),
        phrases=_phrases(table, rules),
        again=_phrases(table, rules, say="again", held_out="held_out_again"),
        reveal=_phrases(table, rules, say="reveal", held_out="held_out_reveal"),
    )


def _follow_up(table: Mapping[str, Any], rules: Mapping[str, str]) -> FollowUp:
    return FollowUp(
        _phrases(table, rules),
        table["nothing"],
        unknown=table.get("unknown", ""),
        prefix=table.get("prefix", ""),
    )


def _slot(table: Mapping[str, Any], rules: Mapping[str, str]) -> Slot:
    values = _arithmetic(table["generate"]) if "generate" in table else table["values"]
    topics: dict[str, Topic] = {}
    follows: dict[str, Phrases] = {}
    for key, value in values.items():
        names = [key.lower(), *table.get("aliases", {}).get(key, ())]
        answer = table["answer"].format(key=key, value=value)
        topics[key] = Topic(
            f"{table['name']} of {key}",
            answer[0].upper() + answer[1:],
            _phrases(table, rules, slots={"key": names}),
        )
        follows[key] = _phrases(
            table, rules, say="follow", held_out="held_out_follow", slots={"key": names}
        )
    return Slot(table["name"], topics, follows)


def _arithmetic(kind: str) -> dict[str, str]:
    small = range(1, 11)
    if kind == "sums":
        pairs = [(a, "plus", b, a + b) for a in small for b in small]
    elif kind == "differences":
        pairs = [(a, "minus", b, a - b) for a in small for b in small if b <= a]
    else:
        raise ValueError(f"nothing generates {kind!r}: it is 'sums' or 'differences'")
    return {f"{NUMBERS[a]} {sign} {NUMBERS[b]}": NUMBERS[c] for a, sign, b, c in pairs}
