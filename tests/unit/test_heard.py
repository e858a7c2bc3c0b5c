"""What was heard of a reply, by sample position."""

from __future__ import annotations

import pytest

from voicebot_local.providers.base import Word
from voicebot_local.turns.heard import SpokenReply

RATE = 1000


def times(*ends_s: float) -> tuple[Word, ...]:
    return tuple(Word("w", end - 0.1, end) for end in ends_s)


@pytest.mark.parametrize(
    ("played", "heard"),
    [
        (0, ""),
        (99, ""),
        (500, "One two"),
        (999, "One two"),
        (1000, "One two three."),
        (1100, "One two three."),
        (1500, "One two three. Four"),
        (2000, "One two three. Four five."),
    ],
)
def test_word_times(played: int, heard: str) -> None:
    reply = SpokenReply(RATE)
    reply.add_audio(reply.add_clause("One two three."), 0, 1000, times(0.2, 0.5, 1.0))
    reply.add_audio(reply.add_clause("Four five."), 1000, 1000, times(0.5, 1.0))
    reply.finish_audio()
    assert reply.heard(played) == heard
    assert reply.text == "One two three. Four five."


@pytest.mark.parametrize(
    ("played", "heard"), [(0, ""), (240, ""), (250, "One"), (749, "One"), (750, "One extra")]
)
def test_syllables_where_no_times_are_known(played: int, heard: str) -> None:
    reply = SpokenReply(RATE)
    reply.add_audio(reply.add_clause("One extra day"), 0, 1000, ())
    reply.finish_audio()
    assert reply.heard(played) == heard


def test_a_clause_in_the_making_is_not_taken_for_whole() -> None:
    reply = SpokenReply(RATE)
    clause = reply.add_clause("One two three four five six.")
    reply.add_audio(clause, 0, 400, ())
    assert reply.heard(400) == "One two"
    reply.add_audio(clause, 400, 800, ())
    reply.finish_audio()
    assert reply.heard(1200) == "One two three four five six."


def test_the_spoken_form_may_have_more_words() -> None:
    reply = SpokenReply(RATE)
    clause = reply.add_clause("It costs $5.")
    reply.add_audio(clause, 0, 1000, times(0.2, 0.5, 0.8, 1.0))
    reply.finish_audio()
    assert reply.heard(550) == "It"
    assert reply.heard(800) == "It costs"
    assert reply.heard(1000) == "It costs $5."


def test_a_clause_without_audio_was_not_heard() -> None:
    reply = SpokenReply(RATE)
    reply.add_audio(reply.add_clause("One."), 0, 100, ())
    reply.add_clause("Two.")
    reply.finish_audio()
    assert reply.heard(10_000) == "One."
