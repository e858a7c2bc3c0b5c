"""How long the program waits when the user pauses, by what they said."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session import snapshot
from tests.session.listener import Listener, Said, SpokenCard
from tests.session.scripted import RATE, ScriptChat, ScriptProviders
from tests.session.test_session import SETTINGS, converse, records
from voicebot_local.events import Entry, ReplyDrafted, TurnCommitted

VAD_S = 0.1
"""What the detector's windows and the card's blocks add to a wait, at the most."""


class Talk:
    """A conversation in which `said` is said; `partial`: the recognizer tells words at once."""

    def __init__(self, *said: Said, partial: bool = True) -> None:
        self.card = SpokenCard(said, said[-1].end + 5)
        ears = Listener(self.card, partial=partial)
        chat = ScriptChat([f"Reply {number}." for number in range(20)])
        self.entries: list[Entry] = converse(self.card, ScriptProviders(ears, chat), SETTINGS)
        self.users = [record.user for record in records(self.entries)]
        self.played = np.concatenate(self.card.played)

    def waited_s(self, said: Said) -> float:
        """From the end of `said` to the next audible sample."""
        after = round(said.end * RATE)
        return int(np.flatnonzero(self.played[after:])[0]) / RATE


@pytest.mark.parametrize("partial", [True, False], ids=["partial words", "final words only"])
@pytest.mark.parametrize(
    "begun", ["we walked home and", "we walked home um", "we walked home with", "then give me the"]
)
def test_a_pause_of_700_ms_after_a_dangling_word_does_not_end_the_turn(
    begun: str, partial: bool
) -> None:
    first, second = Said(0.5, 1.5, begun), Said(2.2, 3.2, "big old dog")
    t = Talk(first, second, partial=partial)
    assert t.users == [f"{begun} big old dog"]
    assert not t.played[: round(second.end * RATE)].any()
    assert 0.5 < t.waited_s(second) < 0.75 + VAD_S + 0.05


@pytest.mark.parametrize("partial", [True, False], ids=["partial words", "final words only"])
def test_after_and_no_reply_is_even_prepared(partial: bool) -> None:
    first, second = Said(0.5, 1.5, "we walked home and"), Said(2.5, 3.2, "had some tea")
    t = Talk(first, second, partial=partial)
    snapshot.check(t.entries, "dangling" if partial else "dangling_final_words_only")
    (drafted,) = (e.event for e in t.entries if isinstance(e.event, ReplyDrafted))
    assert drafted.text == "we walked home and had some tea"


@pytest.mark.parametrize("partial", [True, False], ids=["partial words", "final words only"])
@pytest.mark.parametrize("command", ["stop", "yes", "no thank you"])
def test_a_command_is_answered_without_the_long_wait(command: str, partial: bool) -> None:
    said = Said(0.5, 1.0, command)
    t = Talk(said, partial=partial)
    assert t.users == [command]
    assert t.waited_s(said) <= SETTINGS.turn.least_silence_s + VAD_S


def test_a_command_alone_is_quick_not_its_beginning() -> None:
    """'no' ends in 0.3 s; this one goes on after less than that."""
    t = Talk(Said(0.5, 0.8, "no"), Said(1.05, 2.0, "i meant the other one"))
    assert t.users == ["no i meant the other one"]


def test_a_complete_question_waits_less() -> None:
    said = Said(0.5, 2.0, "what is the capital of france")
    plain = Said(0.5, 2.0, "i have never been to france")
    assert Talk(said).waited_s(said) < 0.5 + VAD_S < Talk(plain).waited_s(plain)


def test_who_trails_off_is_answered_in_the_end() -> None:
    said = Said(0.5, 1.5, "well i wanted to")
    t = Talk(said)
    assert t.users == ["well i wanted to"]
    assert t.waited_s(said) <= SETTINGS.turn.most_silence_s + VAD_S


def test_a_speaker_who_pauses_for_long_is_waited_for_longer() -> None:
    parts = ["we saw a green boat", "a blue one", "a big white ship", "a small canoe"]
    slow = [Said(0.5 + 1.6 * n, 1.5 + 1.6 * n, text) for n, text in enumerate(parts)]
    t = Talk(*slow)
    assert len(t.users) == 1
    committed = [e.event for e in t.entries if isinstance(e.event, TurnCommitted)]
    assert committed[-1].text == " ".join(parts)
    first_s = Talk(slow[0]).waited_s(slow[0])
    assert t.waited_s(slow[-1]) > first_s
