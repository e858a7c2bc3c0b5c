"""AssemblyAI's streaming protocol (v3)."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Request, Response, ServerConnection

from tests.servers.script import KEY, Script
from tests.servers.sockets import SocketServer

RATE = 16_000
Hears = Callable[[np.ndarray, bool], str]
"""What is understood of an utterance so far, and whether it is over."""
QUIET = 600
"""Below this peak nobody speaks."""
PAUSE_S = 0.16
"""After so long a silence an utterance is complete, though its turn need not be."""
SPEAKING, PAUSED, ENDED = 0.01, 0.7, 0.9
"""How sure the service is that the turn is over."""


def a_word_each_half_second(audio: np.ndarray, ended: bool) -> str:
    """One made-up word for each half second that is not silent."""
    halves = [audio[at : at + RATE // 2] for at in range(0, len(audio), RATE // 2)]
    loud = [number for number, half in enumerate(halves) if np.abs(half).max(initial=0) > QUIET]
    return " ".join(f"word{number}" for number in loud)


class AssemblyAIServer(SocketServer):
    """`ears`: makes what understands the audio (16-bit samples) of one session."""

    def __init__(
        self, script: Script, ears: Callable[[], Hears] = lambda: a_word_each_half_second
    ) -> None:
        super().__init__(script)
        self.ears = ears
        self.limit_s: float | None = None
        """Audio may be so much ahead of real time; None does not look."""

    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        query = parse_qs(urlsplit(request.path).query)
        assert request.path.startswith("/v3/ws?")
        assert query["speech_model"]
        assert query["encoding"] == ["pcm_s16le"]
        assert query["sample_rate"] == [str(RATE)]
        return None

    async def talk(self, socket: ServerConnection) -> None:
        script = self.script
        assert socket.request is not None
        if script.needs_key and socket.request.headers.get("Authorization") != KEY:
            await socket.close(1008, "Unauthorized Connection: Missing Authorization header")
            return
        if await script.misbehave(script.fault("connect"), socket):
            await socket.send(
                json.dumps({"type": "Begin", "id": "session-1", "expires_at": 1_900_000_000})
            )
            await _Session(self, socket).run()


class _Session:
    def __init__(self, server: AssemblyAIServer, socket: ServerConnection) -> None:
        self._server = server
        self._socket = socket
        self._hears = server.ears()
        self._audio = np.zeros(0, "<i2")
        self._start = 0
        """Where the present turn begins in the session's audio."""
        self._order = 0
        self._said, self._paused = "", False
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> None:
        script = self._server.script
        async for raw in self._socket:
            if isinstance(raw, bytes):
                if not await self._hear(raw):
                    return
                continue
            message = json.loads(raw)
            script.seen.append(message)
            match message["type"]:
                case "ForceEndpoint":
                    if not await script.misbehave(script.fault("answer"), self._socket):
                        continue
                    await self._end_turn()
                case "Terminate":
                    seconds = len(self._audio) // RATE
                    await self._socket.send(
                        json.dumps({"type": "Termination", "audio_duration_seconds": seconds})
                    )
                    await self._socket.close(1000)
                    return
                case "KeepAlive" | "UpdateConfiguration":
                    pass
                case _:
                    await self._socket.close(3006, "Invalid message type")
                    return

    async def _hear(self, raw: bytes) -> bool:
        if len(raw) % 2 or not RATE // 20 <= len(raw) // 2 <= RATE:
            await self._socket.close(3007, "Input duration must be between 50 and 1000 ms")
            return False
        self._audio = np.concatenate((self._audio, np.frombuffer(raw, "<i2")))
        ahead = len(self._audio) / RATE - (asyncio.get_running_loop().time() - self._began)
        if self._server.limit_s is not None and ahead > self._server.limit_s:
            await self._socket.close(3007, "Audio transmission rate exceeded")
            return False
        turn = self._audio[self._start :]
        text, paused = self._hears(turn, False), _pauses(turn)
        if text and (text, paused) != (self._said, self._paused):
            self._said, self._paused = text, paused
            if await self._server.script.misbehave(
                self._server.script.fault("middle"), self._socket
            ):
                await self._socket.send(self._turn(text, ended=False))
        return True

    async def _end_turn(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        text = await asyncio.to_thread(self._hears, self._audio[self._start :], True)
        await self._server.script.until_first(asked_at)
        await self._socket.send(self._turn(text, ended=True))
        if text:
            await self._socket.send(self._turn(text.capitalize() + ".", ended=True, formatted=True))
        self._order += 1
        self._start, self._said, self._paused = len(self._audio), "", False

    def _turn(self, text: str, *, ended: bool, formatted: bool = False) -> str:
        words = text.split()
        begin, end = self._start * 1000 // RATE, len(self._audio) * 1000 // RATE
        step = (end - begin) // max(1, len(words))
        return json.dumps(
            {
                "type": "Turn",
                "turn_order": self._order,
                "turn_is_formatted": formatted,
                "end_of_turn": ended,
                "transcript": text,
                "utterance": text if self._paused and not ended else "",
                "end_of_turn_confidence": ENDED if ended else PAUSED if self._paused else SPEAKING,
                "words": [
                    {
                        "start": begin + number * step,
                        "end": begin + (number + 1) * step,
                        "text": word,
                        "confidence": 0.9,
                        "word_is_final": ended,
                    }
                    for number, word in enumerate(words)
                ],
            }
        )


def _pauses(audio: np.ndarray) -> bool:
    """Whether the speaker has been quiet for as long as completes an utterance."""
    last = audio[-round(PAUSE_S * RATE) :]
    return bool(np.abs(last).max(initial=0) <= QUIET)


def listed(texts: Sequence[str]) -> Hears:
    """Understands one of `texts` after the other, an utterance each, whatever is said."""
    left = deque(texts)

    def hears(audio: np.ndarray, ended: bool) -> str:
        words = left[0].split()
        if ended:
            left.rotate(-1)
            return " ".join(words)
        return " ".join(words[: len(audio) * 3 // RATE])

    return hears
