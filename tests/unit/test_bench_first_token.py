"""The curve of the first token: what the chat model is told, and the picture."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.session.scripted import ScriptChat
from voicebot_local.bench.first_token import curve, curve_svg, spoken

pytestmark = pytest.mark.anyio

WORDS = ["tell", "me", "a", "long", "story", "about", "a", "small", "lighthouse"]


async def test_what_is_said_is_told_word_by_word_and_asked_in_the_end() -> None:
    chat = ScriptChat(["Hello"] * 2, delay_s=0)
    _, told_ms = await spoken(chat, WORDS, "1", ahead=True)
    told = [messages[-1].content for messages in chat.prefilled]
    assert told[:4] == ["", "tell", "tell me", "tell me a"]
    assert told[5] == "tell me a long what"  # corrected by the next
    assert told[-1] == "tell me a long story about a small"
    assert len(told_ms) == len(WORDS)
    assert chat.asked[-1][-1].content == " ".join(WORDS) + "."
    assert chat.asked[-1][:-1] == chat.prefilled[0][:-1]


async def test_without_reading_ahead_it_is_only_asked() -> None:
    chat = ScriptChat(["Hello"] * 2, delay_s=0)
    _, told_ms = await spoken(chat, WORDS, "1", ahead=False)
    assert not told_ms
    assert not chat.prefilled
    assert len(chat.asked) == 2


async def test_a_curve_has_the_lengths_that_the_words_suffice_for() -> None:
    chat = ScriptChat(["Hello"] * 100, delay_s=0)
    points = await curve(chat, WORDS * 2, times=2)
    assert [point["spoken_s"] for point in points] == [1, 2, 5]
    assert all(len(point["ahead_ms"]) == len(point["after_ms"]) == 2 for point in points)
    beginnings = {messages[0].content for messages in chat.asked}
    assert len(beginnings) == 3 * 2 * 2  # none is like another
    finding = {"stack": "scripted", "spoken": json.loads(json.dumps(points))}
    picture = curve_svg([finding])
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "scripted: read while the user speaks" in picture
