"""Text for XTTS: what is taken away, and where long text is cut."""

from __future__ import annotations

import pytest

from voicebot_local.providers.tts.xtts_text import most_tokens, pieces, prepare


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("Hello there.", "Hello there."),
        ("  two\n lines ", "two lines."),
        ('He said "yes".', "He said yes."),
        ("“Moths? My dear!”", "Moths? My dear!"),
        ("don't, it's the dogs' bowl", "don't, it's the dogs bowl."),
        ("'quoted' it’s", "quoted it's."),
        ("Wait... what?!", "Wait. what?"),
        ("- a dash first", "a dash first."),
        ("Yes , please .", "Yes, please."),
        ("First,", "First,"),
        ("", ""),
        ("...", ""),
        ('"?!"', ""),
        ("🙂", ""),
        ("3.5 is fine", "3.5 is fine."),
    ],
)
def test_prepare(text: str, prepared: str) -> None:
    assert prepare(text, "en") == prepared


@pytest.mark.parametrize(
    ("text", "language", "prepared"),
    [
        ("Das ist gut.", "de", "Das ist gut ."),
        ("Qué tal?", "es", "Qué tal?"),
        ("Olá", "pt", "Olá ."),
        ("你好。", "zh-cn", "你好。"),
    ],
)
def test_a_full_stop_is_set_apart_where_it_would_be_read_aloud(
    text: str, language: str, prepared: str
) -> None:
    assert prepare(text, language) == prepared


def test_short_text_stays_whole() -> None:
    assert pieces("Hello there. How are you?", 250, lambda _: True) == ["Hello there. How are you?"]


def test_long_text_is_cut_after_sentences_and_nothing_is_lost() -> None:
    sentence = "This is one sentence of the story, it goes on a bit. "
    text = (sentence * 12).strip()
    parts = pieces(text, 250, lambda _: True)
    assert " ".join(parts) == text
    assert all(len(part) <= 250 and part.endswith(".") for part in parts)
    assert min(len(part) for part in parts) > 100


@pytest.mark.parametrize(
    "text",
    ["a" * 2000, "word " * 400, "第一句话。" * 100, "x, " * 300, "a" + " " * 3 + "b" * 900],
)
def test_text_without_sentences_is_cut_too(text: str) -> None:
    parts = pieces(text.strip(), 82, lambda _: True)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part) <= 82 for part in parts)


def test_what_does_not_fit_is_cut_although_it_is_short() -> None:
    # digits become many tokens once they are written out
    parts = pieces("11111 22222 33333 44444", 250, lambda part: len(part) <= 6)
    assert parts == ["11111", "22222", "33333", "44444"]


def test_a_single_character_that_does_not_fit_ends_the_cutting() -> None:
    assert pieces("ab", 250, lambda _: False) == ["a", "b"]


def test_short_text_gets_little_time_and_long_text_the_models_own_limit() -> None:
    assert most_tokens("yes.", 602) * 1024 / 22050 < 2.1
    assert most_tokens("word " * 45, 602) == 602
