"""ElevenLabs' socket of several contexts."""

from __future__ import annotations

import asyncio
import base64
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Request, Response, ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.servers.script import KEY, Script, Spoken, tone
from tests.servers.sockets import SocketServer

MOST_CONTEXTS = 5
_Asked = tuple[str, float]
"""A text, and when it came."""


class ElevenLabsServer(SocketServer):
    """Every flushed text becomes audio with the times of its characters, in pieces."""

    def __init__(self, script: Script, spoken: Spoken = tone) -> None:
        super().__init__(script)
        self.spoken = spoken

    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        if self.script.needs_key and request.headers.get("xi-api-key") != KEY:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "no such key")
        assert urlsplit(request.path).path.endswith("/multi-stream-input")
        return None

    async def talk(self, socket: ServerConnection) -> None:
        if await self.script.misbehave(self.script.fault("connect"), socket):
            await _Session(self, socket).run()


class _Session:
    def __init__(self, server: ElevenLabsServer, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        self._rate = int(query["output_format"][0].removeprefix("pcm_"))
        self._server = server
        self._socket = socket
        self._contexts: dict[str, asyncio.Queue[_Asked | None]] = {}

    async def run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for raw in self._socket:
                message = json.loads(raw)
                self._server.script.seen.append(message)
                if message.get("close_socket"):
                    await self._socket.close(1000)
                    break
                if not await self._take(message, tasks):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, message: dict[str, Any], tasks: set[asyncio.Task[None]]) -> bool:
        name = message["context_id"]
        if name not in self._contexts:
            if message.get("close_context"):
                return True
            if len(self._contexts) >= MOST_CONTEXTS:
                await self._socket.close(1008, "Maximum simultaneous contexts exceeded (5)")
                return False
            self._contexts[name] = asyncio.Queue()
            tasks.add(asyncio.create_task(self._speak(name, self._contexts[name])))
        if (message.get("text") or "").strip():
            assert message["flush"]
            self._contexts[name].put_nowait((message["text"], asyncio.get_running_loop().time()))
        if message.get("close_context"):
            self._contexts[name].put_nowait(None)
        return True

    async def _speak(self, name: str, texts: asyncio.Queue[_Asked | None]) -> None:
        script = self._server.script
        first = True
        try:
            while (asked := await texts.get()) is not None:
                text, asked_at = asked
                audio = await asyncio.to_thread(self._server.spoken, text, self._rate)
                if first:
                    await script.until_first(asked_at)
                first = False
                if await script.misbehave(script.fault("answer"), self._socket):
                    await self._say(name, text, audio)
            await self._socket.send(json.dumps({"isFinal": True, "contextId": name}))
        except ConnectionClosed:
            pass
        finally:
            del self._contexts[name]

    async def _say(self, name: str, text: str, audio: bytes) -> None:
        """In two pieces, cut where a word may be."""
        script = self._server.script
        each = len(audio) // 2 / len(text)
        middle = max(1, len(text) // 2)
        for number, (begin, end) in enumerate(((0, middle), (middle, len(text)))):
            if number and not await script.misbehave(script.fault("middle"), self._socket):
                return
            piece, chars = audio[2 * round(begin * each) : 2 * round(end * each)], text[begin:end]
            ms = each / self._rate * 1000
            alignment = {
                "chars": list(chars),
                "charStartTimesMs": [round(at * ms) for at in range(len(chars))],
                "charDurationsMs": [round(ms)] * len(chars),
            }
            await self._socket.send(
                json.dumps(
                    {
                        "audio": base64.b64encode(piece).decode(),
                        "contextId": name,
                        "isFinal": None,
                        "alignment": alignment,
                        "normalizedAlignment": alignment,
                    }
                )
            )
            await asyncio.sleep(script.pace_s)
