"""Makes up conversations for training: unrelated questions, follow-ups, and cut-off answers."""

from __future__ import annotations

import random
from dataclasses import dataclass

from scripts.make_fixtures.chat.corpus import Corpus, Series, Slot, Topic
from scripts.make_fixtures.chat.grammar import normal, tidy
from scripts.make_fixtures.chat.noise import Noise

MOST_TURNS = 7


@dataclass(frozen=True)
class Turn:
    """A question, the answer to learn, and the part of it that the user heard before cutting in."""

    question: str
    answer: str
    heard: str


@dataclass(frozen=True)
class Talk:
    """A system prompt, which may be empty, and turns."""

    system: str
    turns: tuple[Turn, ...]


class Talker:
    """Makes conversations up; the same random generator makes the same ones."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._noise = Noise(corpus)
        self._known = {normal(s) for _, phrases in corpus.all_phrases() for s in phrases.expand()}
        self._slots = [slot for slot in corpus.slots for _ in range(round(len(slot.topics) ** 0.5))]

    def make(self, rng: random.Random) -> Talk:
        """One conversation, without any held-out sentence in it."""
        systems = self.corpus.speech.systems
        system = rng.choice(("", systems[0], systems[0], rng.choice(systems)))
        state = State(self.corpus)
        turns: list[Turn] = []
        for _ in range(rng.randint(1, MOST_TURNS)):
            clean, answer = self._ask(state, rng)
            question = clean if normal(clean) == "" else self._noise.spoil(clean, rng)
            if self.corpus.is_held_out(question):
                question = clean
            turns.append(Turn(question, answer, _cut_off(answer, rng)))
        return Talk(system, tuple(turns))

    def _ask(self, state: State, rng: random.Random) -> tuple[str, str]:
        """The next clean question and its answer."""
        corpus, chance = self.corpus, rng.random()
        if state.slot and chance < 0.35:
            key = rng.choice(list(state.slot.topics))
            return state.slot.follows[key].sample(rng), state.answer(state.slot.topics[key])
        if state.just_told and chance < 0.4:
            return self._after_series(state.just_told, state, rng)
        chance = rng.random()
        if chance < 0.09:
            return self._unknown(rng), state.answer(corpus.unknown)
        if chance < 0.12:
            return self._garbled(rng), state.answer(corpus.garbled)
        if chance < 0.22:
            return self._follow_up(state, rng)
        if chance < 0.29:
            series = rng.choice(corpus.series)
            phrases = series.again if rng.random() < 0.3 else series.phrases
            return phrases.sample(rng), state.tell(series)
        if chance < 0.47:
            slot = rng.choice(self._slots)
            topic = rng.choice(list(slot.topics.values()))
            return topic.phrases.sample(rng), state.answer(topic, slot)
        topic = rng.choice(corpus.topics)
        return topic.phrases.sample(rng), state.answer(topic)

    def _after_series(self, series: Series, state: State, rng: random.Random) -> tuple[str, str]:
        if series.reveals and rng.random() < 0.5:
            return series.reveal.sample(rng), state.reveal()
        if rng.random() < 0.6:
            return self.corpus.follow_ups["another"].phrases.sample(rng), state.another()
        return series.again.sample(rng), state.tell(series)

    def _follow_up(self, state: State, rng: random.Random) -> tuple[str, str]:
        name = rng.choice(("repeat", "repeat", "slower", "why", "more", "another", "reveal"))
        if name == "reveal":
            riddles = next(series for series in self.corpus.series if series.reveals)
            return riddles.reveal.sample(rng), state.reveal()
        question = self.corpus.follow_ups[name].phrases.sample(rng)
        return question, state.another() if name == "another" else state.follow_up(name)

    def _unknown(self, rng: random.Random) -> str:
        while True:
            text = self.corpus.unknown.phrases.sample(rng)
            if normal(text) not in self._known and not self.corpus.is_held_out(text):
                return text

    def _garbled(self, rng: random.Random) -> str:
        kind = rng.random()
        if kind < 0.4:
            return self.corpus.garbled.phrases.sample(rng)
        if kind < 0.7:
            words = rng.choices(self.corpus.garbled_words, k=rng.randint(2, 5))
        else:
            letters = "bcdfghjklmnpqrstvwxz" if rng.random() < 0.6 else "abcdefghijklmnopqrstuvwxyz"
            words = [
                "".join(rng.choices(letters, k=rng.randint(3, 6))) for _ in range(rng.randint(1, 3))
            ]
        text = tidy(" ".join(words))
        known = normal(text) in self._known or self.corpus.is_held_out(text)
        return self._garbled(rng) if known else text


class State:
    """What was said so far, as far as answers depend on it; evaluation uses it as well."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._told: dict[str, str] = {}
        self._series: Series | None = None
        self._topic: Topic | None = None
        self._said: str | None = None
        self.slot: Slot | None = None
        self.just_told: Series | None = None

    def answer(self, topic: Topic, slot: Slot | None = None) -> str:
        """Answer a topic; give the slot when it is one of its keys, so that others can follow."""
        kept = (
            self.slot if slot is None and self.slot and topic in self.slot.topics.values() else slot
        )
        self.slot, self.just_told, self._topic, self._said = kept, None, topic, topic.answer
        return topic.answer

    def tell(self, series: Series) -> str:
        """The next of a series."""
        text = series.next(self._told.get(series.name))
        self._told[series.name] = self._said = text
        self._series = self.just_told = series
        self.slot = self._topic = None
        return text

    def another(self) -> str:
        """The next of the series that was told last, if any."""
        if self._series:
            return self.tell(self._series)
        return self._say(self._corpus.follow_ups["another"].nothing)

    def reveal(self) -> str:
        """The solution, if the series that was told last has any."""
        series = self._series
        if not series or not series.reveals:
            return self._say(self._corpus.follow_ups["reveal"].nothing)
        text = self._say(series.reveals[series.answers.index(self._told[series.name])])
        self.just_told = series
        return text

    def follow_up(self, name: str) -> str:
        """The answer to "repeat", "slower", "why" or "more"."""
        follow_up = self._corpus.follow_ups[name]
        if self._said is None:
            return self._say(follow_up.nothing, remember=False)
        if name in ("repeat", "slower"):
            return f"{follow_up.prefix} {self._said}".strip()
        known = getattr(self._topic, name) if self._topic else None
        return self._say(known or follow_up.unknown)

    def _say(self, text: str, *, remember: bool = True) -> str:
        self.slot = self.just_told = self._topic = None
        if remember:
            self._said = text
        return text


def _cut_off(answer: str, rng: random.Random) -> str:
    words = answer.split()
    if len(words) < 5 or rng.random() > 0.12:
        return answer
    return " ".join(words[: rng.randint(3, len(words) - 1)])
