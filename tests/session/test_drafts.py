"""Replies that are prepared while the user may still go on: heard when right, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.session import snapshot
from tests.session.listener import Listener, Said, SpokenCard
from tests.session.scripted import BLOCK, RATE, ScriptChat, ScriptProviders, ScriptSynthesizer
from tests.session.test_session import SETTINGS, converse, records, reports
from voicebot_local.events import (
    Entry,
    PlayoutStarted,
    ReplyDrafted,
    ReplyStopped,
    SpeechProduced,
    TurnCommitted,
    TurnDiscarded,
    TurnSpeculated,
)
from voicebot_local.session import SessionSettings
from voicebot_local.turns.settings import TurnSettings

REPLIES = [f"This is reply number {n}, and it goes on for a while." for n in range(40)]


class Talk:
    """A conversation in which `said` is said, with a machine that takes `delay_s` for a word."""

    def __init__(
        self,
        *said: Said,
        delay_s: float = 0.02,
        ends: float = 8,
        settings: SessionSettings = SETTINGS,
    ) -> None:
        self.card = SpokenCard(said, ends)
        self.chat = ScriptChat(list(REPLIES), delay_s)
        self.ears = Listener(self.card)
        self.entries: list[Entry] = converse(
            self.card, ScriptProviders(self.ears, self.chat), settings
        )
        self.played = np.concatenate(self.card.played)

    def of(self, kind: type) -> list[Entry]:
        return [entry for entry in self.entries if isinstance(entry.event, kind)]

    def said_by_user(self) -> list[str]:
        return [record.user for record in records(self.entries)]


def test_a_right_draft_is_heard_with_the_next_block() -> None:
    t = Talk(Said(0.5, 1.5, "tell us of the old mill"))
    snapshot.check(t.entries, "draft_right")
    (drafted,), (committed,) = map(t.of, (ReplyDrafted, TurnCommitted))
    assert drafted.at < committed.at
    first = int(np.flatnonzero(t.played)[0])
    assert first / RATE - committed.at <= BLOCK / RATE
    assert len(t.chat.asked) == 1
    (report,) = reports(t.entries)
    assert (report.drafts, report.draft_right, report.wasted_pieces) == (1, True, 0)
    assert report.commit_ms is not None
    assert report.commit_ms <= 2 * BLOCK / RATE * 1000
    assert report.stages_ms["llm_first_token"] == 0


def test_a_wrong_draft_is_never_heard_and_its_waste_is_told() -> None:
    t = Talk(Said(0.5, 1.5, "tell us of the old mill"), Said(1.9, 2.6, "and of the river"))
    snapshot.check(t.entries, "draft_wrong")
    assert t.said_by_user() == ["tell us of the old mill and of the river"]
    (stopped,) = t.of(ReplyStopped)
    assert stopped.event == ReplyStopped(1, 0, "resumed")
    made = sum(
        e.event.samples
        for e in t.of(SpeechProduced)
        if isinstance(e.event, SpeechProduced) and e.event.revision == 0
    )
    assert made > 0
    (told,) = t.of(TurnSpeculated)
    assert isinstance(told.event, TurnSpeculated)
    assert (told.event.drafts, told.event.right) == (2, True)
    assert told.event.wasted_audio_s == round(made / RATE, 3)
    assert told.event.wasted_pieces > 0
    assert heard_calls(t) == {2}


def heard_calls(t: Talk) -> set[int]:
    """Which calls of the synthesizer the recording has, told by their level."""
    levels = {n: ScriptSynthesizer.level(n) for n in range(1, 60)}
    loud = t.played[t.played > 0]
    return {n for n, level in levels.items() if np.isclose(loud, level, atol=1e-4).any()}


def test_without_drafts_nothing_is_prepared() -> None:
    off = replace(SETTINGS, turn=TurnSettings(max_revisions=0, read_ahead=False))
    t = Talk(Said(0.5, 1.5, "tell us of the old mill"), settings=off)
    assert t.of(ReplyDrafted) == t.of(TurnSpeculated) == []
    assert t.chat.prefilled == []
    assert records(t.entries)[0].outcome == "completed"


def test_a_draft_is_bounded() -> None:
    short = replace(SETTINGS, turn=TurnSettings(draft_s=0.5, end_silence_s=2.5))
    t = Talk(Said(0.5, 1.5, "tell us of the old mill"), settings=short)
    (committed,) = t.of(TurnCommitted)
    before = [e.event for e in t.of(SpeechProduced) if e.at < committed.at]
    # One piece is on its way while the buffer has no room.
    assert sum(e.samples for e in before if isinstance(e, SpeechProduced)) <= 0.75 * RATE
    assert records(t.entries)[0].heard == REPLIES[0]


def test_the_chat_model_reads_ahead_what_stands_still() -> None:
    t = Talk(Said(0.5, 3.5, "one two three four five six"))
    read = [messages[-1].content for messages in t.chat.prefilled]
    assert read[0] == ""
    assert read[-1].startswith("one two three")
    whole = "one two three four five six"
    assert all(whole.startswith(text) for text in read)


def test_an_utterance_that_starts_while_the_reply_is_being_prepared() -> None:
    t = Talk(
        Said(0.5, 1.5, "tell us of the old mill"), Said(2.4, 3.0, "and of the river"), delay_s=0.3
    )
    snapshot.check(t.entries, "speech_while_preparing")
    assert t.said_by_user() == ["tell us of the old mill and of the river"]
    assert not t.played[: round(3.0 * RATE)].any()


@pytest.mark.parametrize("after_ms", range(-160, 161, 20))
def test_speech_at_the_instant_of_the_commitment(after_ms: int) -> None:
    """The second utterance begins so long after the reply would be committed."""
    first = Said(0.5, 1.5, "tell us of the old mill")
    (committed,) = Talk(first).of(TurnCommitted)
    start = round(committed.at + after_ms / 1000, 3)
    t = Talk(first, Said(start, start + 0.8, "what of the river"))
    if after_ms == 0:
        snapshot.check(t.entries, "speech_at_the_commitment")
    words = " ".join(t.said_by_user()).split()
    assert " ".join(words) == "tell us of the old mill what of the river"
    assert not t.of(TurnDiscarded)
    over = t.played[round((start + 0.3) * RATE) : round((start + 0.8) * RATE)]
    assert not over.any(), "nobody talks over the user"


def test_the_first_300_ms_of_every_utterance_reach_the_recognizer() -> None:
    said = [
        Said(0.5, 1.2, "tell us of the old mill"),
        Said(1.6, 2.2, "and of the river"),
        Said(4.0, 4.5, "mm hm"),
        Said(6.5, 7.4, "no wait what was that"),
        Said(7.75, 8.3, "i mean the mill"),
        Said(12.0, 12.4, "thanks"),
    ]
    t = Talk(*said, ends=16)
    assert [t.ears.missed(one) for one in said] == [0] * len(said)


UTTERANCES = st.lists(
    st.tuples(
        st.floats(0.06, 2.5),  # the silence before it
        st.floats(0.15, 1.8),  # its length
        st.integers(0, 4),  # its words
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(UTTERANCES, st.sampled_from([0.005, 0.02, 0.15]), st.sampled_from([0, 1, 3]))
def test_no_words_are_lost_or_answered_twice_and_nothing_dropped_is_heard(
    script: list[tuple[float, float, int]], delay_s: float, max_revisions: int
) -> None:
    said: list[Said] = []
    at = 0.4
    number = 0
    for silence, length, count in script:
        names = [f"w{number + n}" for n in range(count)]
        number += count
        said.append(Said(round(at + silence, 3), round(at + silence + length, 3), " ".join(names)))
        at = said[-1].end
    turn = TurnSettings(max_revisions=max_revisions)
    t = Talk(*said, delay_s=delay_s, ends=at + 12, settings=replace(SETTINGS, turn=turn))
    words = " ".join(t.said_by_user()).split()
    assert len(words) == len(set(words)), "no word is in two turns"
    discarded = {e.event.turn for e in t.of(TurnDiscarded) if isinstance(e.event, TurnDiscarded)}
    if not discarded:
        spoken = [word for one in said for word in one.text.split() if understood(t, one)]
        assert set(spoken) <= set(words), "no word is lost"
    told = [e.event for e in t.of(TurnCommitted) if isinstance(e.event, TurnCommitted)]
    assert len({(c.turn, c.revision) for c in told}) == len(told)
    # A revision that was dropped before it was committed leaves no sample in the recording.
    drafted = [e.event for e in t.of(ReplyDrafted) if isinstance(e.event, ReplyDrafted)]
    dropped = {(d.turn, d.revision) for d in drafted} - {(c.turn, c.revision) for c in told}
    assert not dropped & {(e.event.turn, e.event.revision) for e in t.of(PlayoutStarted)}
    # History is what was said and heard, turn by turn.
    kept = records(t.entries)
    if len(kept) > 1:
        past = [m.content for m in t.chat.asked[-1][1:-1] if m.role == "user"]
        assert past == [record.user for record in kept[:-1]][: len(past)]


def understood(t: Talk, one: Said) -> bool:
    """Long enough to be taken for speech at all."""
    return one.end - one.start >= 0.3
