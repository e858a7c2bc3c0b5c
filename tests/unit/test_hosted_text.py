"""What hosted providers make of texts and times: conversations that fit, words from characters."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from voicebot_local.events import Stage
from voicebot_local.providers.base import Message
from voicebot_local.providers.hosted import Service
from voicebot_local.providers.llm.openai import OpenAIConfig, fit
from voicebot_local.providers.llm.openai_reply import OpenAIReply, Use
from voicebot_local.providers.tts.elevenlabs import Marks, _Place
from voicebot_local.providers.tts.spoken_clauses import Clauses, samples_of

RATE = 1_000


def marks(text: str, start_s: float = 0.0, each_s: float = 0.1) -> Marks:
    return [
        (sign, start_s + each_s * at, start_s + each_s * (at + 1)) for at, sign in enumerate(text)
    ]


def place(*clauses: tuple[int, str]) -> _Place:
    given = Clauses()
    given.sent += clauses
    return _Place(given, RATE)


def test_a_word_in_two_pieces_comes_with_the_second() -> None:
    where = place((0, "one two"))
    (first,) = where.put(np.zeros(500, np.float32), marks("one t"))
    (second,) = where.put(np.zeros(200, np.float32), marks("wo"))
    assert [(it.text, it.start_s, round(it.end_s, 3)) for it in first.words] == [("one", 0.0, 0.3)]
    assert [(it.text, it.start_s, round(it.end_s, 3)) for it in second.words] == [("two", 0.4, 0.7)]
    assert where.caught_up


def test_a_piece_over_the_end_of_a_clause_is_cut_there() -> None:
    where = place((0, "ab"), (2, "cd"))
    parts = where.put(np.zeros(600, np.float32), marks("ab cd "))
    assert [(part.clause, len(part.samples)) for part in parts] == [(0, 300), (2, 300)]
    assert [[it.text for it in part.words] for part in parts] == [["ab"], ["cd"]]
    assert parts[1].words[0].start_s == pytest.approx(0.0)


def test_silence_without_times_stays_with_its_clause() -> None:
    where = place((0, "ab"), (1, "cd"))
    where.put(np.zeros(200, np.float32), marks("ab"))
    (pause,) = where.put(np.zeros(100, np.float32), [])
    assert pause.clause == 0
    assert not where.caught_up


@pytest.mark.parametrize("encoded", [None, 5, "no base64!", base64.b64encode(b"odd").decode()])
def test_what_is_no_audio_is_refused(encoded: Any) -> None:
    with pytest.raises(ValueError, match="audio must be"):
        samples_of(encoded)


def test_the_oldest_turns_go_first_and_the_persona_never() -> None:
    system, user, bot = Message("system", "s"), Message("user", "u" * 90), Message("assistant", "a")
    talk = [system, *[user, bot] * 10, Message("user", "now")]
    kept = fit(talk, 100)
    assert kept[0] is system
    assert kept[1].role == "user"
    assert kept[-1].content == "now"
    assert len(kept) < len(talk)
    assert fit([user], 1) == [user]


class _Chunk:
    """A piece of a reply as the SDK gives it."""

    usage = None

    def __init__(self, text: str) -> None:
        delta = type("Delta", (), {"content": text})()
        self.choices = [type("Choice", (), {"delta": delta, "finish_reason": None})()]


def test_half_a_character_waits_for_its_other_half() -> None:
    stage: Stage = "chat"
    config = OpenAIConfig(base_url="http://127.0.0.1/v1")
    reply = OpenAIReply(Service(stage, "openai", config, config.key()), Use(1))
    assert reply._take(_Chunk("a\ud83d")) == "a"
    assert reply._take(_Chunk("\ude42b")) == "🙂b"
