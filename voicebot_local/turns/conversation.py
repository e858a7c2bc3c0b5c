"""What was said so far, as the chat model is told: the persona, and turns as they were heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voicebot_local.providers.base import Message

KEPT_TURNS = 200
"""Turns that are kept at the most; a chat model's window is smaller, and it trims further."""
SILENCE = "(The user says nothing.)"


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A turn of an earlier session: what the user said, and what was heard of the reply."""

    user: str
    heard: str
    interrupted: bool


class Conversation:
    """The messages of one conversation; an interrupted reply is kept as far as it was heard."""

    def __init__(self, system_prompt: str, past: Iterable[PastTurn] = ()) -> None:
        """`past`: the turns of a conversation that is taken up again, in order."""
        self._system = [Message("system", system_prompt)] if system_prompt else []
        self._turns: list[list[Message]] = []
        for turn in past:
            self.remember(turn.user, turn.heard, interrupted=turn.interrupted)

    def with_user(self, text: str) -> list[Message]:
        """All messages, and `text` as the user's next one."""
        past = [message for turn in self._turns for message in turn]
        return [*self._system, *past, Message("user", text)]

    def remember(self, user: str, heard: str, *, interrupted: bool) -> None:
        """A turn is over: what the user said, if anything, and what was heard of the reply.

        Chat models want user and assistant in turn, so a silent user has a message, too.
        """
        turn = [Message("user", user or SILENCE)]
        if heard:
            turn.append(Message("assistant", heard, interrupted))
        self._turns.append(turn)
        if len(self._turns) > KEPT_TURNS:
            # Dropping a quarter at once keeps the prompt's beginning the same for many turns.
            del self._turns[: KEPT_TURNS // 4]
