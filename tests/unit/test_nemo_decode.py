"""Tokens become words with times, and a confidence. No NeMo needed."""

import math

import pytest

from voicebot_local.providers.asr.nemo_decode import Spelling, Token
from voicebot_local.providers.base import Word

PIECES = ("▁stop", "▁the", "▁mu", "s", "ic", "▁")


def text(ids):
    return "".join(PIECES[i] for i in ids).replace("▁", " ")


def spelling(*frames_and_pieces):
    said = Spelling(PIECES.__getitem__, text)
    for frame, piece in frames_and_pieces:
        said.add([Token(PIECES.index(piece), frame, 0.0)])
    return said


def spelled(*frames_and_pieces, length_s=10.0):
    return spelling(*frames_and_pieces).words(0.08, length_s)


def test_the_text_grows_with_every_piece():
    said = Spelling(PIECES.__getitem__, text)
    texts = [said.text]
    for piece in ("▁stop", "▁", "▁the", "▁mu", "s", "ic"):
        said.add([Token(PIECES.index(piece), 0, 0.0)])
        texts.append(said.text)
    assert texts == [
        "",
        "stop",
        "stop",
        "stop the",
        "stop the mu",
        "stop the mus",
        "stop the music",
    ]


def test_pieces_join_to_words():
    assert spelled((2, "▁stop"), (5, "▁the"), (6, "▁mu"), (6, "s"), (9, "ic")) == (
        Word("stop", pytest.approx(0.16), pytest.approx(0.24)),
        Word("the", pytest.approx(0.40), pytest.approx(0.48)),
        Word("music", pytest.approx(0.48), pytest.approx(0.80)),
    )


def test_nothing_said_has_no_words():
    assert spelled() == ()


def test_a_word_begun_without_its_mark_is_a_word():
    assert [word.text for word in spelled((0, "ic"), (1, "▁stop"))] == ["ic", "stop"]


def test_a_lone_mark_is_no_word():
    assert [word.text for word in spelled((0, "▁"), (1, "▁stop"))] == ["stop"]


def test_no_word_ends_after_the_audio():
    assert spelled((3, "▁stop"), length_s=0.3)[0].end_s == 0.3


def test_confidence_is_the_geometric_mean():
    said = spelling()
    assert said.confidence is None
    said.add([Token(0, 0, math.log(0.9)), Token(1, 1, math.log(0.4))])
    assert said.confidence == pytest.approx(0.6)
