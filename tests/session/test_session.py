"""Whole conversations with scripted providers under a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import anyio
import numpy as np
import pytest

from tests.session import snapshot
from tests.session.listener import Listener, Said, SpokenCard
from tests.session.scripted import (
    RATE,
    LoudnessDetector,
    ScriptCard,
    ScriptChat,
    ScriptProviders,
    ScriptRecognizer,
    ScriptSynthesizer,
)
from tests.session.virtual_time import VirtualLoop
from voicebot_local.audio.card import Block, CardNotice
from voicebot_local.errors import InputError, ProviderError
from voicebot_local.events import (
    Entry,
    EventLog,
    RecordingFailed,
    ReplyStopped,
    SpeechStarted,
    TurnCommitted,
    TurnRecorded,
)
from voicebot_local.gpu.trace import examine
from voicebot_local.metrics import TurnReport, TurnReports
from voicebot_local.session import APOLOGY, BlockSink, Session, SessionSettings
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.replay import replay
from voicebot_local.turns.settings import TurnSettings

SETTINGS = SessionSettings(TurnSettings(), "Be brief.", "scripted")


def converse(
    card: ScriptCard,
    providers: ScriptProviders,
    settings: SessionSettings = SETTINGS,
    sinks: Sequence[BlockSink] = (),
    typed: Sequence[tuple[float, str]] = (),
) -> list[Entry]:
    """Run the session to its end in virtual time; its decisions must be the replay's.

    `typed`: seconds since the line before, and a line; a space is the key to talk.
    """
    entries: list[Entry] = []

    async def run() -> None:
        log = EventLog(anyio.current_time)
        log.add_reader(entries.append)
        session = Session(card, providers, log, settings, sinks, LoudnessDetector())

        async def type_lines() -> None:
            for at, text in typed:
                await anyio.sleep(at)
                session.press() if text == " " else session.type(text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(type_lines)
            with anyio.fail_after(3600):
                await session.run()
            tasks.cancel_scope.cancel()

    anyio.run(run, backend_options={"loop_factory": VirtualLoop})
    machine = TurnMachine(settings.turn, settings.turns, settings.prompter)
    for observation, logged, made in replay(entries, machine):
        assert made == logged, observation
    assert examine(entries).violations == []
    return entries


def records(entries: list[Entry]) -> list[TurnRecorded]:
    return [entry.event for entry in entries if isinstance(entry.event, TurnRecorded)]


def reports(entries: list[Entry]) -> list[TurnReport]:
    made: list[TurnReport] = []
    reader = TurnReports(made.append)
    for entry in entries:
        reader(entry)
    return made


def test_two_turns() -> None:
    card = SpokenCard([Said(0.5, 1.5, "what is two and two"), Said(6.0, 7.0, "thank you")], 8)
    chat = ScriptChat(["Four. That was easy, was it not?", "You are welcome."])
    providers = ScriptProviders(Listener(card), chat)
    entries = converse(card, providers)
    snapshot.check(entries, "two_turns")
    assert [(m.role, m.content) for m in chat.asked[1]] == [
        ("system", "Be brief."),
        ("user", "what is two and two"),
        ("assistant", "Four. That was easy, was it not?"),
        ("user", "thank you"),
    ]
    first = reports(entries)[0]
    played = np.concatenate(card.played)
    audible = int(np.flatnonzero(played)[0])
    assert first.voice_to_voice_ms == pytest.approx((audible / RATE - 1.5) * 1000, abs=10)
    assert first.heard == first.assistant
    assert sum(value or 0 for value in first.stages_ms.values()) == pytest.approx(
        first.voice_to_voice_ms, abs=60
    )


def test_the_recognizer_gets_what_was_said_before_speech_was_detected() -> None:
    card = ScriptCard([(1.0, 2.0)], 4)
    recognizer = ScriptRecognizer(["hello"])
    converse(card, ScriptProviders(recognizer, ScriptChat(["Hi."])))
    heard = recognizer.audio[0]
    assert np.count_nonzero(heard) == RATE, "all of the speech, once"
    before = int(np.flatnonzero(heard)[0])
    assert before >= 0.45 * RATE, "and the time before it"


def test_barge_in_keeps_what_was_heard() -> None:
    said = [Said(0.5, 1.5, "count to ten"), Said(3.5, 4.5, "no wait stop it")]
    card = SpokenCard(said, 7)
    chat = ScriptChat(["One two three four five six seven eight nine ten.", "All right."])
    providers = ScriptProviders(Listener(card), chat)
    entries = converse(card, providers)
    snapshot.check(entries, "barge_in")
    interrupted = records(entries)[0]
    assert interrupted.outcome == "interrupted"
    played = np.concatenate(card.played)
    first_reply = played[: round(4.0 * RATE)]
    words_played = np.count_nonzero(first_reply) // round(0.25 * RATE)
    assert interrupted.heard == " ".join(chat.replies[0].split()[:words_played])
    assert 0 < words_played < 10
    assert chat.asked[1][-2].interrupted
    assert chat.asked[1][-2].content == interrupted.heard
    assert records(entries)[1].user == "no wait stop it", "also what was said over the reply"
    silent = 3.5 + SETTINGS.turn.barge_in_s + 0.1
    assert not played[round(silent * RATE) : round(4.5 * RATE)].any()


def test_speech_that_goes_on_before_the_reply_is_one_turn() -> None:
    card = SpokenCard([Said(0.5, 1.5, "what is"), Said(2.3, 3.0, "the best colour")], 6)
    chat = ScriptChat(["Too early.", "A fine question."], delay_s=0.2)
    entries = converse(card, ScriptProviders(Listener(card), chat))
    snapshot.check(entries, "resumed")
    assert [record.user for record in records(entries)] == ["what is the best colour"]
    assert not (np.concatenate(card.played)[: round(3.0 * RATE)]).any()


def test_parts_share_the_audio_without_gap_or_repeat() -> None:
    card = ScriptCard([(0.5, 1.5), (2.3, 3.0)], 6)
    recognizer = ScriptRecognizer(["a", "b"], delay_s=1.0)
    settings = replace(SETTINGS, turn=TurnSettings(rejoin_s=0))
    converse(card, ScriptProviders(recognizer, ScriptChat(["Yes."] * 2)), settings)
    assert sum(np.count_nonzero(audio) for audio in recognizer.audio) == round(1.7 * RATE)


def test_a_noise_is_not_answered() -> None:
    card = ScriptCard([(0.5, 0.8), (3.0, 4.0)], 6)
    chat = ScriptChat(["Hello."])
    entries = converse(card, ScriptProviders(ScriptRecognizer(["", "hello"]), chat))
    assert [record.user for record in records(entries)] == ["hello"]
    assert len(chat.asked) == 1


@pytest.mark.parametrize("stage", ["recognizer", "chat", "synthesizer"])
def test_a_failed_turn_is_apologized_for_and_the_next_one_works(stage: str) -> None:
    failure = ProviderError(stage, f"the {stage} stopped unexpectedly")
    card = ScriptCard([(0.5, 1.5), (7.0, 8.0)], 10)
    recognizer = ScriptRecognizer(["one", "two"])
    chat = ScriptChat(["The first reply.", "The second reply."])
    synthesizer = ScriptSynthesizer()
    match stage:
        case "recognizer":
            recognizer.texts = [failure, "two"]
            chat.replies = ["The second reply."]
        case "chat":
            chat.replies = [failure, failure, "The second reply."]
        case _:
            chat.replies = ["A draft.", "The first reply.", "The second reply."]
            synthesizer.failures = [failure, failure]
    entries = converse(card, ScriptProviders(recognizer, chat, synthesizer))
    snapshot.check(entries, f"failed_{stage}")
    failed, worked = records(entries)
    assert (failed.outcome, worked.outcome) == ("failed", "completed")
    assert (APOLOGY.split(",")[0] in " ".join(synthesizer.said)) == (stage != "synthesizer")
    assert worked.assistant == "The second reply."


def test_when_the_apology_fails_too_the_session_goes_on() -> None:
    failure = ProviderError("any", "it broke")
    card = ScriptCard([(0.5, 1.5), (4.0, 5.0)], 8)
    providers = ScriptProviders(
        ScriptRecognizer(["one", "two"]),
        ScriptChat([failure, failure, "Fine."]),
        ScriptSynthesizer(failures=[None, None, failure, None]),
    )
    assert [r.outcome for r in records(converse(card, providers))] == ["failed", "completed"]


def test_two_utterances_within_a_second() -> None:
    card = SpokenCard([Said(0.5, 1.0, "tell me"), Said(1.45, 1.9, "a joke")], 5)
    entries = converse(card, ScriptProviders(Listener(card), ScriptChat(["Good."] * 2)))
    snapshot.check(entries, "two_utterances_within_a_second")
    assert [record.user for record in records(entries)] == ["tell me a joke"]


def test_thirty_minutes_of_continuous_speech() -> None:
    card = ScriptCard([(0.5, 1800.5)], 1803)
    providers = ScriptProviders(
        ScriptRecognizer([f"part {n}" for n in range(31)]), ScriptChat(["I see."])
    )
    entries = converse(card, providers)
    snapshot.check(entries, "thirty_minutes")
    parts = [e.event for e in entries if isinstance(e.event, SpeechStarted)]
    assert [part.part for part in parts] == list(range(31))
    (record,) = records(entries)
    assert record.user == " ".join(f"part {n}" for n in range(31))
    assert sum(map(np.count_nonzero, providers.recognizer.audio)) == 1800 * RATE


def test_number_of_turns() -> None:
    card = ScriptCard([(0.5, 1.5), (5.0, 6.0), (9.0, 10.0)], 12)
    providers = ScriptProviders(ScriptRecognizer(["one", "two", "three"]), ScriptChat(["So."] * 3))
    settings = SessionSettings(TurnSettings(), "", "scripted", turns=2)
    assert len(records(converse(card, providers, settings))) == 2


def test_typed_turns_are_answered_aloud() -> None:
    card = ScriptCard([], 8)
    chat = ScriptChat(["One two three four five six.", "Fine."])
    providers = ScriptProviders(ScriptRecognizer([]), chat)
    typed = [(0.5, "count"), (1.0, "stop")]
    settings = SessionSettings(TurnSettings(), "", "scripted", turns=2)
    entries = converse(card, providers, settings, typed=typed)
    first, second = records(entries)
    assert (first.user, first.outcome) == ("count", "interrupted")
    assert (second.user, second.outcome) == ("stop", "completed")
    assert np.concatenate(card.played).any()


def test_nothing_said_ends_quietly() -> None:
    entries = converse(ScriptCard([], 3), ScriptProviders(ScriptRecognizer([]), ScriptChat([])))
    assert records(entries) == []


def test_an_empty_reply_ends_the_turn() -> None:
    card = ScriptCard([(0.5, 1.5)], 4)
    entries = converse(card, ScriptProviders(ScriptRecognizer(["hm"]), ScriptChat([""])))
    assert [r.outcome for r in records(entries)] == ["completed"]


class FullDisk:
    """A recording that stops after a second."""

    def __init__(self) -> None:
        self.blocks = 0

    def write(self, block: Block) -> None:
        self.blocks += 1
        if self.blocks > 50:
            raise InputError("the disk is full", "make room")


def test_a_full_disk_does_not_end_the_conversation() -> None:
    card = ScriptCard([(0.5, 1.5)], 4)
    sink = FullDisk()
    providers = ScriptProviders(ScriptRecognizer(["hi"]), ScriptChat(["Hello."]))
    entries = converse(card, providers, sinks=[sink])
    assert sum(isinstance(entry.event, RecordingFailed) for entry in entries) == 1
    assert [record.assistant for record in records(entries)] == ["Hello."]
    assert sink.blocks == 51


def test_a_card_that_vanishes_and_returns() -> None:
    notices = [
        (2.0, CardNotice("script", lost=True, message="unplugged")),
        (3.0, CardNotice("script", lost=False)),
    ]
    card = ScriptCard([(0.5, 1.5)], 4, notices)
    entries = converse(card, ScriptProviders(ScriptRecognizer(["hi"]), ScriptChat(["Hello."])))
    names = [type(entry.event).__name__ for entry in entries]
    assert names.index("CardLost") < names.index("CardBack")
    assert [record.assistant for record in records(entries)] == ["Hello."]


def test_a_slow_synthesizer_is_reported_as_underrun() -> None:
    card = ScriptCard([(0.5, 1.5)], 8)
    synthesizer = ScriptSynthesizer(word_s=0.1, cost_s=0.2)
    providers = ScriptProviders(
        ScriptRecognizer(["hi"]), ScriptChat(["One two three."]), synthesizer
    )
    entries = converse(card, providers)
    snapshot.check(entries, "underrun")
    assert any(type(entry.event).__name__ == "PlayoutUnderrun" for entry in entries)


def test_every_commitment_has_one_end() -> None:
    card = ScriptCard([(0.5, 1.5), (3.0, 3.6), (4.4, 5.0), (8.0, 9.0)], 12)
    chat = ScriptChat([f"This is reply number {n}, and it is long." for n in range(6)])
    entries = converse(card, ScriptProviders(ScriptRecognizer(["a", "b", "c", "d"]), chat))
    names = [type(entry.event).__name__ for entry in entries]
    committed = [e.event for e in entries if isinstance(e.event, TurnCommitted)]
    assert len({(c.turn, c.revision) for c in committed}) == len(committed)
    stopped = [e.event for e in entries if isinstance(e.event, ReplyStopped)]
    resumed = [s for s in stopped if s.reason == "resumed"]
    taken_back = {(s.turn, s.revision) for s in resumed} & {(c.turn, c.revision) for c in committed}
    assert len(committed) == names.count("TurnFinished") + len(taken_back)
