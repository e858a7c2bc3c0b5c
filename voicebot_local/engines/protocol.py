"""Frames on the pipes between the program and an engine's process. Pure: no I/O here.

A frame is an 8-byte header (length of the head and of the payload, two little-endian u32), the head
(a JSON object with a "type") and the payload (raw bytes; for audio float32 little-endian samples).
What the heads mean is in `wire.py`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from voicebot_local.errors import ProtocolViolation

_HEADER = struct.Struct("<II")

MAX_HEAD = 4 * 2**20
"""Longest head in bytes: room for a conversation of millions of characters."""

MAX_PAYLOAD = 4 * 2**20
"""Longest payload in bytes: 65 s of audio at 16 kHz. `wire.py` splits what is longer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `head` is a JSON object with a "type"; `payload` may be empty."""

    head: dict[str, Any]
    payload: bytes = b""

    @property
    def type(self) -> str:
        return str(self.head["type"])


def encode(frame: Frame) -> bytes:
    """The frame as bytes. Raises ValueError where it is too long or its head is no JSON."""
    head = json.dumps(frame.head, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(head) > MAX_HEAD or len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(
            f"a {frame.type!r} frame is too long: head {len(head)} of at most {MAX_HEAD} bytes, "
            f"payload {len(frame.payload)} of at most {MAX_PAYLOAD} bytes"
        )
    return b"".join((_HEADER.pack(len(head), len(frame.payload)), head, frame.payload))


class FrameParser:
    """Bytes in, in pieces of any size; whole frames out.

    `sender` names who wrote the bytes, for the errors. After a ProtocolViolation the stream has no
    known frame boundary any more: the parser is of no further use.
    """

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Add `data`; return the frames it completes. Raises ProtocolViolation."""
        self._buffer += data
        frames: list[Frame] = []
        begin = 0
        while len(self._buffer) - begin >= _HEADER.size:
            head_size, payload_size = _HEADER.unpack_from(self._buffer, begin)
            if head_size > MAX_HEAD or payload_size > MAX_PAYLOAD:
                raise self._violation(
                    f"a frame of {head_size} and {payload_size} bytes, which is too long"
                )
            payload_at = begin + _HEADER.size + head_size
            end = payload_at + payload_size
            if len(self._buffer) < end:
                break
            head = self._parse_head(bytes(self._buffer[begin + _HEADER.size : payload_at]))
            frames.append(Frame(head, bytes(self._buffer[payload_at:end])))
            begin = end
        del self._buffer[:begin]
        return frames

    def end(self) -> None:
        """Nothing follows. Raises ProtocolViolation where a frame is incomplete."""
        if self._buffer:
            raise self._violation(f"{len(self._buffer)} bytes of a frame, and then nothing more")

    def _parse_head(self, raw: bytes) -> dict[str, Any]:
        try:
            head = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._violation("a frame whose head is not JSON") from error
        if not isinstance(head, dict) or not isinstance(head.get("type"), str):
            raise self._violation('a frame whose head is not an object with a "type"')
        return head

    def _violation(self, what: str) -> ProtocolViolation:
        return ProtocolViolation(self._sender, f"{self._sender} sent {what}.")
