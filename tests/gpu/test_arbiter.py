"""The broker's decisions under a virtual clock, for any behaviour of its clients."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.gpu.arbiter import QUANTUM_S, Arbiter, Grant, Kill, Order, Overdue, Rest, Revoke
from voicebot_local.gpu.queue import KEEP_S, LONGEST_WAIT_S, MARGIN_S, TENANTS, Outlook, Request

LIMIT_S, KILL_S = 0.5, 2.0


@dataclass
class Client:
    """Asks for the device `pause_s` after its last step, computes in steps of `step_s`."""

    number: int
    tenant: int
    step_s: float
    pause_s: float
    hangs: bool = False
    asked: float | None = None
    stepping_until: float | None = None
    holds: bool = False
    revoked: bool = False
    rests_until: float = 0.0
    longest_wait: float = 0.0
    alive: bool = True
    steps: int = 0


class World:
    """Clients and an arbiter on one virtual clock; checks what must always hold."""

    def __init__(self, clients: list[Client]) -> None:
        self.clients = {client.number: client for client in clients}
        self.arbiter = Arbiter(LIMIT_S, KILL_S)
        self.now = 0.0
        self.overdue = self.killed = 0

    def carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            client = self.clients[order.client]
            match order:
                case Grant():
                    assert not any(other.holds for other in self.clients.values())
                    assert client.alive
                    client.holds, client.revoked = True, False
                    assert client.asked is not None
                    client.longest_wait = max(client.longest_wait, self.now - client.asked)
                    client.asked = None
                    client.stepping_until = self.now + client.step_s
                case Revoke():
                    assert client.holds
                    client.revoked = True
                case Rest():
                    assert client.holds
                    if client.stepping_until is None:
                        self.give_back(client)
                case Overdue():
                    self.overdue += 1
                case Kill():
                    self.killed += 1
                    self.die(client)

    def die(self, client: Client) -> None:
        client.alive = client.holds = False
        client.asked = client.stepping_until = None
        self.carry_out(self.arbiter.gone(client.number, self.now))

    def run(self, until: float) -> None:
        while self.now < until:
            for client in self.clients.values():
                if client.alive:
                    self.act(client)
            wakes_at = self.arbiter.wakes_at(self.now)
            if wakes_at is not None and wakes_at <= self.now:
                self.carry_out(self.arbiter.tick(self.now))
            if self.arbiter.waiting:
                assert self.arbiter.holder is not None, "work conserving"
            self.now = round(self.now + 0.001, 6)

    def act(self, client: Client) -> None:
        if client.stepping_until is not None:
            if client.hangs or self.now < client.stepping_until:
                return
            client.stepping_until, client.steps = None, client.steps + 1
            client.rests_until = self.now + client.pause_s
            if client.revoked:
                self.give_back(client)
        elif client.holds and client.revoked:
            self.give_back(client)
        if self.now < client.rests_until or client.asked is not None:
            return
        if client.holds:
            client.stepping_until = self.now + client.step_s
        elif client.asked is None:
            client.asked = self.now
            tenant = TENANTS[client.tenant]
            request = Request(client.number, tenant, self.now, period_s=0.16)
            self.carry_out(self.arbiter.request(request, self.now))

    def give_back(self, client: Client) -> None:
        client.holds = client.revoked = False
        self.carry_out(self.arbiter.release(client.number, self.now))


MILLISECONDS = st.integers(1, 40).map(lambda n: n / 1000)


@st.composite
def crowds(draw: st.DrawFn) -> list[Client]:
    number = draw(st.integers(1, 5))
    return [
        Client(n, draw(st.integers(0, 2)), draw(MILLISECONDS), draw(MILLISECONDS))
        for n in range(number)
    ]


def allow(world: World) -> float:
    """The longest that a fair broker lets anybody wait: everybody else's longest steps, in turn."""
    longest = max(client.step_s for client in world.clients.values())
    # Recognizers always go first, so two of them can keep the device between them; the others
    # then wait for as long as both have chunks. In life a chunk takes a tenth of its period.
    return LONGEST_WAIT_S + longest * (len(world.clients) + 2)


@settings(max_examples=60, deadline=None)
@given(crowds())
def test_one_at_a_time_and_nobody_starves(clients: list[Client]) -> None:
    for client in clients:
        if client.tenant == 0:
            client.pause_s = 0.16
            client.step_s = min(client.step_s, 0.02)
    world = World(clients)
    world.run(4.0)
    for client in clients:
        assert client.steps > 0
        assert client.longest_wait <= allow(world)
    assert world.overdue == world.killed == 0


@settings(max_examples=40, deadline=None)
@given(crowds(), st.integers(0, 4), st.integers(0, 1500))
def test_a_dead_holder_gives_the_device_back(
    clients: list[Client], which: int, when_ms: int
) -> None:
    world = World(clients)
    world.run(when_ms / 1000)
    holder = world.arbiter.holder
    victim = clients[holder if holder is not None else which % len(clients)]
    world.die(victim)
    before = {client.number: client.steps for client in clients}
    world.run(world.now + 2.5)
    assert all(c.steps > before[c.number] for c in clients if c.alive and c.tenant == 0)


def test_a_hung_holder_is_reported_then_killed_and_the_others_go_on() -> None:
    hung = Client(0, 1, 0.01, 0.0, hangs=True)
    other = Client(1, 2, 0.01, 0.0)
    other.rests_until = 0.1
    world = World([hung, other])
    world.run(5.0)
    assert (world.overdue, world.killed) == (1, 1)
    assert not hung.alive
    assert other.steps > 100


def test_alone_nobody_is_asked_for_anything() -> None:
    arbiter = Arbiter(LIMIT_S, KILL_S)
    assert arbiter.request(Request(1, "llm", 0.0), 0.0) == [Grant(1)]
    assert arbiter.wakes_at(0.0) is None
    assert arbiter.tick(100.0) == []
    assert arbiter.release(1, 100.0) == []


def test_a_request_withdrawn_after_its_grant_gives_it_back() -> None:
    arbiter = Arbiter(LIMIT_S, KILL_S)
    arbiter.request(Request(1, "llm", 0.0), 0.0)
    assert arbiter.request(Request(2, "llm", 0.001), 0.001) == []
    assert arbiter.withdraw(1, 0.002) == [Grant(2)]


def test_a_moved_deadline_takes_the_device_away() -> None:
    arbiter = Arbiter(LIMIT_S, KILL_S)
    arbiter.look_ahead(0, Outlook(audio_until=2.0, text_until=1.0), 0.0)
    arbiter.request(Request(1, "llm", 0.0), 0.0)
    assert arbiter.request(Request(2, "tts", 0.0), 0.0) == []
    assert arbiter.look_ahead(0, Outlook(audio_until=2.0, text_until=9.0), 0.1) == [Revoke(1)]


def test_a_holder_with_less_slack_is_only_asked_whether_it_idles() -> None:
    arbiter = Arbiter(LIMIT_S, KILL_S)
    arbiter.look_ahead(0, Outlook(audio_until=None, text_until=9.0), 0.0)
    arbiter.request(Request(1, "tts", 0.0), 0.0)
    assert arbiter.request(Request(2, "llm", 0.0), 0.0) == []
    for asked in (1, 2, 3):
        assert arbiter.wakes_at((asked - 1) * QUANTUM_S) == asked * QUANTUM_S
        assert arbiter.tick(asked * QUANTUM_S) == [Rest(1)]
    assert arbiter.release(1, 0.2) == [Grant(2)]


def test_time_alone_may_take_the_device_away() -> None:
    arbiter = Arbiter(LIMIT_S, KILL_S)
    arbiter.look_ahead(0, Outlook(audio_until=0.17, text_until=None), 0.0)
    arbiter.request(Request(1, "llm", 0.0), 0.0)
    assert arbiter.request(Request(2, "tts", 0.0), 0.0) == []
    due = 0.17 - MARGIN_S + KEEP_S
    assert arbiter.wakes_at(0.0) == due
    assert arbiter.tick(due + 0.001) == [Revoke(1)]
