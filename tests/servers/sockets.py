"""What the servers of WebSockets have in common: how they start, and whom they let in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.servers.script import Script


class SocketServer(ABC):
    """One service; `refuse` and `talk` are its own."""

    def __init__(self, script: Script) -> None:
        self.script = script

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback; gives the base URL."""
        async with serve(
            self._session, "127.0.0.1", port, compression=None, process_request=self._admit
        ) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    @abstractmethod
    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        """What is answered to a client that is not let in. Checks that the request is right."""

    @abstractmethod
    async def talk(self, socket: ServerConnection) -> None:
        """Serve one connection; may raise ConnectionClosed."""

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        self.script.connections += 1
        if (fault := self.script.fault("handshake")) is not None:
            response = socket.respond(HTTPStatus(fault.code), fault.text)
            for name, value in fault.headers.items():
                response.headers[name] = value
            return response
        return self.refuse(socket, request)

    async def _session(self, socket: ServerConnection) -> None:
        self.script.open_now += 1
        try:
            await self.talk(socket)
        except ConnectionClosed:
            pass
        finally:
            self.script.open_now -= 1
