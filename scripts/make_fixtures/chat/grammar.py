"""The small grammar of the corpus: "(hi|hello|) <bot> {name}" and nothing more.

A choice may have empty branches and may nest. `<rule>` is replaced by a rule, `{slot}` by a word of
the slot; both are choices too, so a template is a tree of sequences and choices.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_TOKEN = re.compile(r"[(|)]|<\w+>|\{\w+\}|[^(|)<{]+")


class GrammarError(ValueError):
    """A template that does not parse: says which one and why."""


@dataclass(frozen=True)
class Choice:
    """One of several sequences; a sequence is of plain texts and further choices."""

    branches: tuple[tuple[str | Choice, ...], ...]

    def sample(self, rng: random.Random) -> str:
        """One expansion; each branch of a choice is equally likely."""
        parts = self.branches[rng.randrange(len(self.branches))]
        return "".join(part if isinstance(part, str) else part.sample(rng) for part in parts)

    def expand(self) -> Iterator[str]:
        """Every expansion, which can be many."""
        for parts in self.branches:
            options = [[part] if isinstance(part, str) else list(part.expand()) for part in parts]
            for combination in itertools.product(*options):
                yield "".join(combination)

    def count(self) -> int:
        """How many expansions there are, repeated ones counted again."""
        total = 0
        for parts in self.branches:
            product = 1
            for part in parts:
                product *= 1 if isinstance(part, str) else part.count()
            total += product
        return total


def parse(
    template: str,
    rules: Mapping[str, str] | None = None,
    slots: Mapping[str, Sequence[str]] | None = None,
) -> Choice:
    """Parse a template; an unknown rule or slot, or an unbalanced bracket, is a `GrammarError`."""
    rules, slots = rules or {}, slots or {}
    tokens = _TOKEN.findall(template)
    if "".join(tokens) != template:
        raise GrammarError(f"stray < or {{ in {template!r}")
    at = 0

    def known(table: Mapping[str, T], token: str) -> T:
        if token[1:-1] not in table:
            raise GrammarError(f"{token} in {template!r} is not known")
        return table[token[1:-1]]

    def choice() -> Choice:
        nonlocal at
        branches: list[tuple[str | Choice, ...]] = []
        parts: list[str | Choice] = []
        while at < len(tokens) and tokens[at] != ")":
            token = tokens[at]
            at += 1
            if token == "|":
                branches.append(tuple(parts))
                parts = []
            elif token == "(":
                parts.append(choice())
                if at == len(tokens):
                    raise GrammarError(f"no closing bracket in {template!r}")
                at += 1
            elif token[0] == "<":
                parts.append(parse(known(rules, token), rules, slots))
            elif token[0] == "{":
                parts.append(words(known(slots, token)))
            else:
                parts.append(token)
        return Choice((*branches, tuple(parts)))

    tree = choice()
    if at < len(tokens):
        raise GrammarError(f"no opening bracket in {template!r}")
    return tree


def words(options: Sequence[str]) -> Choice:
    """A choice between plain texts."""
    return Choice(tuple((option,) for option in options))


def tidy(text: str) -> str:
    """One space between words and none around them."""
    return " ".join(text.split())


def normal(text: str) -> str:
    """How two inputs are compared: lowercase words without punctuation."""
    return tidy(re.sub(r"[^\w' ]", " ", text.lower()))
