"""The splitter's promises: natural cuts, nothing lost, the same whatever the chunking."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicebot_local.text.clauses import FULL_CHARS, ClauseSplitter


def split(text: str, sizes: tuple[int, ...] = (1,)) -> list[str]:
    """The clauses of `text`, pushed in chunks whose lengths cycle through `sizes`."""
    splitter, clauses, at, turn = ClauseSplitter(), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        clauses += splitter.push(text[at : at + size])
        at, turn = at + size, turn + 1
    return clauses + splitter.finish()


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        (" \n ", []),
        ("Yes.", ["Yes."]),
        ("Hello there, my friend. How are you?", ["Hello there, my friend.", "How are you?"]),
        ("I like red, green and blue.", ["I like red,", "green and blue."]),
        ("Sure! Here it is.", ["Sure! Here it is."]),
        ("That is all. OK. Bye now, see you.", ["That is all.", "OK. Bye now, see you."]),
        ("I think so — but I am not sure.", ["I think so —", "but I am not sure."]),
        ("I think so—but I am not sure.", ["I think so—", "but I am not sure."]),
        ("I think so - but I am not sure.", ["I think so -", "but I am not sure."]),
        ("Here you go: a story about foxes.", ["Here you go:", "a story about foxes."]),
        # numbers
        ("Pi is about 3.14 and a thousand is 1,000 in digits.",
         ["Pi is about 3.14 and a thousand is 1,000 in digits."]),
        ("It starts at 5:30 today. Come in.", ["It starts at 5:30 today.", "Come in."]),
        ("It was on March 3, 2026 at noon.", ["It was on March 3, 2026 at noon."]),
        ("Version v2.0.1 is out now. Get it.", ["Version v2.0.1 is out now.", "Get it."]),
        ("There are exactly 12. 10 are left.", ["There are exactly 12.", "10 are left."]),
        # abbreviations
        ("I met Dr. Smith and Mrs. Jones.", ["I met Dr. Smith and Mrs. Jones."]),
        ("Take some fruit, e.g. Apples or pears.", ["Take some fruit,", "e.g. Apples or pears."]),
        ("He lives in the U.S. Army base now.", ["He lives in the U.S. Army base now."]),
        ("We left at 5 p.m. Then it rained.", ["We left at 5 p.m.", "Then it rained."]),
        ("We left at 5 p.m. yesterday.", ["We left at 5 p.m. yesterday."]),
        ("Bring cups, plates, etc. to us.", ["Bring cups, plates,", "etc. to us."]),
        ("I am from J. R. R. Tolkien's world.", ["I am from J. R. R. Tolkien's world."]),
        ("It draws about 350 W. Anything else?", ["It draws about 350 W.", "Anything else?"]),
        ("It is item no. 5 here.", ["It is item no. 5 here."]),
        ("The answer is no. Ask again later.", ["The answer is no.", "Ask again later."]),
        ("I saw Dr. King Dr. there. It was fine.", ["I saw Dr. King Dr. there.", "It was fine."]),
        ("It is at 9 a.m. EST on Monday. Come.", ["It is at 9 a.m. EST on Monday.", "Come."]),
        ("It starts at 9 a.m. Every one came.", ["It starts at 9 a.m.", "Every one came."]),
        ("I live at 5 Oak Ave. Apt. 4B in town.", ["I live at 5 Oak Ave. Apt. 4B in town."]),
        ("We met at 3 p.m. on Tue. Dec. 5 there.", ["We met at 3 p.m. on Tue. Dec. 5 there."]),
        ("See Fig. 3 and Sec. 4.2 for it. Bye.", ["See Fig. 3 and Sec. 4.2 for it.", "Bye."]),
        ("She has a Ph.D. in physics. I do not.", ["She has a Ph.D. in physics.", "I do not."]),
        # versions, money, addresses
        ("The release is v1.2-beta.1 now. Try it.", ["The release is v1.2-beta.1 now.", "Try it."]),
        ("It is 2.0.0-rc.2 of CUDA 12.4. Try it.", ["It is 2.0.0-rc.2 of CUDA 12.4.", "Try it."]),
        ("They paid about $1.2M for it. A lot.", ["They paid about $1.2M for it.", "A lot."]),
        ("It costs $5, and then $6, you know.", ["It costs $5,", "and then $6, you know."]),
        ("Open main.py or README.md first. Then run it.",
         ["Open main.py or README.md first.", "Then run it."]),
        ("It is at 192.168.1.1 in here. Use that.", ["It is at 192.168.1.1 in here.", "Use that."]),
        # formulas
        (r"Here is \(x = 5, y = 6\), so it works.", [r"Here is \(x = 5, y = 6\),", "so it works."]),
        ("So we have:\n\\[\nx = y, z\n\\]\nand then it ends.",
         ["So we have:", "\\[\nx = y, z\n\\]\nand then it ends."]),
        ("Let $a, b$ be two numbers. Then $a, b > 0$ holds.",
         ["Let $a, b$ be two numbers.", "Then $a, b > 0$ holds."]),
        ("We all know $$E = m, c$$ by now, do we?", ["We all know $$E = m, c$$ by now,", "do we?"]),
        ("They bought $AAPL, it seems, for $x.", ["They bought $AAPL,", "it seems, for $x."]),
        (r"A lone \( in here, it stays.", [r"A lone \( in here,", "it stays."]),
        # ellipses and quotations
        ("Well, I think... maybe not.", ["Well, I think... maybe not."]),
        ("Well I think so... Maybe not today.", ["Well I think so...", "Maybe not today."]),
        ("Wait a moment... 5 minutes.", ["Wait a moment...", "5 minutes."]),
        ('She said "stop right now!" and left.', ['She said "stop right now!" and left.']),
        ('She said "stop it." Then she left.', ['She said "stop it."', "Then she left."]),
        ("so it is. and we go on like this.", ["so it is. and we go on like this."]),
        ("that is what happened. and we go on.", ["that is what happened.", "and we go on."]),
        # lines
        ("A short list:\n1. Wash the rice\n2. Boil it well\n",
         ["A short list:", "1. Wash the rice", "2. Boil it well"]),
        ("- apples\n- pears\n- two ripe plums\n- figs", ["- apples\n- pears\n- two ripe plums",
                                                          "- figs"]),
        # spans
        ("Call `f(x, y). And` it now, please.", ["Call `f(x, y). And` it now,", "please."]),
        ("Run this code:\n```py\na = 1. \n\nb = 2\n``` It works fine, really.",
         ["Run this code:", "```py\na = 1. \n\nb = 2\n``` It works fine, really."]),
        ("Read [the docs, all. Of them](http://a.b/c) now.",
         ["Read [the docs, all. Of them](http://a.b/c) now."]),
        ("Go to https://a.b/c,d?e=f.g. Then stop there.",
         ["Go to https://a.b/c,d?e=f.g.", "Then stop there."]),
        ("An open ` tick stays, as it is.", ["An open ` tick stays,", "as it is."]),
        ("An open [ bracket stays, too.", ["An open [ bracket stays,", "too."]),
        ("Look, a family 👨‍👩‍👧‍👦! Nice to see.",
         ["Look, a family 👨‍👩‍👧‍👦!", "Nice to see."]),
        # other scripts
        ("今天天气很好。我们去公园吧。你想去吗？",
         ["今天天气很好。", "我们去公园吧。", "你想去吗？"]),
        ("كيف حالك اليوم؟ أنا بخير شكرا.", ["كيف حالك اليوم؟", "أنا بخير شكرا."]),
    ],
)  # fmt: skip
def test_cuts(text: str, clauses: list[str]) -> None:
    assert split(text) == clauses


def test_first_clause_ends_before_a_conjunction_when_it_gets_long() -> None:
    text = "I went to the big market in the middle of town because I was hungry."
    assert split(text) == [
        "I went to the big market in the middle of town",
        "because I was hungry.",
    ]


def test_a_clause_is_given_as_soon_as_the_next_word_begins() -> None:
    splitter = ClauseSplitter()
    assert splitter.push("Hello there, my friend.") == []
    assert splitter.push(" H") == ["Hello there, my friend."]


def test_a_reply_without_punctuation_is_bounded() -> None:
    clauses = split("word " * 500)
    assert all(len(clause) <= FULL_CHARS + 40 for clause in clauses)


def test_is_ready_for_another_reply_after_finish() -> None:
    splitter = ClauseSplitter()
    splitter.push("One two three, four five six. Seven")
    splitter.finish()
    assert splitter.push("One two three, f") == ["One two three,"]


PIECES = st.sampled_from(
    [
        " ", " ", " ", "\n", "\n\n", ". ", ", ", "? ", "! ", "... ", "…", " — ", "—", ": ", "; ",
        "`", "```", "[", "](", ")", "]", "**", '"', "word", "Word", "a", "and", "because", "3.14",
        "1,000", "5:30", "Dr.", "e.g.", "U.S.", "p.m.", "etc.", "no.", "https://a.b/c?d=1",
        "👨‍👩‍👧",
        "😀", "你好", "。", "，", "1.", "- ", "# ", "|", "20 °C", "the quick brown fox", "x" * 60,
        "$", "$$", "$x", "$5", "\\(", "\\)", "\\[", "\\]", "\\", "a.m. ", "EST", "Ave. ", "Apt. 4",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200)


@given(TEXTS, st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple))
@example("x" * 250 + "\n  y z. A", (1,))
@example("a ``b`` ``` c", (1, 2))
def test_nothing_is_lost_and_chunking_does_not_matter(text: str, sizes: tuple[int, ...]) -> None:
    clauses = split(text, sizes)
    assert "".join("".join(clauses).split()) == "".join(text.split())
    assert all(clause and clause == clause.strip() for clause in clauses)
    assert clauses == split(text, (10**6,))


@given(TEXTS)
def test_never_cuts_inside_a_word(text: str) -> None:
    wide = "。，、！？；：…—"
    plain = text.translate(dict.fromkeys(map(ord, wide), " "))
    plain = plain.replace("`", "").replace("[", "")
    words = " ".join(split(plain)).split()
    assert words == plain.split()
