"""Whose weights are on the device: the decisions for any behaviour of the two engines."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot_local.gpu.arbiter import Arbiter, Grant, Kill, Order
from voicebot_local.gpu.queue import Request, Tenant
from voicebot_local.gpu.room import Park, Room, Unpark

LLM, TTS = 1, 2


def asks(client: int, at: float, *, unparks: bool = True, speculative: bool = False) -> Request:
    tenant: Tenant = "llm" if client == LLM else "tts"
    return Request(client, tenant, at, speculative=speculative, unparks=unparks)


def two(*, owner: int = LLM) -> Room:
    """A room whose owner has done its work, and the other one is there."""
    room = Room()
    room.join(LLM, "llm")
    room.join(TTS, "tts")
    assert not room.admits(asks(owner, 0.0))
    admitted, told = room.decide(1.0)
    assert admitted is not None
    assert (admitted.client, told) == (owner, [])
    room.rests(owner, 1.0, over=True)
    return room


def test_a_request_for_the_room_waits_until_its_owner_has_left() -> None:
    room = two()
    assert not room.admits(asks(TTS, 1.0))
    assert room.decide(1.0) == (None, [Park(LLM)])
    assert room.decide(1.0) == (None, [])
    room.left(LLM)
    assert room.decide(1.0) == (asks(TTS, 1.0), [])
    assert room.owner == TTS


def test_a_reply_is_written_to_its_end_before_it_is_spoken() -> None:
    room = two()
    assert room.admits(asks(LLM, 1.0, unparks=False))
    assert not room.admits(asks(TTS, 1.1))
    assert room.decide(1.0) == (None, [])
    room.rests(LLM, 1.0, over=True)
    assert room.decide(1.0) == (None, [Park(LLM)])


def test_the_chat_model_comes_home_when_the_reply_is_spoken() -> None:
    room = two(owner=TTS)
    assert room.decide(1.0) == (None, [Park(TTS)])
    room.left(TTS)
    assert room.decide(1.0) == (None, [Unpark(LLM)])
    assert room.decide(1.0) == (None, [])
    assert not room.admits(asks(LLM, 2.0, speculative=True))
    assert room.decide(1.0) == (asks(LLM, 2.0, speculative=True), [])
    room.rests(LLM, 1.0, over=True)
    assert room.decide(1.0) == (None, [])


def test_in_mid_reply_only_what_the_reply_waits_for_takes_the_room() -> None:
    room = two(owner=TTS)
    room.admits(asks(TTS, 1.0, unparks=False))
    room.rests(TTS, 1.0, over=False)
    assert not room.admits(asks(LLM, 1.1, speculative=True))
    assert room.decide(1.0) == (None, [])
    assert not room.admits(asks(LLM, 1.2))
    assert room.decide(1.0) == (None, [Park(TTS)])


def test_one_that_is_gone_leaves_the_room() -> None:
    room = two()
    room.admits(asks(TTS, 1.0))
    room.gone(LLM)
    assert room.decide(1.0) == (asks(TTS, 1.0), [])
    room.gone(TTS)
    assert room.decide(1.0) == (None, [])
    assert room.owner is None


def test_one_that_has_nothing_to_do_and_does_not_park_is_killed() -> None:
    arbiter = Arbiter(0.5, 2.0)
    arbiter.join(LLM, "llm", 0.0)
    arbiter.join(TTS, "tts", 0.0)
    assert arbiter.request(asks(TTS, 0.0), 0.0) == [Grant(TTS)]
    assert arbiter.release(TTS, 0.1) == []
    assert arbiter.rests(TTS, 0.2, over=True) == [Park(TTS)]
    assert arbiter.request(asks(LLM, 0.3), 0.3) == []
    assert arbiter.wakes_at(0.3) == 2.2
    assert arbiter.tick(2.1) == []
    assert arbiter.tick(2.2) == [Kill(TTS, 2.0)]
    assert arbiter.wakes_at(2.3) is None
    assert arbiter.gone(TTS, 2.4) == [Grant(LLM)]


def test_one_that_works_is_not_late() -> None:
    arbiter = Arbiter(0.5, 2.0)
    arbiter.join(LLM, "llm", 0.0)
    arbiter.join(TTS, "tts", 0.0)
    arbiter.request(asks(TTS, 0.0), 0.0)
    arbiter.release(TTS, 0.1)
    arbiter.rests(TTS, 0.2, over=True)
    # Its next call came before it heard that it should park.
    assert arbiter.request(asks(TTS, 0.3, unparks=False), 0.3) == [Grant(TTS)]
    assert arbiter.tick(5.0) == []
    arbiter.release(TTS, 6.0)
    arbiter.rests(TTS, 6.0, over=True)
    assert arbiter.wakes_at(6.0) == 8.0
    assert arbiter.parked(TTS, 6.1) == [Unpark(LLM)]
    assert arbiter.wakes_at(6.1) is None


@dataclass
class Engine:
    """A client that parks: calls come, each of some steps; the weights follow the orders."""

    number: int
    calls: list[int]
    steps_left: int = 0
    inside: bool = False
    leaving: bool = False
    called: bool = False
    asked: bool = False
    done: list[int] = field(default_factory=list)

    @property
    def tenant(self) -> Tenant:
        return "llm" if self.number == LLM else "tts"


class World:
    """Two engines and an arbiter; checks that never both are inside."""

    def __init__(self, engines: list[Engine]) -> None:
        self.engines = {engine.number: engine for engine in engines}
        self.arbiter = Arbiter(10.0, 20.0)
        self.now = 0.0
        for engine in engines:
            self.carry_out(self.arbiter.join(engine.number, engine.tenant, 0.0))

    def carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            engine = self.engines[order.client]
            match order:
                case Grant():
                    self.step(engine)
                case Park():
                    engine.leaving = True
                case Unpark():
                    engine.called = True
                case _:
                    pass

    def step(self, engine: Engine) -> None:
        others = [one for one in self.engines.values() if one is not engine]
        assert not any(other.inside for other in others)
        engine.asked = False
        if not engine.inside:
            engine.inside = True
            engine.called = False
        elif engine.steps_left:
            engine.steps_left -= 1
            if not engine.steps_left:
                engine.done.append(engine.calls.pop(0))
        self.now += 0.01
        self.carry_out(self.arbiter.release(engine.number, self.now))
        if not engine.steps_left and not engine.asked:
            self.carry_out(self.arbiter.rests(engine.number, self.now, over=True))

    def act(self, engine: Engine) -> None:
        """What its owner thread does next."""
        self.now += 0.001
        if engine.asked:
            return
        if engine.leaving and not engine.steps_left:
            engine.leaving = engine.inside = False
            self.carry_out(self.arbiter.parked(engine.number, self.now))
        elif engine.calls:
            engine.steps_left = engine.steps_left or engine.calls[0]
            self.ask(engine, speculative=False)
        elif engine.called and not engine.inside:
            self.ask(engine, speculative=True)

    def ask(self, engine: Engine, *, speculative: bool) -> None:
        engine.asked = True
        request = Request(
            engine.number,
            engine.tenant,
            self.now,
            speculative=speculative,
            unparks=not engine.inside,
        )
        self.carry_out(self.arbiter.request(request, self.now))


CALLS = st.lists(st.integers(1, 5), max_size=6)


@settings(max_examples=200, deadline=None)
@given(CALLS, CALLS, st.lists(st.sampled_from([LLM, TTS]), max_size=60))
def test_never_both_inside_and_every_call_is_served(
    written: list[int], spoken: list[int], order: list[int]
) -> None:
    world = World([Engine(LLM, list(written)), Engine(TTS, list(spoken))])
    for number in [*order, *[LLM, TTS] * 100]:
        world.act(world.engines[number])
    assert world.engines[LLM].done == written
    assert world.engines[TTS].done == spoken
    assert world.engines[LLM].inside
    assert not world.engines[TTS].inside
