"""Cartesia's socket of contexts, with flushes that number the audio."""

from __future__ import annotations

import asyncio
import base64
import json
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Request, Response, ServerConnection

from tests.servers.script import KEY, Script, Spoken, tone
from tests.servers.sockets import SocketServer


class CartesiaServer(SocketServer):
    """A context speaks what it is given, in order."""

    def __init__(self, script: Script, spoken: Spoken = tone) -> None:
        super().__init__(script)
        self.spoken = spoken

    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        if self.script.needs_key and request.headers.get("X-API-Key") != KEY:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "no such key")
        assert request.path == "/tts/websocket"
        assert request.headers["Cartesia-Version"]
        return None

    async def talk(self, socket: ServerConnection) -> None:
        contexts: dict[str, tuple[asyncio.Queue[dict[str, Any]], asyncio.Task[None]]] = {}
        try:
            if not await self.script.misbehave(self.script.fault("connect"), socket):
                return
            async for raw in socket:
                message = json.loads(raw)
                self.script.seen.append(message)
                name = message["context_id"]
                if message.get("cancel"):
                    if name in contexts:
                        contexts.pop(name)[1].cancel()
                    continue
                if name not in contexts:
                    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
                    contexts[name] = (queue, asyncio.create_task(self._speak(socket, name, queue)))
                asked_at = asyncio.get_running_loop().time()
                contexts[name][0].put_nowait(message | {"asked_at": asked_at})
        finally:
            for _, task in contexts.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in contexts.values()), return_exceptions=True)

    async def _speak(
        self, socket: ServerConnection, name: str, requests: asyncio.Queue[dict[str, Any]]
    ) -> None:
        script, flushes, spoken_s = self.script, 1, 0.0
        head = {"context_id": name, "status_code": 206, "done": False}

        async def say(kind: str, **fields: Any) -> None:
            await socket.send(json.dumps({"type": kind, **head, **fields}))

        first = True
        while True:
            request = await requests.get()
            text = request["transcript"]
            rate = request["output_format"]["sample_rate"]
            if text.strip():
                audio = await asyncio.to_thread(self.spoken, text, rate)
                if first:
                    await script.until_first(request["asked_at"])
                first = False
                if not await script.misbehave(script.fault("answer"), socket):
                    continue
                length_s = len(audio) / 2 / rate
                words = text.split()
                step = length_s / len(words)
                starts = [spoken_s + step * at for at in range(len(words))]
                times = {"words": words, "start": starts, "end": [at + step for at in starts]}
                await say("timestamps", word_timestamps=times)
                half = len(audio) // 4 * 2
                for number, piece in enumerate((audio[:half], audio[half:])):
                    if number and not await script.misbehave(script.fault("middle"), socket):
                        break
                    data = base64.b64encode(piece).decode()
                    await say("chunk", data=data, flush_id=flushes)
                    await asyncio.sleep(script.pace_s)
                spoken_s += length_s
            if request.get("flush"):
                await say("flush_done", flush_done=True, flush_id=flushes)
                flushes += 1
            if not request["continue"]:
                await socket.send(json.dumps({"type": "done", **head, "done": True}))
                return
