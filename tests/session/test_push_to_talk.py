"""Push-to-talk in whole conversations, with snapshots of their logs."""

from __future__ import annotations

from dataclasses import replace

from tests.session import snapshot
from tests.session.scripted import ScriptCard, ScriptChat, ScriptProviders, ScriptRecognizer
from tests.session.test_session import SETTINGS, converse, records
from voicebot_local.turns.settings import TurnSettings

BY_KEY = replace(SETTINGS, turn=TurnSettings(mode="push-to-talk"))
LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."


def test_only_what_follows_the_key_is_answered() -> None:
    card = ScriptCard([(0.5, 1.5), (3.0, 4.0)], 8)
    providers = ScriptProviders(ScriptRecognizer(["hello"]), ScriptChat(["Hi."]))
    entries = converse(card, providers, BY_KEY, typed=[(2.5, " "), (1.6, " ")])
    snapshot.check(entries, "push_to_talk")
    (turn,) = records(entries)
    assert (turn.user, turn.heard) == ("hello", "Hi.")


def test_the_key_interrupts_the_reply_and_speech_alone_does_not() -> None:
    card = ScriptCard([(0.5, 1.5), (3.0, 3.8), (5.0, 6.0)], 9)
    recognizer = ScriptRecognizer(["count", "what was five"])
    providers = ScriptProviders(recognizer, ScriptChat([LONG, "Five."]))
    keys = [(0.4, " "), (1.2, " "), (3.2, " "), (1.3, " ")]
    entries = converse(card, providers, BY_KEY, typed=keys)
    snapshot.check(entries, "push_to_talk_interrupts")
    first, second = records(entries)
    assert first.outcome == "interrupted"
    assert 0 < len(first.heard) < len(LONG)
    assert (second.user, second.outcome) == ("what was five", "completed")


def test_a_typed_line_goes_between() -> None:
    card = ScriptCard([(0.5, 1.5)], 7)
    providers = ScriptProviders(ScriptRecognizer(["one"]), ScriptChat(["Uno.", "Dos."]))
    entries = converse(card, providers, BY_KEY, typed=[(0.4, " "), (1.2, " "), (2.0, "two")])
    assert [turn.user for turn in records(entries)] == ["one", "two"]
