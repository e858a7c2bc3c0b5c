"""Lets the chat model read what the user says while it is said, so that a reply begins sooner."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from voicebot_local.errors import VoicebotError
from voicebot_local.providers.base import ChatModel, Message, TextDelta

logger = logging.getLogger(__name__)

EVERY_S = 0.2
"""It reads once in this time at the most: several new words cost hardly more than one (s)."""


class ReadingAhead:
    """A chat model that reads ahead, between its replies, what it was last told to.

    A reply ends the reading, which lands at the model's next slice; what was read stays of use.
    `run` does the reading and belongs into a task of its own.
    """

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self._wanted: Sequence[Message] | None = None
        self._news = anyio.Event()
        self._busy = anyio.Lock()
        self._scope: anyio.CancelScope | None = None

    def want(self, messages: Sequence[Message]) -> None:
        """Read `messages`, of which the last may still grow; what was wanted before is void."""
        self._wanted = messages
        self._news.set()

    def stop(self) -> None:
        """Read nothing more."""
        self._wanted = None
        if self._scope is not None:
            self._scope.cancel()

    async def prefill(self, messages: Sequence[Message]) -> None:
        """As the model itself does it, between its replies."""
        async with self._busy:
            await self._chat.prefill(messages)

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[AsyncIterator[TextDelta]]:
        """As the model itself does it, once what is being read was left."""
        self.stop()
        async with self._busy, self._chat.reply(messages) as deltas:
            yield deltas

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._news.wait()
            await anyio.sleep(EVERY_S)
            self._news = anyio.Event()
            messages, self._wanted = self._wanted, None
            if messages is not None:
                await self._read(messages)

    async def _read(self, messages: Sequence[Message]) -> None:
        with anyio.CancelScope() as self._scope:
            try:
                await self.prefill(messages)
            except VoicebotError as error:
                # The reply meets the same trouble, and that is what the user is told.
                logger.warning("reading ahead failed: %s", error.message)
        self._scope = None
