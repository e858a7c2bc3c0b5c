"""Whose weights are on the device, where those of only one engine fit besides. Pure.

The chat model and the synthesizer take turns: while one has the room, the weights of the other are
parked in the machine's memory. The chat model has it while nobody speaks; a reply is written to its
end, then the synthesizer has it until it has been spoken. A change costs tenths of a second or
more, so it never happens while an engine works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicebot_local.gpu.queue import Request, Tenant

HOME: Tenant = "llm"
"""Who has the room when nobody needs it: the next reply begins with it."""

Doing: TypeAlias = Literal["working", "waiting", "nothing"]


@dataclass(frozen=True, slots=True)
class Park:
    """The client moves its weights off the device as soon as it does no work, and says so."""

    client: int


@dataclass(frozen=True, slots=True)
class Unpark:
    """The client may move its weights to the device, though it has nothing to do yet."""

    client: int


class Room:
    """Who has the room, who wants it, and when it changes hands."""

    def __init__(self) -> None:
        self._members: dict[int, Tenant] = {}
        self._doing: dict[int, Doing] = {}
        self._outside: dict[int, Request] = {}
        self._owner: int | None = None
        self._asked_at: float | None = None
        self._called: int | None = None

    @property
    def late_since(self) -> float | None:
        """Since when the owner could have left and has not, though it was asked to."""
        busy = self._owner is not None and self._doing.get(self._owner) == "working"
        return None if busy else self._asked_at

    @property
    def owner(self) -> int | None:
        """Whose weights are on the device, or on their way there."""
        return self._owner

    def join(self, client: int, tenant: Tenant) -> None:
        """A client that can park has come; its weights are not on the device."""
        self._members[client] = tenant

    def admits(self, request: Request) -> bool:
        """Whether the request may go on to the device. If not, `decide` gives it when it may."""
        self._doing[request.client] = "working"
        if not request.unparks or request.client == self._owner:
            return True
        self._outside[request.client] = request
        return False

    def withdraw(self, client: int) -> None:
        """A client that waits for the room does not want it any more."""
        self._outside.pop(client, None)

    def rests(self, client: int, now: float, *, over: bool) -> None:
        """The client has done all it was asked; its call is `over`, or more may be asked in it."""
        self._doing[client] = "nothing" if over else "waiting"
        if client == self._owner and self._asked_at is not None:
            self._asked_at = now

    def left(self, client: int) -> None:
        """The client's weights are off the device."""
        if client == self._owner:
            self._owner = self._asked_at = self._called = None

    def gone(self, client: int) -> None:
        """The client's process has ended."""
        self.left(client)
        self._members.pop(client, None)
        self._doing.pop(client, None)
        self._outside.pop(client, None)
        if client == self._called:
            self._called = None

    def decide(self, now: float) -> tuple[Request | None, list[Park | Unpark]]:
        """A request that now may go on to the device, if any, and whom to tell what."""
        if self._owner is not None:
            if self._asked_at is not None or not self._wanted(self._owner):
                return None, []
            self._asked_at = now
            return None, [Park(self._owner)]
        if self._outside:
            first = min(self._outside.values(), key=lambda one: (one.speculative, one.at))
            del self._outside[first.client]
            self._owner = first.client
            return first, []
        home = self._home()
        if home is None or self._called is not None:
            return None, []
        self._called = home
        return None, [Unpark(home)]

    def _home(self) -> int | None:
        return next((client for client, who in self._members.items() if who == HOME), None)

    def _wanted(self, owner: int) -> bool:
        """Whether somebody wants the room whom its owner would not be interrupted for."""
        doing = self._doing.get(owner, "nothing")
        if doing == "working":
            return False
        if doing == "waiting":  # In mid-reply only for work that the reply waits for.
            return any(not request.speculative for request in self._outside.values())
        return bool(self._outside) or self._home() not in (owner, None)
