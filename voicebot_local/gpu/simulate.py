"""Conversations on one simulated card: the real policy and arbiter under a virtual clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voicebot_local.gpu.arbiter import Arbiter, Grant, Order, Revoke
from voicebot_local.gpu.conversation import Conversation, Costs, Measured
from voicebot_local.gpu.queue import TENANTS, Policy, Request, Tenant

NEVER_S = 1e9
"""Time limits of steps do not matter where steps have their stated cost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `conversations` at once met with under `policy`; times in seconds.

    `underruns` counts gaps inside replies, `underrun_s` is their length in all; `busy` is the share
    of time in which the device computed.
    """

    policy: Policy
    conversations: int
    turns: int
    first_audio_p50_s: float
    first_audio_p95_s: float
    underruns: int
    underrun_s: float
    asr_delay_p95_s: float
    busy: float


class _Card:
    """One device, its arbiter, and the conversations that want it."""

    def __init__(self, policy: Policy, conversations: list[Conversation]) -> None:
        self._arbiter = Arbiter(NEVER_S, NEVER_S, policy)
        self._conversations = conversations
        self._holder: int | None = None
        self._revoked = False
        self._asked: set[int] = set()
        self.now = 0.0
        self.busy_s = 0.0

    def run(self, until_s: float) -> None:
        while self.now < until_s:
            self._look()
            client = self._holder
            if client is not None and self._since(client) is not None:
                self._step(client)
            elif client is not None:
                self._give_back(client)
            else:
                wakes = (talk.wakes_at(self.now) for talk in self._conversations)
                self.now = min(min(wakes), until_s)

    def _look(self) -> None:
        """Time has moved: let turns begin, deadlines move, and those who are ready ask."""
        for talk in self._conversations:
            talk.tick(self.now)
            outlook = talk.outlook(self.now)
            self._obey(self._arbiter.look_ahead(talk.number, outlook, self.now))
        for client in range(len(self._conversations) * len(TENANTS)):
            since = self._since(client)
            if since is not None and client != self._holder and client not in self._asked:
                talk, tenant = self._who(client)
                self._asked.add(client)
                request = Request(client, tenant, since, talk.number, 0.16)
                self._obey(self._arbiter.request(request, self.now))

    def _step(self, client: int) -> None:
        talk, tenant = self._who(client)
        cost = talk.step(tenant, self.now)
        self.now += cost
        self.busy_s += cost
        talk.done(tenant, self.now)
        self._look()
        self._obey(self._arbiter.tick(self.now))
        if self._revoked:
            self._give_back(client)

    def _give_back(self, client: int) -> None:
        self._holder, self._revoked = None, False
        self._obey(self._arbiter.release(client, self.now))

    def _obey(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Grant():
                    self._holder, self._revoked = order.client, False
                    self._asked.discard(order.client)
                case Revoke():
                    self._revoked = True
                case _:
                    pass

    def _who(self, client: int) -> tuple[Conversation, Tenant]:
        return self._conversations[client // len(TENANTS)], TENANTS[client % len(TENANTS)]

    def _since(self, client: int) -> float | None:
        talk, tenant = self._who(client)
        return talk.ready(tenant, self.now)


def simulate(
    costs: Costs, policy: Policy, conversations: int, *, seconds: float = 600.0, seed: int = 1
) -> Outcome:
    """Run so many conversations for so long; the same seed gives every policy the same users."""
    measured = Measured()
    talks = [Conversation(n, costs, measured, seed * 1000 + n) for n in range(conversations)]
    card = _Card(policy, talks)
    card.run(seconds)
    return Outcome(
        policy,
        conversations,
        len(measured.first_audio_s),
        percentile(measured.first_audio_s, 50),
        percentile(measured.first_audio_s, 95),
        len(measured.underrun_s),
        sum(measured.underrun_s),
        percentile(measured.asr_delay_s, 95),
        card.busy_s / seconds,
    )


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` percent of all do not exceed; NaN of none."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)]
