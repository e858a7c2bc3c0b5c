"""What words tell about the end of an utterance."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.turns.cues import Cue, TextCues

ENGLISH = TextCues("en")
DATA = tomllib.loads(
    resources.files("voicebot_local.turns").joinpath("cues.toml").read_text("utf-8")
)


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("", Cue.UNKNOWN),
        ("stop", Cue.FINISHED),
        ("Yes.", Cue.FINISHED),
        ("stop please", Cue.FINISHED),
        ("that’s all", Cue.FINISHED),
        ("What is the capital?", Cue.FINISHED),
        ("what is the capital of france", Cue.MAYBE_FINISHED),
        ("so do you need the internet", Cue.MAYBE_FINISHED),
        ("turn the light on please", Cue.MAYBE_FINISHED),
        ("coffee?", Cue.MAYBE_FINISHED),
        ("where are you from", Cue.MAYBE_FINISHED),
        ("what is it made of", Cue.MAYBE_FINISHED),
        ("what is that", Cue.MAYBE_FINISHED),
        ("what is the capital of", Cue.MAYBE_UNFINISHED),
        ("could you turn it to", Cue.MAYBE_UNFINISHED),
        ("see you later assistant", Cue.UNKNOWN),
        ("tell me what time it is", Cue.UNKNOWN),
        ("i think so", Cue.UNKNOWN),
        ("put the book on", Cue.MAYBE_UNFINISHED),
        ("what time is it in", Cue.MAYBE_UNFINISHED),
        ("how old are", Cue.MAYBE_UNFINISHED),
        ("turn the lights off", Cue.UNKNOWN),
        ("can you turn the lights on", Cue.MAYBE_FINISHED),
        ("in the morning,", Cue.MAYBE_UNFINISHED),
        ("my number is five five", Cue.MAYBE_UNFINISHED),
        ("my number is 5 5", Cue.MAYBE_UNFINISHED),
        ("what is", Cue.UNFINISHED),
        ("could you please", Cue.UNFINISHED),
        ("i want to", Cue.UNFINISHED),
        ("tell me about the", Cue.UNFINISHED),
        ("we went home and", Cue.UNFINISHED),
        ("And, um…", Cue.UNFINISHED),
        ("we went to see...", Cue.UNFINISHED),
        ("what should I", Cue.UNFINISHED),
    ],
)
def test_english(text: str, cue: Cue) -> None:
    assert ENGLISH.read(text) is cue


@pytest.mark.parametrize(
    ("language", "finished", "unfinished"),
    [
        ("de", "Nein, danke!", "ich möchte gerne mit der"),
        ("es", "sí, por favor", "quiero ir a la"),
        ("it", "No, grazie.", "vorrei andare con la"),
        ("fr-FR", "Arrête !", "je voudrais aller à la"),
    ],
)
def test_other_languages_are_begun(language: str, finished: str, unfinished: str) -> None:
    cues = TextCues(language)
    assert cues.read(finished) is Cue.FINISHED
    assert cues.read(unfinished) is Cue.UNFINISHED


def test_an_unknown_language_has_punctuation() -> None:
    cues = TextCues("xx")
    assert cues.read("stop") is Cue.UNKNOWN
    assert cues.read("stop...") is Cue.UNFINISHED


@pytest.mark.parametrize("language", DATA)
def test_every_language_has_the_same_lists_in_plain_lower_case(language: str) -> None:
    assert DATA[language].keys() == DATA["en"].keys()
    for name, entries in DATA[language].items():
        assert len(set(entries)) == len(entries), f"{language}.{name} repeats itself"
        for entry in entries:
            assert entry == entry.lower().strip()
    lists = ("unfinished", "stranded", "unless_asked", "maybe", "complete", "fillers")
    ends = [entry for name in lists for entry in DATA[language][name]]
    both = {entry for entry in ends if ends.count(entry) > 1}
    assert not both, f"{language}: in two lists"


@given(st.text(max_size=60))
def test_any_text_has_a_cue(text: str) -> None:
    assert isinstance(ENGLISH.read(text), Cue)


@given(st.sampled_from(DATA["en"]["whole"]), st.sampled_from(["", ".", "!"]))
def test_commands_are_finished_however_they_are_written(command: str, mark: str) -> None:
    assert ENGLISH.read(command.upper() + mark) is Cue.FINISHED
