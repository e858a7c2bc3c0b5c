"""Frames and what travels in them, without any pipe."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local import errors
from voicebot_local.engines import protocol, wire
from voicebot_local.engines.protocol import Frame, FrameParser, encode
from voicebot_local.errors import ProtocolViolation, ProviderError, ProviderTimeout, VoicebotError
from voicebot_local.providers.base import (
    EngineInfo,
    Message,
    SpokenAudio,
    TextDelta,
    Transcript,
    Word,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
frames = st.builds(
    lambda kind, head, payload: Frame(head | {"type": kind}, payload),
    st.text(),
    st.dictionaries(st.text(), json_values, max_size=4),
    st.binary(max_size=200),
)


@given(st.lists(frames, max_size=6), st.data())
def test_frames_survive_any_cutting(sent: list[Frame], data: st.DataObject) -> None:
    raw = b"".join(encode(frame) for frame in sent)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12).map(sorted))
    parser = FrameParser("the engine")
    got = []
    for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got += parser.feed(raw[begin:end])
    parser.end()
    assert got == sent


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_a_violation(raw: bytes) -> None:
    parser = FrameParser("the engine")
    with suppress(ProtocolViolation):
        for frame in parser.feed(raw):
            assert isinstance(frame.type, str)
        parser.end()


def _raw(head: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<II", len(head), len(payload)) + head + payload


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (_raw(b"{"), "not JSON"),
        (_raw(b""), "not JSON"),
        (_raw(b"\xff\xfe\xfd"), "not JSON"),
        (_raw(b"[" * 100_000), "not JSON"),
        (_raw(b"[]"), 'not an object with a "type"'),
        (_raw(b'{"type":1}'), 'not an object with a "type"'),
        (_raw(b"{}"), 'not an object with a "type"'),
        (struct.pack("<II", protocol.MAX_HEAD + 1, 0), "too long"),
        (struct.pack("<II", 2, protocol.MAX_PAYLOAD + 1), "too long"),
        (b"Loading model...\n", "too long"),
    ],
)
def test_nonsense_is_a_violation(raw: bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=says):
        FrameParser("the engine").feed(raw)


def test_a_cut_frame_is_a_violation() -> None:
    parser = FrameParser("the engine")
    assert parser.feed(encode(Frame({"type": "done"}))[:-1]) == []
    with pytest.raises(ProtocolViolation, match="nothing more"):
        parser.end()


def test_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode(Frame({"type": "item"}, bytes(protocol.MAX_PAYLOAD + 1)))
    with pytest.raises(ValueError, match="too long"):
        encode(Frame({"type": "item", "text": "x" * protocol.MAX_HEAD}))


@pytest.mark.parametrize(
    "item",
    [
        Transcript("", True),
        Transcript("schön 🙂", False, (Word("schön", 0.25, 0.5), Word("🙂", 0.5, 1.0)), 0.75),
        Transcript("so", False, end_of_turn=0.25),
        TextDelta("\udcff half a surrogate"),
        TextDelta(""),
    ],
)
def test_text_items_survive(item: wire.Item) -> None:
    (frame,) = _over_the_pipe(wire.item_frames(7, item))
    assert frame.head["call"] == 7
    assert wire.read_item(frame, "x") == item


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("length", [0, 1, 1000])
def test_spoken_audio_survives(length: int, dtype: str) -> None:
    samples = np.linspace(-1, 1, length).astype(dtype)
    (frame,) = _over_the_pipe(wire.item_frames(1, SpokenAudio(samples, 3, (Word("a", 0.0, 0.1),))))
    got = wire.read_item(frame, "x")
    assert isinstance(got, SpokenAudio)
    assert (got.clause, got.words) == (3, (Word("a", 0.0, 0.1),))
    assert got.samples.dtype == np.float32
    assert got.samples.flags.writeable
    np.testing.assert_array_equal(got.samples, samples.astype(np.float32))


def test_long_audio_goes_in_parts() -> None:
    samples = np.arange(protocol.MAX_PAYLOAD // 4 + 5, dtype=np.float32)
    words = (Word("a", 0.0, 0.1),)
    first, second = (
        wire.read_item(frame, "x")
        for frame in _over_the_pipe(wire.item_frames(1, SpokenAudio(samples, 0, words)))
    )
    assert isinstance(first, SpokenAudio)
    assert isinstance(second, SpokenAudio)
    assert (first.words, second.words) == (words, ())
    np.testing.assert_array_equal(np.concatenate([first.samples, second.samples]), samples)
    parts = [wire.read_input(frame) for frame in _over_the_pipe(wire.input_frames(1, samples))]
    assert [len(part) for part in parts] == [protocol.MAX_PAYLOAD // 4, 5]


def test_inputs_survive() -> None:
    (frame,) = _over_the_pipe(wire.input_frames(1, "one clause, ä"))
    assert wire.read_input(frame) == "one clause, ä"
    (frame,) = _over_the_pipe(wire.input_frames(1, ""))
    assert wire.read_input(frame) == ""
    assert list(wire.input_frames(1, np.empty(0, np.float32))) == []


def test_only_one_dimension_and_only_items() -> None:
    with pytest.raises(ValueError, match="one dimension"):
        list(wire.item_frames(1, SpokenAudio(np.zeros((2, 2), np.float32), 0)))
    with pytest.raises(TypeError, match="no item"):
        list(wire.item_frames(1, "text"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"transcript": "a"},
        {"transcript": "a", "is_final": True, "words": [1], "confidence": None},
        {"clause": 0},
        {"clause": 0, "words": [["a"]]},
    ],
)
def test_an_item_without_sense_is_a_violation(head: dict[str, object]) -> None:
    with pytest.raises(ProtocolViolation, match="makes no sense"):
        wire.read_item(Frame(head | {"type": "item"}, b""), "the engine")
    with pytest.raises(ProtocolViolation, match="makes no sense"):
        wire.read_item(Frame({"type": "item", "clause": 0, "words": []}, b"123"), "the engine")


def test_messages_and_info_survive() -> None:
    messages = [Message("system", "be"), Message("user", "a"), Message("assistant", "b", True)]
    heads = json.loads(json.dumps(wire.message_heads(messages)))
    assert wire.read_messages(heads) == messages
    info = EngineInfo("cuda:0 (NVIDIA)", 24_000, {"a": "b", "n": 1, "x": 0.5})
    (frame,) = _over_the_pipe([Frame({"type": "loaded", "info": wire.info_head(info)})])
    assert wire.read_info(frame, "x") == info


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, VoicebotError)
    ],
)
def test_every_error_survives(kind: type[VoicebotError]) -> None:
    error: VoicebotError
    if issubclass(kind, ProviderError):
        error = kind("nemo", "It broke.", "Mend it.", retryable=False)
    else:
        error = kind("It broke.", "Mend it.")
    got = wire.read_error(json.loads(json.dumps(wire.error_head(error))), "x")
    assert type(got) is kind
    assert vars(got) == vars(error)


@pytest.mark.parametrize("name", ["NoSuchError", "annotations", "os", None])
def test_an_unknown_error_is_a_provider_error(name: str | None) -> None:
    got = wire.read_error({"class": name, "message": "m"}, "nemo")
    assert type(got) is ProviderError
    assert got.provider == "nemo"
    assert not isinstance(got, ProviderTimeout)


def _over_the_pipe(sent: object) -> list[Frame]:
    parser = FrameParser("x")
    return parser.feed(b"".join(encode(frame) for frame in sent))  # type: ignore[attr-defined]
