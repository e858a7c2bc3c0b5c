"""Sounds over a reply: the reply fades, stands still, and goes on or gives way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session import snapshot
from tests.session.listener import Listener, Said, SpokenCard
from tests.session.scripted import BLOCK, RATE, ScriptChat, ScriptProviders, ScriptSynthesizer
from tests.session.test_session import SETTINGS, converse, records
from voicebot_local.audio.playout import FADE_S
from voicebot_local.events import Entry, ReplyResumed, ReplyStopped, TurnDiscarded
from voicebot_local.providers.base import Samples

REPLY = "One two three four five six seven eight nine ten eleven twelve."
WORD = round(0.25 * RATE)
ASKED = Said(0.5, 1.5, "count to twelve please")


class Conversation:
    """`ASKED`, then what is said over the reply to it."""

    def __init__(self, *over: Said, partial: bool = True) -> None:
        self.card = SpokenCard([ASKED, *over], 9)
        self.chat = ScriptChat([REPLY, "All right.", "So be it.", "And so on."])
        self.ears = Listener(self.card, partial=partial)
        self.entries: list[Entry] = converse(self.card, ScriptProviders(self.ears, self.chat))
        self.played: Samples = np.concatenate(self.card.played)

    def of(self, kind: type) -> list[Entry]:
        return [entry for entry in self.entries if isinstance(entry.event, kind)]

    def silence_after(self, second: float) -> float:
        """How long after that moment of the recording the loudspeaker falls silent (s)."""
        after = self.played[round(second * RATE) :]
        return int(np.flatnonzero(after == 0)[0]) / RATE


@pytest.mark.parametrize(
    ("name", "over"),
    [
        ("mm_hm", Said(3.2, 3.6, "mm hm")),
        ("cough", Said(3.2, 3.5, "")),
        ("one_word", Said(3.2, 3.7, "hat")),
        ("long_noise", Said(3.2, 3.9, "")),
    ],
)
def test_what_is_no_interruption_pauses_the_reply_and_nothing_is_lost(
    name: str, over: Said
) -> None:
    c = Conversation(over)
    snapshot.check(c.entries, f"over_{name}")
    (turn,) = records(c.entries)
    assert (turn.outcome, turn.heard, turn.user) == ("completed", REPLY, ASKED.text)
    (discarded,) = c.of(TurnDiscarded)
    assert discarded.event == TurnDiscarded(2, "listening")
    assert len(c.of(ReplyResumed)) == 1
    assert c.silence_after(over.start) < 0.25, "it is quiet while the user makes a sound"
    assert len(c.chat.asked) == 1
    assert_goes_on_with_the_next_sample(c.played, 12 * WORD)


def assert_goes_on_with_the_next_sample(played: Samples, made: int) -> None:
    """All samples that were made are played once: as loud as they are, but for two fades."""
    sound = played[played != 0]
    assert len(sound) == made
    level = ScriptSynthesizer.level(1)
    fades = np.flatnonzero(sound < level * 0.999)
    assert len(fades) == 2 * round(FADE_S * RATE)
    assert fades[-1] - fades[0] == len(fades) - 1, "one ends where the other begins"
    assert np.abs(np.diff(sound)).max() <= level / round(FADE_S * RATE) * 1.01, "no click"


@pytest.mark.parametrize("partial", [True, False])
def test_a_stop_word_ends_the_reply(partial: bool) -> None:
    c = Conversation(Said(3.2, 3.6, "stop"), partial=partial)
    snapshot.check(c.entries, "over_stop" if partial else "over_stop_without_partial_words")
    first, second = records(c.entries)
    assert (first.outcome, second.user) == ("interrupted", "stop")
    assert c.silence_after(3.2) <= 0.25
    assert_heard_is_what_was_played(c)


def test_words_end_the_reply_and_are_the_next_turn() -> None:
    c = Conversation(Said(3.2, 4.4, "what about the other numbers"))
    first, second = records(c.entries)
    assert (first.outcome, second.user) == ("interrupted", "what about the other numbers")
    (stopped,) = c.of(ReplyStopped)
    assert stopped.at - 3.2 <= 1.0, "two words, the recognizer's delay, and a third to be sure"
    assert c.silence_after(3.2) <= 0.25
    assert_heard_is_what_was_played(c)


def test_lasting_speech_ends_it_where_no_words_come() -> None:
    c = Conversation(Said(3.2, 5.2, "what about the other numbers"), partial=False)
    snapshot.check(c.entries, "over_without_partial_words")
    first, second = records(c.entries)
    assert (first.outcome, second.user) == ("interrupted", "what about the other numbers")
    (stopped,) = c.of(ReplyStopped)
    assert stopped.at - 3.2 <= SETTINGS.turn.barge_in_speech_s + 0.1


def test_what_was_heard_is_exact_after_a_pause_as_well() -> None:
    c = Conversation(Said(2.8, 3.1, "yeah"), Said(4.6, 5.6, "no that is enough"))
    first, second = records(c.entries)
    assert (first.outcome, second.user) == ("interrupted", "no that is enough")
    assert_heard_is_what_was_played(c)


def assert_heard_is_what_was_played(c: Conversation) -> None:
    """The first reply's words in the recording, told by its level, are those remembered."""
    level = ScriptSynthesizer.level(1)
    samples = np.count_nonzero((c.played > 0) & (c.played <= level * 1.0001))
    words = int(samples) // WORD
    assert 0 < words < 12
    heard = " ".join(REPLY.split()[:words])
    assert records(c.entries)[0].heard == heard
    assert (c.chat.asked[1][-2].content, c.chat.asked[1][-2].interrupted) == (heard, True)


def test_the_first_words_over_a_reply_reach_the_recognizer() -> None:
    over = Said(3.2, 4.4, "what about the other numbers")
    c = Conversation(over)
    assert c.ears.missed(over) == 0
    assert c.ears.missed(ASKED) == 0


def test_silence_comes_within_a_block_of_the_decision() -> None:
    c = Conversation(Said(3.2, 3.6, "stop"))
    (stopped,) = c.of(ReplyStopped)
    after = round(stopped.at * RATE) + BLOCK
    assert not c.played[after : after + RATE // 5].any()
