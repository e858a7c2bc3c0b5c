"""What is dropped from a conversation that outgrows the window, and that it is done in steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.providers.base import Message
from voicebot_local.turns.history import fit

PERSONA = Message("system", "p p p p p p p p p p")


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def words(message: Message) -> int:
    return len(message.content.split())


def size(messages: list[Message]) -> int:
    return sum(map(words, messages))


def talk(turns: int, length: int = 5) -> list[Message]:
    """A conversation of that many turns, which ends with a user message."""
    said: list[Message] = [PERSONA]
    for number in range(turns):
        said += [user(f"u{number} " * length), assistant(f"a{number} " * length)]
    return [*said, user("last " * length)]


def test_a_conversation_that_fits_stays_whole() -> None:
    assert fit(talk(8), words, 95) == talk(8)


def test_the_oldest_whole_turns_go_and_the_persona_stays() -> None:
    kept = fit(talk(9), words, 100)
    assert kept[0] == PERSONA
    assert kept[1].role == "user"
    assert kept[1:] == talk(9)[-len(kept) + 1 :]
    assert size(kept) <= 75


def test_it_drops_in_steps_so_that_the_prefix_stays_for_several_turns() -> None:
    starts = [fit(talk(turns), words, 200)[1].content for turns in range(60)]
    changes = sum(before != after for before, after in pairwise(starts))
    assert 0 < changes <= 60 * 10 / (200 * 0.25)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=30), st.integers(40, 200)
)
def test_a_growing_conversation_is_cut_alike(lengths: list[tuple[int, int]], budget: int) -> None:
    said, before = [PERSONA], [PERSONA]
    for number, (asked, answered) in enumerate(lengths):
        said.append(user(f"u{number} " * asked))
        kept = fit(said, words, budget)
        assert size(kept) <= budget
        assert kept[0] == PERSONA
        assert kept[-1].role == "user"
        grown = [*before, said[-1]]
        assert kept == grown or size(grown) > budget or before == [PERSONA]
        said.append(assistant(f"a{number} " * answered))
        before = [*kept, said[-1]]


def test_a_question_longer_than_everything_loses_its_beginning() -> None:
    question = user(" ".join(f"w{number}" for number in range(500)))
    kept = fit([PERSONA, user("hello"), assistant("hi"), question], words, 50)
    assert kept[0] == PERSONA
    assert kept[1].content.split() == [f"w{number}" for number in range(460, 500)]


def test_a_persona_longer_than_everything_loses_its_end() -> None:
    persona = Message("system", " ".join(f"w{number}" for number in range(500)))
    kept = fit([persona, user("hello there")], words, 40)
    assert kept == [Message("system", " ".join(f"w{n}" for n in range(30))), user("hello there")]


def test_one_endless_word_is_cut_inside() -> None:
    kept = fit([user("x" * 1000)], lambda message: len(message.content), 100)
    assert kept == [user("x" * 100)]


@pytest.mark.parametrize("messages", [[], [PERSONA], [assistant("hello")], [user("")]])
def test_little_is_left_as_it_is(messages: list[Message]) -> None:
    assert fit(messages, words, 100) == messages


def test_a_greeting_before_the_first_question_is_a_turn() -> None:
    said = [PERSONA, assistant("g " * 30), user("u " * 30), assistant("a " * 30), user("v " * 10)]
    assert fit(said, words, 100) == [PERSONA, said[4]]
    assert fit(said, words, 109) == [PERSONA, *said[2:]]
