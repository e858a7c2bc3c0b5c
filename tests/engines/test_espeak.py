"""espeak-ng: what it speaks, when each word is heard, and that it stops when told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest

from tests.engines.running import CountedSteps
from voicebot_local.engines.steps import Cancelled
from voicebot_local.errors import ConfigError, ProviderUnavailable
from voicebot_local.providers.base import Samples, SpokenAudio
from voicebot_local.providers.tts.espeak import EspeakConfig, EspeakEngine

RATE = 22_050


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    return EspeakEngine(EspeakConfig())


def speak(engine: EspeakEngine, *clauses: str) -> list[SpokenAudio]:
    steps = CountedSteps()
    spoken = list(engine.speak(iter(clauses), steps))
    assert set(steps.begun) <= {"block"}
    return spoken


def audio_of(spoken: list[SpokenAudio]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(part.samples for part in spoken)])


def test_it_speaks_mono_float32_at_its_rate(engine: EspeakEngine) -> None:
    samples = audio_of(speak(engine, "Hello there!"))
    assert engine.info.sample_rate == RATE
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert 0.1 < np.abs(samples).max() <= 1
    assert 0.5 * RATE < len(samples) < 2 * RATE


@pytest.mark.parametrize(
    "clause",
    [
        "Hello there! How can I help you?",
        "It is 3,650 days of the year, isn't it?",
        "“Quoted” — well-known; Dr. Smith's naïve café.",
        "  spaces \n and   lines ",
        "Straße, façade, 10 €, [[not phonemes]], <b>not markup</b>.",
    ],
)
def test_the_words_are_the_clause(engine: EspeakEngine, clause: str) -> None:
    words = [word for part in speak(engine, clause) for word in part.words]
    assert " ".join(word.text for word in words) == " ".join(clause.split())


def test_word_times_follow_the_audio(engine: EspeakEngine) -> None:
    spoken = speak(engine, "Hello there! It is a wonderful day, is it not?")
    samples = audio_of(spoken)
    words = [word for part in spoken for word in part.words]
    for word, following in pairwise(words):
        assert word.start_s < word.end_s <= following.start_s + 1e-9
    assert words[-1].end_s <= len(samples) / RATE
    heard = np.flatnonzero(np.abs(samples) > 0.01)
    assert abs(heard[0] / RATE - words[0].start_s) < 0.03
    assert abs((heard[-1] + 1) / RATE - words[-1].end_s) < 0.03
    # In the pause after "there!" nothing sounds.
    pause = samples[round((words[1].end_s + 0.01) * RATE) : round(words[2].start_s * RATE) - 200]
    assert len(pause) > 0.1 * RATE
    assert np.abs(pause).max() < 0.01


def test_a_word_comes_with_the_audio_in_which_it_is_spoken(engine: EspeakEngine) -> None:
    position = 0
    for part in speak(engine, "One two three four five."):
        assert all(word.start_s * RATE >= position - 1 for word in part.words)
        position += len(part.samples)


def test_clauses_are_numbered_and_empty_ones_silent(engine: EspeakEngine) -> None:
    spoken = speak(engine, "First.", "", " … ", "Fourth")
    assert {part.clause for part in spoken} == {0, 3}
    last = [part for part in spoken if part.clause == 3]
    assert last[0].words[0].start_s == 0


def test_it_speaks_the_clause_before_the_next_is_known(engine: EspeakEngine) -> None:
    asked: list[str] = []

    def clauses() -> Iterator[str]:
        for text in ("One two.", "Three."):
            asked.append(text)
            yield text

    parts = engine.speak(clauses(), CountedSteps())
    assert next(parts).words[0].text == "One"
    assert asked == ["One two."]
    assert [part.clause for part in parts] == [0, 1]


def test_a_cancelled_call_ends_within_a_block_and_the_next_works(engine: EspeakEngine) -> None:
    whole = audio_of(speak(engine, "One two three four five six seven eight."))
    steps = CountedSteps(allowed=8)
    spoken = []
    with pytest.raises(Cancelled):
        spoken.extend(engine.speak(iter(["One two three four five six seven eight."]), steps))
    assert steps.begun == ["block"] * 8
    assert len(audio_of(spoken)) < len(whole) / 2
    again = audio_of(speak(engine, "One two three four five six seven eight."))
    # What it said before makes espeak's speech some milliseconds longer or shorter.
    assert len(again) == pytest.approx(len(whole), rel=0.02)


def test_a_call_left_in_the_middle_frees_the_engine(engine: EspeakEngine) -> None:
    with closing(engine.speak(iter(["One two three four."]), CountedSteps())) as parts:
        next(parts)
        with pytest.raises(ProviderUnavailable, match="still speaking"):
            speak(engine, "Two at once.")
    assert len(audio_of(speak(engine, "Hello."))) > 0


def test_rate_volume_and_voice_change_the_speech(engine: EspeakEngine) -> None:
    text = "This is a sentence of some length."
    slow = audio_of(speak(EspeakEngine(EspeakConfig(rate_wpm=100)), text))
    other = audio_of(speak(EspeakEngine(EspeakConfig(voice="en-gb")), text))
    quiet = audio_of(speak(EspeakEngine(EspeakConfig(volume=20)), text))
    usual = audio_of(speak(engine, text))
    assert len(slow) > 1.3 * len(usual)
    # British espeak is quicker than American; a voice that fell back to the usual one is not.
    assert abs(len(other) - len(usual)) > 500
    assert np.abs(quiet).max() < 0.5 * np.abs(usual).max()


@pytest.mark.parametrize(
    ("voice", "near"),
    [("en-uss", "en-us"), ("en-us+f33", "f3"), ("klingonn", "Klingon")],
)
def test_an_unknown_voice_is_refused_with_the_nearest(voice: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EspeakEngine(EspeakConfig(voice=voice))
    assert near.lower() in caught.value.mend.lower()
