"""The corpus of the starter chat model: it parses, it is fair to measure on, and can be spoken."""

from __future__ import annotations

import random
import re

import pytest

from scripts.make_fixtures.chat.corpus import load_corpus
from scripts.make_fixtures.chat.evaluate import follow_up_cases, topic_cases
from scripts.make_fixtures.chat.grammar import GrammarError, normal, parse
from scripts.make_fixtures.chat.noise import Noise, typed
from scripts.make_fixtures.chat.sentences import sentences
from scripts.make_fixtures.chat.talk import State, Talker

CORPUS = load_corpus()
SPEAKABLE = re.compile(r"[A-Za-z ,.?!'-]+")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("hello", ["hello"]),
        ("(a|b) c", ["a c", "b c"]),
        ("a( b|)", ["a b", "a"]),
        ("(a (b|c)|d)", ["a b", "a c", "d"]),
        ("<greeting> {name}", ["hi anna", "hi ben", "hey anna", "hey ben"]),
    ],
)
def test_a_template_expands_to_all_its_choices(template: str, expected: list[str]) -> None:
    tree = parse(template, {"greeting": "(hi|hey)"}, {"name": ["anna", "ben"]})
    assert list(tree.expand()) == expected
    assert tree.count() == len(expected)
    assert tree.sample(random.Random(0)) in expected


@pytest.mark.parametrize("template", ["(a|b", "a)", "<nothing>", "{nothing}", "a < b"])
def test_a_bad_template_says_so(template: str) -> None:
    with pytest.raises(GrammarError):
        parse(template)


def test_no_held_out_sentence_can_be_trained_on() -> None:
    told = {normal(text) for _, phrases in CORPUS.all_phrases() for text in phrases.expand()}
    assert len(told) > 50_000
    assert not {text for text in told if CORPUS.is_held_out(text)}


def test_made_up_conversations_hold_no_held_out_sentence() -> None:
    talker, rng = Talker(CORPUS), random.Random(0)
    talks = [talker.make(rng) for _ in range(1000)]
    asked = [turn.question for talk in talks for turn in talk.turns]
    assert not [question for question in asked if CORPUS.is_held_out(question)]


def test_no_sentence_has_two_answers() -> None:
    owners: dict[str, set[str]] = {}
    for name, phrases in CORPUS.all_phrases():
        for text in phrases.expand():
            owners.setdefault(normal(text), set()).add(name)
    assert not {text: names for text, names in owners.items() if len(names) > 1}


def test_every_topic_has_enough_held_out_sentences() -> None:
    few = [name for name, phrases in CORPUS.all_phrases() if len(set(phrases.held_out)) < 3]
    assert few == []
    assert len(CORPUS.topics) >= 130
    assert len(CORPUS.unknown.phrases.held_out) >= 40


def test_held_out_sentences_are_asked_of_one_topic_only() -> None:
    cases = topic_cases(CORPUS)
    assert len({normal(case.question) for case in cases}) == len(cases)
    assert {case.expected for case in follow_up_cases(CORPUS)}


def test_every_answer_can_be_spoken() -> None:
    answers = [topic.answer for topic in (*CORPUS.topics, CORPUS.unknown, CORPUS.garbled)]
    answers += [extra for t in CORPUS.topics for extra in (t.why, t.more) if extra]
    answers += [text for series in CORPUS.series for text in (*series.answers, *series.reveals)]
    answers += [topic.answer for slot in CORPUS.slots for topic in slot.topics.values()]
    for answer in answers:
        speakable = answer.replace(":", ",")
        assert SPEAKABLE.fullmatch(speakable), answer
        assert answer[0].isupper(), answer
        assert answer[-1] in ".?!", answer
        assert len(re.findall(r"[.?!](?= |$)", answer)) <= 3, answer


def test_a_series_goes_on_and_begins_again() -> None:
    state = State(CORPUS)
    jokes = next(series for series in CORPUS.series if series.name == "joke")
    told = [state.tell(jokes), *(state.another() for _ in jokes.answers)]
    assert told == [*jokes.answers, jokes.answers[0]]


def test_a_riddle_is_solved_only_when_it_was_asked() -> None:
    riddles = next(series for series in CORPUS.series if series.reveals)
    state = State(CORPUS)
    assert state.reveal() == CORPUS.follow_ups["reveal"].nothing
    state.tell(riddles)
    assert state.reveal() == riddles.reveals[0]
    assert state.another() == riddles.answers[1]
    assert state.reveal() == riddles.reveals[1]


def test_a_repeated_answer_is_the_last_one() -> None:
    state = State(CORPUS)
    assert state.follow_up("repeat") == CORPUS.follow_ups["repeat"].nothing
    said = state.answer(CORPUS.topics[0])
    assert state.follow_up("repeat") == said
    assert state.follow_up("slower") == f"Of course. {said}"
    assert state.follow_up("repeat") == said


def test_noise_keeps_what_the_question_is_about() -> None:
    noise, rng = Noise(CORPUS), random.Random(0)
    for _ in range(500):
        assert "france" in noise.spoil("what is the capital of france", rng).lower()


def test_typed_text_has_capitals_and_marks() -> None:
    made = {typed("what is two plus ten", random.Random(seed)) for seed in range(40)}
    assert {"What is two plus ten?", "What is 2 + 10?"} <= made


def test_sentences_for_the_recognizer_are_plain_and_the_same_every_time() -> None:
    made = sentences(CORPUS)
    assert made == sentences(CORPUS)
    assert len(made) == len(set(made)) > 3000
    assert all(re.fullmatch(r"[a-z' ]+", text) for text in made)
    assert not [text for text in made if CORPUS.is_held_out(text)]
