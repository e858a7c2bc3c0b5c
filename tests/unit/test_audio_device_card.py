"""The real card over a PortAudio that is not: blocks, losses, devices that come and go."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable

import anyio
import numpy as np
import pytest
import trio
import trio.testing

from tests.unit.fake_portaudio import FakeDevice, FakePortAudio
from voicebot_local.audio.card import Block, CardNotice, SoundCard
from voicebot_local.audio.device_card import KEPT_S, DeviceCard
from voicebot_local.errors import DeviceError

RATE = 48_000
BLOCK = 480


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def headset() -> FakeDevice:
    return FakeDevice("Headset", inputs=1, outputs=2)


def apart() -> FakePortAudio:
    """A microphone and a loudspeaker that have no rate in common."""
    devices = [FakeDevice("Mic", 1, 0, (16_000,)), FakeDevice("Out", 0, 2, (48_000,))]
    return FakePortAudio(devices, default_device=(0, 1))


async def block_of(ticks: AsyncIterator[Block | CardNotice]) -> Block:
    tick = await anext(ticks)
    assert isinstance(tick, Block), tick
    return tick


async def notice_of(ticks: AsyncIterator[Block | CardNotice]) -> CardNotice:
    tick = await anext(ticks)
    assert isinstance(tick, CardNotice), tick
    return tick


@pytest.mark.anyio
async def test_one_stream_hears_and_plays() -> None:
    portaudio = FakePortAudio([headset()])
    card = DeviceCard(portaudio=portaudio)
    as_contract: SoundCard = card
    assert (as_contract.name, as_contract.rate) == ("Headset", RATE)
    async with card.open() as ticks:
        stream = portaudio.stream("both")
        assert (stream.blocksize, stream.dtype, stream.samplerate) == (BLOCK, "float32", RATE)
        reply = card.playout.begin()
        card.playout.write(reply, np.full(600, 0.5, np.float32))
        first, second = stream.tick(0.1), stream.tick(0.2)
        assert first.shape == (BLOCK, 2)
        assert (first == 0.5).all()
        assert second.sum() == 2 * 120 * 0.5
        blocks = [await block_of(ticks), await block_of(ticks)]
        assert [block.position for block in blocks] == [0, BLOCK]
        assert [float(block.heard[-1]) for block in blocks] == pytest.approx([0.1, 0.2])
        assert [block.played.reply_played for block in blocks] == [480, 600]
        np.testing.assert_array_equal(blocks[1].played.samples, second[:, 0])
    assert portaudio.streams == []


@pytest.mark.anyio
async def test_blocks_come_from_another_thread() -> None:
    portaudio = FakePortAudio([headset()])
    card = DeviceCard(portaudio=portaudio)
    async with card.open() as ticks:

        def play() -> None:
            for _ in range(20):
                portaudio.stream("both").tick()

        thread = threading.Thread(target=play)
        thread.start()
        positions = [(await block_of(ticks)).position for _ in range(20)]
        thread.join()
    assert positions == [BLOCK * i for i in range(20)]


@pytest.mark.anyio
async def test_what_a_busy_program_missed_is_counted() -> None:
    portaudio = FakePortAudio([headset()])
    card = DeviceCard(portaudio=portaudio)
    kept = round(KEPT_S * RATE) // BLOCK
    async with card.open() as ticks:
        stream = portaudio.stream("both")
        stream.tick()
        assert (await block_of(ticks)).lost == 0
        for _ in range(kept + 5):
            stream.tick()
        block = await block_of(ticks)
        assert (block.lost, block.position) == (5 * BLOCK, 6 * BLOCK)
        rest = [await block_of(ticks) for _ in range(kept - 1)]
        assert not any(block.lost for block in rest)
        assert rest[-1].position == (kept + 5) * BLOCK


def test_a_card_that_rests_gives_sound_in_lumps_until_somebody_stirs() -> None:
    portaudio = FakePortAudio([headset()])
    card = DeviceCard(portaudio=portaudio)
    positions: list[int] = []

    async def read() -> None:
        async with card.open() as ticks:
            async for tick in ticks:
                assert isinstance(tick, Block)
                positions.append(tick.position)

    async def talk() -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(read)
            await trio.testing.wait_all_tasks_blocked(0.01)
            stream = portaudio.stream("both")
            card.rest(True)
            for _ in range(9):
                stream.tick()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert positions == []
            stream.tick()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert positions == [BLOCK * i for i in range(10)]
            stream.tick()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(positions) == 10
            card.rest(False)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(positions) == 11
            stream.tick()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(positions) == 12
            tasks.cancel_scope.cancel()

    trio.run(talk)


@pytest.mark.anyio
async def test_devices_of_two_rates() -> None:
    portaudio = apart()
    card = DeviceCard(portaudio=portaudio)
    assert (card.rate, card.name) == (16_000, "Mic and Out")
    async with card.open() as ticks:
        microphone, loudspeaker = portaudio.stream("input"), portaudio.stream("output")
        assert (microphone.blocksize, loudspeaker.blocksize) == (160, 480)
        card.playout.write(card.playout.begin(), np.full(16_000, 0.5, np.float32))
        heard = []
        for _ in range(6):
            microphone.tick(0.25)
            heard.append(loudspeaker.tick())
        block = await block_of(ticks)
        assert len(block.heard) == 160
        assert (block.heard == 0.25).all()
        assert (block.played.samples == 0.5).all()
    played = np.concatenate(heard)
    assert not played[:400].any()
    assert played[-480:] == pytest.approx(0.5, abs=0.01)


@pytest.mark.anyio
async def test_a_sound_system_that_cannot_join() -> None:
    portaudio = FakePortAudio([headset()], joins=False)
    async with DeviceCard(portaudio=portaudio).open() as ticks:
        portaudio.stream("input").tick()
        portaudio.stream("output").tick()
        assert len((await block_of(ticks)).heard) == BLOCK


@pytest.mark.anyio
async def test_a_loudspeaker_alone() -> None:
    portaudio = FakePortAudio([FakeDevice("Out", outputs=2)])
    with pytest.raises(DeviceError, match="no microphone"):
        DeviceCard(portaudio=portaudio)
    card = DeviceCard(capture=False, portaudio=portaudio)
    async with card.open() as ticks:
        card.playout.write(card.playout.begin(), np.ones(BLOCK, np.float32))
        assert portaudio.stream("output").tick().all()
        block = await block_of(ticks)
    assert not block.heard.any()
    assert block.played.samples.all()


@pytest.mark.anyio
async def test_wild_samples_of_a_driver_are_tamed() -> None:
    portaudio = FakePortAudio([headset()])
    async with DeviceCard(portaudio=portaudio).open() as ticks:
        for heard in (np.nan, np.inf, 3.0):
            portaudio.stream("both").tick(heard)
        values = [float((await block_of(ticks)).heard[0]) for _ in range(3)]
    assert values == [0, 1, 1]


@pytest.mark.anyio
async def test_a_device_that_became_busy_is_told_of_at_the_opening() -> None:
    device = headset()
    portaudio = FakePortAudio([device])
    card = DeviceCard(portaudio=portaudio)
    device.busy = True
    with pytest.raises(DeviceError, match="is busy"):
        async with card.open():
            pass
    assert portaudio.streams == []


def unplug(portaudio: FakePortAudio) -> None:
    portaudio.devices.clear()
    for stream in list(portaudio.streams):
        stream.stop()


def freeze(portaudio: FakePortAudio) -> None:
    """The device is gone and its stream does not even say so."""
    portaudio.devices.clear()


@pytest.mark.parametrize(
    ("vanish", "why"), [(unplug, "the device stopped"), (freeze, "no sound came for 2 s")]
)
def test_a_device_that_vanishes_and_returns(
    vanish: Callable[[FakePortAudio], None], why: str
) -> None:
    device = headset()
    portaudio = FakePortAudio([device])
    card = DeviceCard("head", "Headset", portaudio=portaudio)

    async def talk() -> None:
        async with card.open() as ticks:
            portaudio.stream("both").tick()
            assert (await block_of(ticks)).position == 0
            began = trio.current_time()
            vanish(portaudio)
            lost = await notice_of(ticks)
            assert (lost.name, lost.lost, lost.message) == ("Headset", True, why)
            portaudio.later[portaudio.restarts + 3] = [FakeDevice("Other", 1, 2), device]
            back = await notice_of(ticks)
            assert (back.name, back.lost) == ("Headset", False)
            assert trio.current_time() - began >= 3
            stream = portaudio.stream("both")
            assert stream.device == (1, 1), "by its name, though its number changed"
            stream.tick()
            assert (await block_of(ticks)).position == BLOCK

    trio.run(talk, clock=trio.testing.MockClock(autojump_threshold=0))
    assert portaudio.streams == []


def test_leaving_while_the_device_is_gone() -> None:
    portaudio = FakePortAudio([headset()])
    card = DeviceCard(portaudio=portaudio)

    async def talk() -> None:
        async with card.open() as ticks:
            unplug(portaudio)
            assert (await notice_of(ticks)).lost
            with trio.move_on_after(3.5) as waiting:
                await anext(ticks)
            assert waiting.cancelled_caught

    trio.run(talk, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.anyio
async def test_cancelling_closes_the_streams() -> None:
    portaudio = FakePortAudio([headset()])
    with anyio.CancelScope() as scope:
        async with DeviceCard(portaudio=portaudio).open() as ticks:
            scope.cancel()
            await anext(ticks)
    assert scope.cancelled_caught
    assert portaudio.streams == []
