"""Measures a chat model on the held-out sentences of the corpus, through llama.cpp.

    python -m scripts.make_fixtures.chat.evaluate models/starter/chat.gguf --wrong

An answer counts only if it is right to the letter.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.make_fixtures.chat.bpe import Message
from scripts.make_fixtures.chat.corpus import Corpus, load_corpus
from scripts.make_fixtures.chat.noise import Noise, typed
from scripts.make_fixtures.chat.talk import State

UNSEEN_SYSTEM = "You are Nova, an offline assistant in a kitchen. Always stay calm and polite."
MOST_TOKENS = 120
MOST_KEYS = 8


@dataclass(frozen=True)
class Case:
    """A question after a history, and the one right answer."""

    question: str
    expected: str
    history: tuple[Message, ...] = ()


class ChatModel:
    """Greedy answers of a GGUF file, through the high-level class of llama_cpp."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        import llama_cpp

        self._llama = llama_cpp.Llama(
            str(path), n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def reply(self, messages: Iterable[Message]) -> str:
        answer = self._llama.create_chat_completion(
            [{"role": role, "content": text} for role, text in messages],
            max_tokens=MOST_TOKENS,
            temperature=0.0,
        )
        return str(answer["choices"][0]["message"]["content"]).strip()

    def close(self) -> None:
        self._llama.close()


def topic_cases(corpus: Corpus) -> list[Case]:
    """Every held-out sentence of every topic and series, asked first thing."""
    cases = [Case(text, t.answer) for t in corpus.topics for text in t.phrases.held_out]
    for series in corpus.series:
        cases += [Case(text, series.answers[0]) for text in series.phrases.held_out]
    return cases


def slot_cases(corpus: Corpus, most_keys: int = MOST_KEYS) -> list[Case]:
    """Held-out questions about some keys of each slot, each another sentence."""
    cases = []
    for slot in corpus.slots:
        keys = random.Random(slot.name).sample(list(slot.topics), min(most_keys, len(slot.topics)))
        for i, key in enumerate(keys):
            topic = slot.topics[key]
            cases.append(Case(topic.phrases.held_out[i % 3], topic.answer))
            before = slot.topics[keys[i - 1]]
            history = (("user", before.phrases.held_out[0]), ("assistant", before.answer))
            follow = slot.follows[key].held_out
            cases.append(Case(follow[i % len(follow)], topic.answer, history))
    return cases


def follow_up_cases(corpus: Corpus) -> list[Case]:
    """Held-out follow-ups, after a topic, a series, and both."""
    cases = []
    topics = [t for t in corpus.topics if t.name in ("who are you", "number of planets")]
    for name in ("repeat", "slower", "why", "more"):
        for text in corpus.follow_ups[name].phrases.held_out:
            for topic in topics:
                state = State(corpus)
                history = ("user", topic.phrases.held_out[0]), ("assistant", state.answer(topic))
                cases.append(Case(text, state.follow_up(name), history))
    for series in corpus.series:
        state = State(corpus)
        told = ("user", series.phrases.held_out[0]), ("assistant", state.tell(series))
        if series.reveals:
            reveals = series.reveal.held_out
            cases += [Case(text, series.reveals[0], told) for text in reveals]
        for text in (*series.again.held_out, *corpus.follow_ups["another"].phrases.held_out[:2]):
            cases.append(Case(text, series.answers[1], told))
    return cases


def unknown_cases(corpus: Corpus) -> list[Case]:
    """Questions outside all topics: the right answer is not to know."""
    return [Case(text, corpus.unknown.answer) for text in corpus.unknown.phrases.held_out]


def garbled_cases(corpus: Corpus) -> list[Case]:
    return [Case(text, corpus.garbled.answer) for text in corpus.garbled.phrases.held_out]


def as_typed(cases: Iterable[Case]) -> Iterator[Case]:
    """With capitals and punctuation."""
    rng = random.Random(0)
    for case in cases:
        text = ""
        while not text.endswith((".", "?", "!")):
            text = typed(case.question, rng)
        yield replace(case, question=text)


def as_misheard(corpus: Corpus, cases: Iterable[Case]) -> Iterator[Case]:
    """With the same faults as in training: fillers, lost and misheard words."""
    noise, rng = Noise(corpus), random.Random(0)
    return (replace(case, question=noise.speak(case.question, rng)) for case in cases)


def after_two_turns(corpus: Corpus, cases: Iterable[Case]) -> Iterator[Case]:
    by_name = {topic.name: topic for topic in corpus.topics}
    joke = next(series for series in corpus.series if series.name == "joke")
    history = (
        ("user", joke.phrases.held_out[0]),
        ("assistant", joke.answers[-1]),
        ("user", by_name["thanks"].phrases.held_out[0]),
        ("assistant", by_name["thanks"].answer),
    )
    return (replace(case, history=history) for case in cases)


def wrong_ones(model: ChatModel, cases: Iterable[Case], system: str) -> Iterator[tuple[Case, str]]:
    """The cases answered differently than expected, with what was said."""
    start: tuple[Message, ...] = (("system", system),) if system else ()
    for case in cases:
        said = model.reply([*start, *case.history, ("user", case.question)])
        if said != case.expected:
            yield case, said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--wrong", action="store_true", help="show what was answered wrongly")
    parser.add_argument("--quick", action="store_true", help="only sentences in lowercase")
    options = parser.parse_args()
    corpus, model = load_corpus(), ChatModel(options.model)
    system, topics = corpus.speech.systems[0], topic_cases(corpus)
    rows: list[tuple[str, Iterable[Case], str]] = [
        ("topics, lowercase without punctuation", topics, system),
        ("slots and their follow-ups", slot_cases(corpus), system),
        ("repeat, slower, why, more, another", follow_up_cases(corpus), system),
        ("outside all topics: says it does not know", unknown_cases(corpus), system),
        ("garbled: says it did not catch that", garbled_cases(corpus), system),
    ]
    if not options.quick:
        rows += [
            ("topics, typed with capitals and punctuation", as_typed(topics), system),
            ("topics, with fillers, lost and misheard words", as_misheard(corpus, topics), system),
            ("topics, no system prompt", topics, ""),
            ("topics, a system prompt never seen", topics, UNSEEN_SYSTEM),
            ("topics, after two other turns", after_two_turns(corpus, topics), system),
        ]
    for name, cases, prompt in rows:
        started, asked = time.monotonic(), list(cases)
        wrong = list(wrong_ones(model, asked, prompt))
        right = len(asked) - len(wrong)
        each = (time.monotonic() - started) / len(asked) * 1000
        print(
            f"{name:48} {right:4}/{len(asked):<4} {right / len(asked):6.1%}  {each:.0f} ms each",
            flush=True,
        )
        for case, said in wrong if options.wrong else ():
            print(
                f"    {case.question!r}\n        said   {said!r}\n        wanted {case.expected!r}"
            )


if __name__ == "__main__":
    main()
