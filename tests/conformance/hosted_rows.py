"""The hosted providers that the scenarios run over, one row each, against servers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tests.servers.assemblyai import AssemblyAIServer
from tests.servers.cartesia import CartesiaServer
from tests.servers.elevenlabs import ElevenLabsServer
from tests.servers.openai import OpenAIServer
from tests.servers.script import Script
from voicebot_local.engines.client import running
from voicebot_local.engines.serving import load_class
from voicebot_local.providers.hosted import HostedNotice
from voicebot_local.providers.registry import HOSTED


@dataclass(frozen=True)
class HostedRow:
    """A hosted provider as the scenarios use it; `settings` are on top of the server's address."""

    name: str
    server: Callable[[Script], Any]
    settings: dict[str, object]
    library: str
    backend: str = "asyncio"

    def __str__(self) -> str:
        return f"{self.name}-hosted"

    @property
    def missing(self) -> list[str]:
        return [] if find_spec(self.library) else [self.library]

    @asynccontextmanager
    async def connected(
        self, script: Script, tell: Callable[[HostedNotice], None] = lambda _: None, **more: object
    ) -> AsyncIterator[Any]:
        """The provider, connected to its server."""
        async with self.serving(script) as url, self.provider(url, tell, **more) as provider:
            yield provider

    def serving(self, script: Script, port: int = 0) -> AbstractAsyncContextManager[str]:
        """Its server; gives the base URL."""
        served: AbstractAsyncContextManager[str] = self.server(script).running(port)
        return served

    @asynccontextmanager
    async def provider(
        self, url: str, tell: Callable[[HostedNotice], None], **more: object
    ) -> AsyncIterator[Any]:
        """The provider, connected to `url`."""
        kind = HOSTED[self.name]
        config = load_class(kind.config_class)(base_url=url, **(self.settings | more))
        provider = load_class(kind.provider)(config, tell)
        async with running(provider):
            yield provider


# The recordings of the scenarios come at once, not as they would be spoken.
ASSEMBLYAI = HostedRow("assemblyai", AssemblyAIServer, {"burst_s": 60.0}, "websockets")
OPENAI = HostedRow("openai", lambda script: OpenAIServer(script), {"dialect": "openai"}, "openai")
ELEVENLABS = HostedRow("elevenlabs", ElevenLabsServer, {}, "websockets")
CARTESIA = HostedRow("cartesia", CartesiaServer, {}, "websockets")

RECOGNIZERS = [ASSEMBLYAI]
CHAT_MODELS = [OPENAI]
SYNTHESIZERS = [ELEVENLABS, CARTESIA]
