"""Conversations on one simulated card: the real policy and arbiter under a virtual clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from voicebot_local.gpu.arbiter import Arbiter, Grant, Order, Revoke
from voicebot_local.gpu.conversation import (
    ASR_CHUNK_S,
    TINY_S,
    Conversation,
    Costs,
    Measured,
)
from voicebot_local.gpu.queue import TENANTS, Outlook, Policy, Request

NEVER_S = 1e9
"""Time limits of steps do not matter where steps have their stated cost."""
GOOD_FIRST_AUDIO_S = 0.5
"""A card holds a conversation well while 95 % of replies are heard this soon (s)..."""
GOOD_STALLED_SHARE = 0.01
"""...and a smaller share than this of them has a gap."""
MOST_CONVERSATIONS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `conversations` at once met with under `policy`; times in seconds.

    `turns` were answered, `stalled_turns` of them with gaps in the reply; `underruns` counts the
    gaps, `underrun_s` is their length in all. The device computed for the share `busy` of the time.
    """

    policy: Policy
    conversations: int
    turns: int
    stalled_turns: int
    first_audio_p50_s: float
    first_audio_p95_s: float
    underruns: int
    underrun_s: float
    asr_delay_p95_s: float
    busy: float

    @property
    def is_good(self) -> bool:
        """Nobody notices that others talk to the same card."""
        return self.first_audio_p95_s <= GOOD_FIRST_AUDIO_S and (
            self.stalled_turns < GOOD_STALLED_SHARE * self.turns or not self.stalled_turns
        )


class _Seat:
    """A conversation on the card, and what is known of it until it changes.

    It changes by its own steps and at `wakes_at`; its deadlines also move as such from `moves_at`.
    """

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.changed = True
        self.ready: list[float | None] = [None] * len(TENANTS)
        self.outlook: Outlook | None = None
        self.wakes_at = self.moves_at = 0.0

    def look(self, now: float) -> None:
        """Find out what it can do now."""
        self.talk.tick(now)
        self.ready = [self.talk.ready(tenant, now) for tenant in TENANTS]
        self.wakes_at = self.talk.wakes_at(now)
        self.moves_at = self.talk.outlook_moves_at(now)


class _Card:
    """One device, its arbiter, and the conversations that want it."""

    def __init__(self, policy: Policy, conversations: list[Conversation]) -> None:
        self._arbiter = Arbiter(NEVER_S, NEVER_S, policy)
        self._seats = [_Seat(talk) for talk in conversations]
        self._holder: int | None = None
        self._revoked = False
        self._asked: set[int] = set()
        self.now = 0.0
        self.busy_s = 0.0

    def run(self, until_s: float) -> None:
        while self.now < until_s:
            self._look()
            client = self._holder
            if client is None:
                self.now = min(until_s, *(seat.wakes_at for seat in self._seats))
            elif self._seats[client // len(TENANTS)].ready[client % len(TENANTS)] is None:
                self._give_back(client)
            else:
                self._step(client)

    def _look(self) -> None:
        """Time has moved: let turns begin, deadlines move, and those who are ready ask."""
        now = self.now
        changed = [seat for seat in self._seats if seat.changed or seat.wakes_at <= now + TINY_S]
        for seat in changed:
            seat.look(now)
        for seat in self._seats:
            if seat.changed or seat.moves_at <= now or seat in changed:
                outlook = seat.talk.outlook(now)
                if outlook != seat.outlook:
                    seat.outlook = outlook
                    self._obey(self._arbiter.look_ahead(seat.talk.number, outlook, now))
        for seat in changed:
            seat.changed = False
            self._ask(seat)

    def _ask(self, seat: _Seat) -> None:
        for tenant, since in zip(TENANTS, seat.ready, strict=True):
            client = seat.talk.number * len(TENANTS) + TENANTS.index(tenant)
            if since is not None and client != self._holder and client not in self._asked:
                self._asked.add(client)
                request = Request(client, tenant, since, seat.talk.number, ASR_CHUNK_S)
                self._obey(self._arbiter.request(request, self.now))

    def _step(self, client: int) -> None:
        seat, tenant = self._seats[client // len(TENANTS)], TENANTS[client % len(TENANTS)]
        cost = seat.talk.step(tenant, self.now)
        self.now += cost
        self.busy_s += cost
        seat.talk.done(tenant, self.now)
        seat.changed = True
        self._look()
        self._obey(self._arbiter.tick(self.now))
        if self._revoked:
            self._give_back(client)

    def _give_back(self, client: int) -> None:
        self._seats[client // len(TENANTS)].changed = True
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
        measured.stalled_turns,
        percentile(measured.first_audio_s, 50),
        percentile(measured.first_audio_s, 95),
        len(measured.underrun_s),
        sum(measured.underrun_s),
        percentile(measured.asr_delay_s, 95),
        card.busy_s / seconds,
    )


def conversations_held(run: Callable[[int], Outcome]) -> int:
    """How many conversations a card holds well: the most before the first number that is too many.

    `run` simulates so many.
    """
    for number in range(1, MOST_CONVERSATIONS + 1):
        if not run(number).is_good:
            return number - 1
    return MOST_CONVERSATIONS


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` percent of all do not exceed; NaN of none."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)]
