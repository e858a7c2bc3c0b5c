"""The assistant speaks unasked, in whole conversations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.session import snapshot
from tests.session.scripted import ScriptCard, ScriptChat, ScriptProviders, ScriptRecognizer
from tests.session.test_session import SETTINGS, converse, records
from tests.unit.test_turn_machine import Talk
from voicebot_local.errors import ProviderError
from voicebot_local.events import (
    PlayoutFinished,
    ReplyStopped,
    StageFailed,
    TurnFinished,
    TurnPrompted,
)
from voicebot_local.turns.conversation import SILENCE
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.prompter import NEVER, PrompterSettings
from voicebot_local.turns.settings import TurnSettings

GREETS = PrompterSettings(opening="Good morning.")
FRIENDLY = PrompterSettings(silence_s=5, silence_text="Still there?", at_most=2, interval_s=12.0)


def talk(settings: PrompterSettings) -> Talk:
    return Talk(TurnMachine(TurnSettings(), 0, settings))


def prompts(entries: list[object]) -> list[tuple[float, str]]:
    return [
        (round(entry.at, 1), entry.event.text)
        for entry in entries
        if isinstance(entry.event, TurnPrompted)
    ]


def test_the_conversation_is_opened_and_a_silence_broken() -> None:
    card = ScriptCard([(4.0, 5.0)], 30)
    chat = ScriptChat(["Fine.", "What do you like to eat?"])
    rules = PrompterSettings(opening="Good morning.", silence_s=8, at_most=1)
    providers = ScriptProviders(ScriptRecognizer(["how are you"]), chat)
    entries = converse(card, providers, replace(SETTINGS, prompter=rules))
    snapshot.check(entries, "prompter")
    said = [(turn.user, turn.heard) for turn in records(entries)]
    assert said == [
        ("", "Good morning."),
        ("how are you", "Fine."),
        ("", "What do you like to eat?"),
    ]
    asked = [(message.role, message.content) for message in chat.asked[1]]
    assert asked[1:] == [
        ("user", SILENCE),
        ("assistant", "Good morning."),
        ("user", "how are you"),
        ("assistant", "Fine."),
        ("user", rules.silence_instruction),
    ]


def test_who_speaks_first_is_not_greeted() -> None:
    card = ScriptCard([(0.2, 1.5)], 6)
    providers = ScriptProviders(ScriptRecognizer(["hello"]), ScriptChat(["Hi."]))
    entries = converse(card, providers, replace(SETTINGS, prompter=GREETS))
    assert [turn.heard for turn in records(entries)] == ["Hi."]


def test_a_silence_is_broken_so_often_and_not_sooner() -> None:
    card = ScriptCard([], 60)
    providers = ScriptProviders(ScriptRecognizer([]), ScriptChat([]))
    entries = converse(card, providers, replace(SETTINGS, prompter=FRIENDLY))
    (first, second) = prompts(entries)
    assert first[0] == pytest.approx(5, abs=0.1)
    assert second[0] == pytest.approx(17, abs=0.1)


def test_it_does_not_count_as_one_of_the_users_turns() -> None:
    card = ScriptCard([(3.0, 4.0)], 30)
    providers = ScriptProviders(ScriptRecognizer(["hello"]), ScriptChat(["Hi."]))
    entries = converse(card, providers, replace(SETTINGS, prompter=GREETS, turns=1))
    assert [turn.heard for turn in records(entries)] == ["Good morning.", "Hi."]


def test_the_user_may_speak_before_it_is_heard_and_then_it_is_not() -> None:
    t = talk(FRIENDLY)
    (prompted,) = t.pause(5.1)
    assert isinstance(prompted, TurnPrompted)
    stopped, started = t.speak(0.3)
    assert stopped == ReplyStopped(1, 0, "resumed")
    assert started.turn == 1
    t.pause(3)
    made = t.final(1, 0, "hello")
    assert [d.text for d in made] == ["hello"]


def test_while_the_user_speaks_or_is_answered_nothing_is_said_unasked() -> None:
    t = talk(FRIENDLY)
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    assert t.pause(60) == []
    t.see(PlayoutFinished(1, 0, 0, 0))
    assert t.pause(4.8) == []
    assert [type(d) for d in t.pause(0.4)] == [TurnPrompted]


def test_what_was_not_understood_is_no_silence() -> None:
    t = talk(FRIENDLY)
    t.pause(4)
    t.speak(1)
    t.pause(3)
    t.final(1, 0, "")
    assert t.pause(4) == []
    assert [type(d) for d in t.pause(1.2)] == [TurnPrompted]


def test_a_prompt_that_fails_is_let_be() -> None:
    t = talk(FRIENDLY)
    t.pause(5.1)
    made = t.see(StageFailed(1, 0, "chat", "broken"))
    assert made == [ReplyStopped(1, 0, "failed"), TurnFinished(1, "failed")]
    failing = ScriptChat([ProviderError("scripted", "broken")])
    providers = ScriptProviders(ScriptRecognizer([]), failing)
    rules = PrompterSettings(silence_s=5, at_most=1)
    entries = converse(ScriptCard([], 10), providers, replace(SETTINGS, prompter=rules))
    assert [turn.outcome for turn in records(entries)] == ["failed"]


def test_it_is_off_unless_asked_for() -> None:
    t = talk(NEVER)
    assert t.pause(3600) == []
