"""What is said for what is written, case by case; and the promises for any text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.text.clauses import ClauseSplitter
from voicebot_local.text.spoken import spoken

TABLE = Path(__file__).with_name("spoken_english.txt")


def _table() -> dict[str, list[tuple[str, str]]]:
    """What is written and what is said, by category."""
    table: dict[str, list[tuple[str, str]]] = {}
    category = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        written, arrow, said = line.rpartition(" =>")
        if arrow:
            table[category].append((written.replace("⏎", "\n"), said.strip()))
        elif line.startswith("## "):
            category = line.removeprefix("## ")
            table[category] = []
    return table


CASES = _table()


@pytest.mark.parametrize("category", CASES)
def test_says_what_the_table_says(category: str) -> None:
    said_otherwise = [
        f"{written!r}: {spoken(written)!r}, not {said!r}"
        for written, said in CASES[category]
        if spoken(written) != said
    ]
    assert not said_otherwise, "\n".join(said_otherwise)


@pytest.mark.parametrize("category", CASES)
def test_what_the_table_says_stays_as_it_is(category: str) -> None:
    assert [spoken(said) for _, said in CASES[category]] == [said for _, said in CASES[category]]


def test_the_table_is_read_whole() -> None:
    assert sum(map(len, CASES.values())) > 800


@pytest.mark.parametrize(
    ("written", "said"), [("", ""), ("  too   many\tspaces ", "too many spaces"), (" \n ", "")]
)
def test_white_space(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "3,50 € für 1.234 Leute, 50 %", "drei Komma fünf null Euro für "
         "eintausendzweihundertvierunddreißig Leute, fünfzig Prozent"),
        ("de", "-5 °C um 17:05", "minus fünf Grad Celsius um siebzehn null fünf"),
        ("fr", "21 **pommes** & 3,5 €", "vingt et un pommes et trois virgule cinq euros"),
        ("es", "1.000 y 3,14", "mil y tres punto uno cuatro"),
        ("ru", "У меня 5 яблок 🍏", "У меня пять яблок"),
        ("zh-cn", "我有3个苹果。", "我有3个苹果。"),
        ("ja", "3.14です。", "3.14です。"),
        ("xx", "# 5 apples", "5 apples."),
    ],
)  # fmt: skip
def test_says_in_other_languages(language: str, written: str, said: str) -> None:
    assert spoken(written, language) == said


PIECES = st.sampled_from(
    [
        "*", "**", "_", "`", "```", "\n", "#", "# ", "- ", "1. ", "|", "[", "](", "]", "(", ")",
        "<b>", "&amp;", "<", ">", "@", "a@b.co", "https://", "x.com", "/", "\\", "5", "10", "1,000",
        "3.14", "2026", "-", "–", "—", ":", "30", "%", "$", "€", " km", "°", "C", "v", "st", "th",
        "am", "p.m.", "Dr.", "e.g.", "U.S.", "GPU", "II", "Henry ", "and", "word", "Word", "I", "'",
        '"', "’", "...", "!", "?", ",", ".", "😀", "👨‍👩‍👧", "½", "²", "٣", "你好", "é", "\u0301",
        "\u200d", "=", "+", "~", "^", "'80s", "K", " ", " ", " ",
        "\\frac{1}{2}", "\\(", "\\)", "$$", "{", "}", "\\pi", "x^2", "≤", "√",
        "--help", " -v", ".md", "Ctrl+C", "f(x)", "GMT", "+5", "Q3", "v1.2-beta.1", "CA 90210",
        "US", "IT", "h", "m", "10⁻⁹", "×", "π", "BC", "ext. 5", "[1]", "==", "A320", "3/4 lb",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=80)


@settings(max_examples=800, deadline=None)
@given(TEXTS)
def test_any_text_becomes_plain_words_that_stay_as_they_are(text: str) -> None:
    said = spoken(text)
    assert not any(c.isdigit() or c in '*_`#|[](){}<>~^\\"@&=+%$€/' for c in said)
    assert said == "" or any(c.isalpha() for c in said)
    assert spoken(said) == said


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["de", "fr", "es", "it", "pl", "ru", "ja", "zh-cn", "ar", "xx"]))
def test_any_text_in_any_language(text: str, language: str) -> None:
    said = spoken(text, language)
    assert spoken(said, language) == said


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_every_clause_can_be_said(text: str) -> None:
    splitter = ClauseSplitter()
    for clause in [*splitter.push(text), *splitter.finish()]:
        spoken(clause)


@pytest.mark.parametrize(
    "piece",
    ["5-", "(", "a.", "**", "- a\n", "`", "[", "1,", "<", "_a", "x", "1", " ", "\n", "a ", "a@",
     "1:", "![", "a-", "#", "|", "&", "$1", "> ", "'", '"', "1/", "<a ", "~", "a/", "I ", "A.",
     "$", "$a", "\\frac{1}{", "\\(", "--a", "-a ", "10^", "5/", "1-", "1.", "Q3 ", "A1", "é",
     "1:1:", "5 m/", "King ", "US ", "<sup>1", "[1]", "==a", "Ctrl+", "f(", "C:\\a", "1 000 ", "x^",
     "A/"],
)  # fmt: skip
def test_no_text_takes_forever(piece: str) -> None:
    spoken(piece * (8000 // len(piece)))
