"""What is said for what is written, case by case; and the promises for any text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.text.clauses import ClauseSplitter
from voicebot_local.text.spoken import spoken

CASES = {
    "plain": [
        ("", ""),
        ("Hello there, my friend.", "Hello there, my friend."),
        ("I think I can.", "I think I can."),
        ("don’t", "don't"),
        ("a well-known man", "a well-known man"),
        ("“Hi” and 'hi' and «hi»", "Hi and hi and hi"),
        ("the dogs' bowl", "the dogs bowl"),
        ("wait… what?! No!!", "wait... what? No!"),
        ("He is (I think) fine.", "He is, I think, fine."),
        ("yes — and no", "yes, and no"),
        ("  too   many\tspaces ", "too many spaces"),
        ("Stop.Now", "Stop. Now"),
        ("STOP NOW", "STOP NOW"),
    ],
    "markdown": [
        ("**Bold**, *italic* and ***both***", "Bold, italic and both"),
        ("__bold__ and _italic_ and ~~gone~~", "bold and italic and gone"),
        ("# Title\nText", "Title. Text"),
        ("Title\n=====\nText", "Title. Text"),
        ("- apples\n- pears\n- plums.", "apples, pears, plums."),
        ("* one\n* two", "one, two"),
        ("1. Wash it\n2. Cook it", "one, Wash it. two, Cook it"),
        ("- [ ] milk\n- [x] bread", "milk, bread"),
        ("> quoted", "quoted"),
        ("before\n\n---\n\nafter", "before. after"),
        ("a line\nthat goes on", "a line that goes on"),
        ("| Name | Age |\n|---|---|\n| Bob | 42 |", "Name, Age. Bob, forty-two"),
        ("See [the docs](https://example.com/a_(b)).", "See the docs."),
        ("See [the docs][1].\n\n[1]: https://example.com", "See the docs."),
        ("A fact.[^1]", "A fact."),
        ("![A cat](cat.png)", "A cat"),
        ("`print` it", "print it"),
        ("Run:\n```python\nprint(1)\n```\nDone.", "Run: a piece of code. Done."),
        ("```\nnever closed", "a piece of code"),
        ("<b>bold</b><br/>next &amp; last", "bold next and last"),
        ("snake_case", "snake case"),
        ("\\*not bold\\*", "not bold"),
    ],
    "addresses": [
        ("Visit example.com.", "Visit example dot com."),
        ("https://www.example.com/path?x=1", "example dot com slash path"),
        ("https://a.org/x-y_z", "a dot org slash x dash y underscore z"),
        (f"https://a.org/{'x' * 50}", "a dot org"),
        ("<https://x.com>", "x dot com"),
        ("joe.doe@example.org!", "joe dot doe at example dot org!"),
        ("mp3.com", "mp three dot com"),
        ("Edit /etc/hosts.", "Edit slash etc slash hosts."),
        ("in ~/.bashrc", "in tilde slash dot bashrc"),
        ("./run/it.sh now", "dot slash run slash it dot sh now"),
        ("a and/or b", "a and or b"),
        ("http://localhost:8080/api", "localhost colon eight thousand and eighty slash api"),
        ("Node.js and file.txt", "Node dot js and file dot txt"),
    ],
    "emoji": [
        ("I am 😀 happy 👨‍👩‍👧!", "I am happy!"),
        ("👍🏽", ""),
        ("❤️ 1️⃣ 🇫🇷", ""),
        ("Fine :-) thanks :)", "Fine thanks"),
    ],
    "numbers": [
        ("0", "zero"),
        ("42 and 100", "forty-two and one hundred"),
        ("3.14", "three point one four"),
        ("3.10", "three point one zero"),
        (".5", "zero point five"),
        ("-5 and −7", "minus five and minus seven"),
        ("1,234", "one thousand two hundred and thirty-four"),
        ("1,000,000", "one million"),
        ("1000000", "one million"),
        ("007", "zero zero seven"),
        ("12345678901234567", "one two three four five six seven eight nine zero one two three "
         "four five six seven"),
        ("1st, 2nd, 3rd, 11th, 21st", "first, second, third, eleventh, twenty-first"),
        ("5-10 people", "five to ten people"),
        ("5–10", "five to ten"),
        ("1/2, 3/4 and 2/3", "one half, three quarters and two thirds"),
        ("2 1/2 cups", "two and a half cups"),
        ("½ cup, 2½", "one half cup, two and a half"),
        ("10/10", "ten out of ten"),
        ("24/7", "twenty-four seven"),
        ("50/50", "fifty fifty"),
        ("50%", "fifty percent"),
        ("5-10% or 3.5 %", "five to ten percent or three point five percent"),
        ("10k and 8B", "ten thousand and eight billion"),
        ("x^2, 10^6 and 5²", "x squared, ten to the power of six and five squared"),
        ("6.02e23", "six point zero two times ten to the power of twenty-three"),
        ("16:9", "sixteen to nine"),
        ("4x4 and 3 × 5", "four by four and three times five"),
        ("٣ and ５", "three and five"),
        ("a 4-year-old", "a four year-old"),
        ("3D, B2B, H200", "three D, B two B, H two hundred"),
        ("RTX 4090", "R T X forty ninety"),
        ("GPT-4, COVID-19", "G P T four, COVID nineteen"),
    ],
    "phones and versions": [
        ("Call 555-1234.", "Call five five five, one two three four."),
        ("(800) 555-1234", "eight zero zero, five five five, one two three four"),
        ("+49 30 123456", "plus four nine, three zero, one two three four five six"),
        ("v2.0.1", "version two point zero point one"),
        ("v2", "version two"),
        ("Python 3.12.1", "Python three point twelve point one"),
        ("call +1 (800) 555-1234 now", "call plus one, eight zero zero, five five five, one two "
         "three four now"),
        ("555.123.4567", "five five five, one two three, four five six seven"),
        ("Python 3.11", "Python three point one one"),
        ("192.168.0.1", "one hundred and ninety-two dot one hundred and sixty-eight dot zero "
         "dot one"),
    ],
    "times": [
        ("5:30", "five thirty"),
        ("17:05", "seventeen oh five"),
        ("5:00", "five o'clock"),
        ("17:00", "seventeen hundred"),
        ("00:00", "midnight"),
        ("9:30am", "nine thirty A M"),
        ("at 5 p.m. Then", "at five P M. Then"),
        ("at 5 p.m. today", "at five P M today"),
        ("5:30-6:30 pm", "five thirty to six thirty P M"),
        ("9-5pm", "nine to five P M"),
        ("8-10 a.m.", "eight to ten A M."),
    ],
    "dates": [
        ("3/4/2026", "March fourth, twenty twenty-six"),
        ("20.11.2026", "November twentieth, twenty twenty-six"),
        ("2026-11-20", "November twentieth, twenty twenty-six"),
        ("2026-11-20T17:05", "November twentieth, twenty twenty-six at seventeen oh five"),
        ("March 3, 2026", "March third, twenty twenty-six"),
        ("Mar. 5", "March fifth"),
        ("May 5-7", "May fifth to seventh"),
        ("the 3rd of March", "the third of March"),
        ("20 November 2026", "the twentieth of November twenty twenty-six"),
        ("In 1984, it", "In nineteen eighty-four, it"),
        ("in 1905", "in nineteen oh five"),
        ("It has 1984 parts", "It has one thousand nine hundred and eighty-four parts"),
        ("1939-1945", "nineteen thirty-nine to nineteen forty-five"),
        ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
    ],
    "money": [
        ("$3.50", "three dollars and fifty cents"),
        ("$1", "one dollar"),
        ("€20 or 20 €", "twenty euros or twenty euros"),
        ("£0.01", "one penny"),
        ("$1,299.99", "one thousand two hundred and ninety-nine dollars and ninety-nine cents"),
        ("$5 million, $2bn", "five million dollars, two billion dollars"),
        ("$5-10", "five to ten dollars"),
        ("-$5", "minus five dollars"),
        ("3,50 €", "three euros and fifty cents"),
        ("€1.234,50", "one thousand two hundred and thirty-four euros and fifty cents"),
        ("EUR 20, 5 USD", "twenty euros, five dollars"),
    ],
    "units": [
        ("5 km", "five kilometers"),
        ("1 km", "one kilometer"),
        ("20 °C", "twenty degrees Celsius"),
        ("20°C/68°F", "twenty degrees Celsius sixty-eight degrees Fahrenheit"),
        ("16 GB", "sixteen gigabytes"),
        ("60 mph", "sixty miles per hour"),
        ("100 km/h", "one hundred kilometers per hour"),
        ("10 m²", "ten square meters"),
        ("a 5-km run", "a five kilometer run"),
        ("5 ft 3 in", "five feet three inches"),
        ("5 ft 3 in the box", "five feet three in the box"),
        ("30s", "thirty seconds"),
        ("5'10\"", "five foot ten"),
        ("5 in the box", "five in the box"),
        ("90°", "ninety degrees"),
        ("5 min.", "five minutes."),
    ],
    "abbreviations": [
        ("Dr. Smith and Mrs. Jones", "Doctor Smith and Missus Jones"),
        ("fruit, e.g. apples", "fruit, for example apples"),
        ("i.e., this", "that is, this"),
        ("cups, etc.", "cups, et cetera."),
        ("cats vs. dogs", "cats versus dogs"),
        ("the U.S. Army", "the U S Army"),
        ("No. 5, no. Yes.", "number five, no. Yes."),
        ("Main St. is by St. Paul's", "Main Street is by Saint Paul's"),
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
    ],
    "capitals": [
        ("GPU, GPUs and CPU", "G P U, G P Us and C P U"),
        ("HTTP and NASA", "H T T P and NASA"),
        ("World War II", "World War Two"),
        ("Henry VIII and Louis XIV", "Henry the Eighth and Louis the Fourteenth"),
        ("Chapter IV", "Chapter Four"),
        ("I am V", "I am V"),
    ],
    "signs": [
        ("salt & pepper", "salt and pepper"),
        ("R&D, Q&A, AT&T", "R and D, Q and A, A T and T"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("5 - 3 = 2", "five minus three equals two"),
        ("2 * 3, 6 / 2", "two times three, six divided by two"),
        ("C++ and C#", "C plus plus and C sharp"),
        ("#1 #fun @joe", "number one hashtag fun at joe"),
        ("~5", "about five"),
        ("a -> b → c", "a to b to c"),
        ("and/or, he/she, w/o", "and or, he or she, without"),
        ("5 > 3, x <= 4", "five is more than three, x is at most four"),
        ("€", ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("written", "said"), [case for group in CASES.values() for case in group])
def test_says(written: str, said: str) -> None:
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
     "1:", "![", "a-", "#", "|", "&", "$1", "> ", "'", '"', "1/", "<a ", "~", "a/", "I ", "A."],
)  # fmt: skip
def test_no_text_takes_forever(piece: str) -> None:
    spoken(piece * (8000 // len(piece)))
