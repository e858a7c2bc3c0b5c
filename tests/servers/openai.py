"""OpenAI's chat completions: `/models`, and replies as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.servers.script import KEY, Fault, Script

Answers = Callable[[list[dict[str, str]]], str]
MODELS = ("gpt-4.1", "gpt-4.1-mini")


def an_echo(messages: list[dict[str, str]]) -> str:
    """A made-up reply that repeats the last message."""
    return f"You said: {messages[-1]['content'][:60]} That is 3 words and a smile 🙂 or more."


class OpenAIServer:
    """`answers`: the whole reply to a request's messages. Keeps connections, as HTTP/1.1 does."""

    def __init__(self, script: Script, answers: Answers = an_echo) -> None:
        self.script = script
        self.answers = answers
        self.replies_cut = 0
        """Replies that the client left."""

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback; gives the base URL."""
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._connection(reader, writer)
            except asyncio.CancelledError:
                pass  # The server ends.
            finally:
                tasks.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", port)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.script.connections += 1
        self.script.open_now += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in head[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self._answer(head[0], headers, json.loads(body or b"{}"), writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.script.open_now -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self,
        line: str,
        headers: dict[str, str],
        body: dict[str, Any],
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection goes on."""
        script = self.script
        script.seen.append((line.split(" ")[1], body))
        if script.needs_key and headers.get("authorization") != f"Bearer {KEY}":
            error = {"message": f"Incorrect API key: {headers.get('authorization')}", "code": "x"}
            await _respond(writer, 401, {"error": error})
            return True
        if "/models" in line:
            fault = script.fault("models")
            if fault is not None and fault.what == "status":
                await _respond(writer, fault.code, json.loads(fault.text or "{}"), fault.headers)
                return True
            data = [{"id": name, "object": "model", "created": 1} for name in MODELS]
            await _respond(writer, 200, {"object": "list", "data": data})
            return True
        fault = script.fault("answer")
        if fault is not None:
            if fault.what == "status":
                await _respond(writer, fault.code, json.loads(fault.text or "{}"), fault.headers)
                return True
            if fault.what == "cut":
                writer.transport.abort()
                return False
            await asyncio.sleep(3600)
        await self._stream(body, writer)
        return True

    async def _stream(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        asked_at = asyncio.get_running_loop().time()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        await writer.drain()
        try:
            await self.script.until_first(asked_at)
            await self._pieces(body, writer)
        except (ConnectionError, asyncio.CancelledError):
            self.replies_cut += 1
            raise

    async def _pieces(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        async def event(data: Any) -> None:
            text = data if isinstance(data, str) else json.dumps(data)
            raw = f"data: {text}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            await writer.drain()

        base = {"id": "c-1", "object": "chat.completion.chunk", "model": body["model"]}

        def piece(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
            return base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        words = self.answers(body["messages"]).split(" ")
        most = body.get("max_completion_tokens") or body.get("max_tokens") or 100
        await event(piece({"role": "assistant", "content": ""}))
        for number, word in enumerate(words[:most]):
            if number == 2 and (fault := self.script.fault("middle")) is not None:
                await _in_the_middle(fault, event, writer)
            await event(piece({"content": word if number == 0 else f" {word}"}))
            await asyncio.sleep(self.script.pace_s)
            if writer.is_closing():
                raise ConnectionError
        await event(piece({}, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            await event(base | {"choices": [], "usage": _usage(body, len(words))})
        await event("[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _in_the_middle(fault: Fault, event: Any, writer: asyncio.StreamWriter) -> None:
    match fault.what:
        case "cut":
            writer.transport.abort()
            raise ConnectionError
        case "end":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            raise ConnectionError
        case "say":
            await event(fault.text)
        case "stall":
            await asyncio.sleep(3600)


def _usage(body: dict[str, Any], words: int) -> dict[str, Any]:
    tokens = sum(len(message["content"]) // 4 for message in body["messages"])
    details = {"cached_tokens": tokens // 2}
    return {
        "prompt_tokens": tokens,
        "completion_tokens": words,
        "total_tokens": tokens + words,
        "prompt_tokens_details": details,
    }


async def _respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> None:
    raw = json.dumps(body).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    writer.write(
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}"
        f"content-length: {len(raw)}\r\n\r\n".encode()
        + raw
    )
    await writer.drain()
