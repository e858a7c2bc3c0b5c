"""`chat`: the chat model alone, written to and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from voicebot_local.providers.base import ChatModel
from voicebot_local.turns.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: its text, how long its first text took (None: there was none) and all of it (s)."""

    text: str
    first_s: float | None
    took_s: float


class Chat:
    """A conversation in writing; a reply that was stopped is remembered as far as it was shown."""

    def __init__(self, model: ChatModel, system_prompt: str) -> None:
        self._model = model
        self._conversation = Conversation(system_prompt)

    async def reply(self, text: str, on_text: Callable[[str], None]) -> Answer:
        """Reply to `text`; `on_text` gets the reply piece by piece and must not wait.

        Cancelling stops the reply; it is then remembered, and the cancellation goes on. Raises
        ProviderError: the turn is then forgotten.
        """
        said: list[str] = []
        began = anyio.current_time()
        first_s: float | None = None
        try:
            async with self._model.reply(self._conversation.with_user(text)) as deltas:
                async for delta in deltas:
                    if first_s is None:
                        first_s = anyio.current_time() - began
                    said.append(delta.text)
                    on_text(delta.text)
        except anyio.get_cancelled_exc_class():
            self._conversation.remember(text, "".join(said).strip(), interrupted=True)
            raise
        whole = "".join(said).strip()
        self._conversation.remember(text, whole, interrupted=False)
        return Answer(whole, first_s, anyio.current_time() - began)
