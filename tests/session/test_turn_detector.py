"""Conversations in which a detector judges the user's pauses."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import pytest

from tests.session import snapshot
from tests.session.listener import Listener, Said, SpokenCard
from tests.session.scripted import RATE, ScriptCard, ScriptChat, ScriptProviders, ScriptRecognizer
from tests.session.test_session import SETTINGS, converse, records
from voicebot_local.errors import ModelError
from voicebot_local.events import Entry, TurnDetectorFailed, TurnScored
from voicebot_local.providers.base import Samples, Transcript


@dataclass
class ScriptDetector:
    """Gives `judge(samples)` after `delay_s`; an exception is raised."""

    judge: Callable[[Samples], float | ModelError]
    delay_s: float = 0.03
    name: str = "smart-turn"
    samples: int = 8 * RATE
    heard: list[Samples] = field(default_factory=list)

    async def score(self, samples: Samples) -> float:
        self.heard.append(samples)
        await anyio.sleep(self.delay_s)
        score = self.judge(samples)
        if isinstance(score, ModelError):
            raise score
        return score


def talk(detector: ScriptDetector, card: ScriptCard, texts: list[str]) -> list[Entry]:
    chat = ScriptChat([f"Reply {number}." for number in range(len(texts))])
    settings = replace(SETTINGS, turn_detector=detector)
    return converse(card, ScriptProviders(ScriptRecognizer([*texts]), chat), settings)


def of(entries: list[Entry], kind: type) -> list[object]:
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


def test_a_pause_that_sounds_unfinished_does_not_end_the_turn() -> None:
    """0.9 s of silence after half a sentence, then the rest of it."""
    detector = ScriptDetector(lambda heard: 0.98 if np_loud(heard) > 1.2 else 0.004)
    card = ScriptCard([(0.5, 1.5), (2.4, 3.0)], 6)
    entries = talk(detector, card, ["we met at the old mill", "and then we left"])
    snapshot.check(entries, "unfinished_by_score")
    assert len(records(entries)) == 1
    answered = next(e.at for e in entries if type(e.event).__name__ == "PlayoutStarted")
    assert 3.0 < answered < 3.9


def np_loud(samples: Samples) -> float:
    return float((abs(samples) > 0.1).sum()) / RATE


def test_scores_come_while_the_pause_lasts_and_hear_all_of_the_turn() -> None:
    detector = ScriptDetector(lambda _: 0.05)
    entries = talk(detector, ScriptCard([(0.5, 1.5)], 5), ["what a day it was there"])
    scores = of(entries, TurnScored)
    assert len(scores) >= 4
    assert all(isinstance(s, TurnScored) and s.position > 1.5 * RATE for s in scores)
    assert all(np_loud(heard) == 1.0 for heard in detector.heard)
    assert not any(len(heard) > detector.samples for heard in detector.heard)


def test_a_score_that_comes_too_late_is_void() -> None:
    detector = ScriptDetector(lambda _: 0.9, delay_s=0.3)
    entries = talk(
        detector, ScriptCard([(0.5, 1.0), (1.25, 2.0)], 5), ["well we", "well we did it"]
    )
    scores = of(entries, TurnScored)
    assert scores
    assert all(isinstance(s, TurnScored) and s.position > 2.0 * RATE for s in scores)


def test_a_turn_is_judged_by_its_own_sound() -> None:
    detector = ScriptDetector(lambda _: 0.1)
    card = ScriptCard([(0.5, 1.5), (6.0, 6.5)], 9)
    entries = talk(detector, card, ["the first one", "the second one"])
    assert len(records(entries)) == 2
    assert {np_loud(heard) for heard in detector.heard} == {1.0, 0.5}


def test_only_the_newest_sound_of_a_long_turn_is_judged() -> None:
    detector = ScriptDetector(lambda _: 0.1)
    talk(detector, ScriptCard([(0.5, 12.5)], 16), ["a long story"])
    assert {len(heard) for heard in detector.heard} == {detector.samples}


def test_a_detector_that_fails_is_told_once_and_silence_decides() -> None:
    detector = ScriptDetector(lambda _: ModelError("Smart Turn failed: no memory."))
    card = ScriptCard([(0.5, 1.5), (6.0, 6.5)], 9)
    entries = talk(detector, card, ["the first one", "the second one"])
    assert [record.outcome for record in records(entries)] == ["completed", "completed"]
    assert of(entries, TurnDetectorFailed) == [
        TurnDetectorFailed("smart-turn", "Smart Turn failed: no memory.")
    ]
    assert len(detector.heard) == 1


class ScoringListener(Listener):
    """A recognizer with a mind of its own about the end of the turn, like a hosted one."""

    score = 0.5

    @asynccontextmanager
    async def transcribe(
        self, audio: AsyncIterable[Samples]
    ) -> AsyncIterator[AsyncIterator[Transcript]]:
        async with super().transcribe(audio) as transcripts:
            yield self._judged(transcripts)

    async def _judged(self, transcripts: AsyncIterator[Transcript]) -> AsyncIterator[Transcript]:
        async for said in transcripts:
            yield replace(said, end_of_turn=self.score)


@pytest.mark.parametrize(("score", "least_s", "most_s"), [(0.02, 1.2, 2.1), (0.98, 0.3, 0.6)])
def test_a_recognizers_own_scores_feed_the_same_decision(
    score: float, least_s: float, most_s: float
) -> None:
    card = SpokenCard([Said(0.5, 2.0, "a day at the sea")], 6)
    ears = ScoringListener(card)
    ears.score = score
    entries = converse(card, ScriptProviders(ears, ScriptChat(["Nice."])), SETTINGS)
    scores = of(entries, TurnScored)
    assert {s.source for s in scores if isinstance(s, TurnScored)} == {"recognizer"}
    answered = next(e.at for e in entries if type(e.event).__name__ == "PlayoutStarted")
    assert least_s < answered - 2.0 < most_s
