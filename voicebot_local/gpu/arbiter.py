"""The broker's decisions: who holds the device, who is asked for it back, who is killed.

A pure object. What clients say goes in with the time, orders for them come out; `broker.py` is the
process that carries them. A client computes only while it holds the device, and says that it has
given it back only after the device has finished, so at most one computes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicebot_local.gpu.queue import GpuQueue, Outlook, Policy, Request, Tenant
from voicebot_local.gpu.room import Park, Room, Unpark

QUANTUM_S = 0.05
"""How often a holder is asked whether it only idles, while anybody waits (s)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The client holds the device from now on."""

    client: int


@dataclass(frozen=True, slots=True)
class Revoke:
    """The client gives the device back after its present step."""

    client: int


@dataclass(frozen=True, slots=True)
class Rest:
    """The client gives the device back at once if it is between two steps, else not at all."""

    client: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """The client was asked for the device `after_s` ago and has not given it back."""

    client: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Kill:
    """The client has hung; its process must end, which gives the device back."""

    client: int
    after_s: float


Order: TypeAlias = Grant | Revoke | Rest | Overdue | Kill | Park | Unpark


@dataclass(slots=True)
class _Holder:
    request: Request
    asked: float
    """When it got the device, or was last asked whether it idles."""
    revoked: float | None = None
    reported: bool = False
    killed: bool = False


class Arbiter:
    """Gives the device to one client at a time.

    A holder that nobody competes with is left alone for as long as it likes. It is asked to give
    the device back when somebody with less slack waits, and now and then to do so if it idles while
    anybody does. Asked for the device, it has `limit_s` for the step that it is in before that is
    reported, and `kill_s` before its process is killed: a step is short, so it has hung.

    Clients that `join` have their weights on the device by turns, see `room.py`.
    """

    def __init__(self, limit_s: float, kill_s: float, policy: Policy = "slack") -> None:
        self._queue = GpuQueue(policy)
        self._room = Room()
        self._killed: set[int] = set()
        self._limit_s = limit_s
        self._kill_s = kill_s
        self._holder: _Holder | None = None

    @property
    def holder(self) -> int | None:
        """Who holds the device."""
        return self._holder.request.client if self._holder else None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def look_ahead(self, conversation: int, outlook: Outlook, now: float) -> list[Order]:
        """A conversation's deadlines moved."""
        self._queue.look_ahead(conversation, outlook)
        return self._decide(now)

    def request(self, request: Request, now: float) -> list[Order]:
        """A client wants the device for its next step."""
        if self.holder == request.client:  # It was granted while it asked again.
            return []
        if self._room.admits(request):
            self._queue.add(request)
        return self._decide(now)

    def join(self, client: int, tenant: Tenant, now: float) -> list[Order]:
        """A client has come whose weights can be parked; they are not on the device."""
        self._room.join(client, tenant)
        return self._decide(now)

    def rests(self, client: int, now: float, *, over: bool) -> list[Order]:
        """A client of the room has nothing to do; its call is `over`, or waits for more."""
        self._room.rests(client, now, over=over)
        return self._decide(now)

    def parked(self, client: int, now: float) -> list[Order]:
        """A client's weights are off the device."""
        self._room.left(client)
        return self._decide(now)

    def withdraw(self, client: int, now: float) -> list[Order]:
        """A client wants it no longer; if it was granted meanwhile, this gives it back."""
        self._queue.remove(client)
        self._room.withdraw(client)
        return self.release(client, now)

    def release(self, client: int, now: float) -> list[Order]:
        """A client has given the device back."""
        if self.holder == client:
            self._holder = None
        return self._decide(now)

    def gone(self, client: int, now: float) -> list[Order]:
        """A client's process has ended, and with it all that it computed."""
        self._room.gone(client)
        self._killed.discard(client)
        return self.withdraw(client, now)

    def tick(self, now: float) -> list[Order]:
        """Time has passed; see `wakes_at`."""
        return self._decide(now)

    def wakes_at(self, now: float) -> float | None:
        """When `tick` has something to decide; None while nothing can happen by itself."""
        late, owner = self._room.late_since, self._room.owner
        leaves_by = None if late is None or owner in self._killed else late + self._kill_s
        moments = (self._holder_wakes_at(now), leaves_by)
        return min((moment for moment in moments if moment is not None), default=None)

    def _holder_wakes_at(self, now: float) -> float | None:
        holder = self._holder
        if holder is None or not self._queue.urgent or holder.killed:
            return None
        if holder.revoked is None:
            return min(holder.asked + QUANTUM_S, self._queue.overtakes_at(now))
        return holder.revoked + (self._kill_s if holder.reported else self._limit_s)

    def _decide(self, now: float) -> list[Order]:
        admitted, told = self._room.decide(now)
        if admitted is not None:
            self._queue.add(admitted)
        return [*told, *self._overstaying(now), *self._decide_device(now)]

    def _overstaying(self, now: float) -> list[Order]:
        """An idle client that does not park has hung; its end frees the room."""
        since, owner = self._room.late_since, self._room.owner
        if since is None or owner is None or now - since < self._kill_s or owner in self._killed:
            return []
        self._killed.add(owner)
        return [Kill(owner, now - since)]

    def _decide_device(self, now: float) -> list[Order]:
        holder = self._holder
        if holder is None:
            return self._grant(now)
        if holder.revoked is None:
            if self._queue.yields(holder.request, now):
                holder.revoked = now
                return [Revoke(holder.request.client)]
            if self._queue.urgent and now - holder.asked >= QUANTUM_S:
                # One that computes keeps the device: whoever waits has more slack.
                holder.asked = now
                return [Rest(holder.request.client)]
            return []
        after_s = now - holder.revoked
        if after_s >= self._kill_s and not holder.killed:
            holder.killed = True
            return [Kill(holder.request.client, after_s)]
        if after_s >= self._limit_s and not holder.reported:
            holder.reported = True
            return [Overdue(holder.request.client, after_s)]
        return []

    def _grant(self, now: float) -> list[Order]:
        first = self._queue.next(now)
        if first is None:
            return []
        self._queue.remove(first.client)
        self._holder = _Holder(first, now)
        # Who is chosen over others still yields to them in turn.
        return [Grant(first.client), *self._decide_device(now)]
