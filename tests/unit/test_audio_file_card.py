"""The card made of recordings: its clock, its recordings in turn, its loudspeaker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import numpy as np
import pytest
import soundfile
import trio
import trio.testing

from voicebot_local.audio.card import Block, SoundCard
from voicebot_local.audio.file_card import FileCard
from voicebot_local.errors import InputError

RATE = 8_000
BLOCK = 160


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Of 2.5 blocks at 0.1, 1 block at 0.2 and 0.5 blocks at 0.3."""
    paths = []
    for number, length in enumerate((400, 160, 80)):
        paths.append(tmp_path / f"{number}.wav")
        sound = np.full(length, 0.1 * (number + 1), np.float32)
        soundfile.write(paths[-1], sound, RATE, subtype="FLOAT")
    return paths


def fast(recordings: list[Path]) -> FileCard:
    return FileCard(recordings, rate=RATE, pace="fast")


async def take(ticks: AsyncIterator[object], count: int) -> list[Block]:
    blocks = []
    for _ in range(count):
        block = await anext(ticks)
        assert isinstance(block, Block)
        blocks.append(block)
    return blocks


def sums(blocks: list[Block]) -> list[float]:
    return [round(float(block.heard.sum()), 1) for block in blocks]


@pytest.mark.anyio
async def test_recordings_come_when_they_are_asked_for(recordings: list[Path]) -> None:
    card = fast(recordings)
    as_contract: SoundCard = card
    assert as_contract.name == "0.wav, 1.wav, 2.wav"
    async with card.open() as ticks:
        first = await take(ticks, 5)
        assert sums(first) == [16, 16, 8, 0, 0]
        assert [block.recording_ended for block in first] == [None, None, 0, None, None]
        card.next_recording()
        second = await take(ticks, 3)
        assert sums(second) == [32, 0, 0]
        assert [block.recording_ended for block in second] == [1, None, None]
        card.next_recording()
        card.next_recording()  # one is under way: this says nothing
        third = await take(ticks, 3)
        assert sums(third) == [24, 0, 0]
        assert third[0].recording_ended == 2
        card.next_recording()  # none is left
        assert card.recordings_left == 0
        rest = await take(ticks, 3)
        assert sums(rest) == [0, 0, 0]
    blocks = first + second + third + rest
    assert [block.end_of_input for block in blocks].index(True) == 8
    assert sum(block.end_of_input for block in blocks) == 1
    assert [block.position for block in blocks] == [BLOCK * i for i in range(len(blocks))]
    assert all(len(b.heard) == len(b.played.samples) == BLOCK and not b.lost for b in blocks)


@pytest.mark.anyio
async def test_asking_too_early_skips_nothing(recordings: list[Path]) -> None:
    card = fast(recordings)
    card.next_recording()
    async with card.open() as ticks:
        card.next_recording()
        assert sums(await take(ticks, 4)) == [16, 16, 8, 0]
        assert card.recordings_left == 2


@pytest.mark.anyio
async def test_no_recordings_are_silence(tmp_path: Path) -> None:
    card = fast([])
    assert card.name == "silence"
    async with card.open() as ticks:
        blocks = await take(ticks, 3)
    assert sums(blocks) == [0, 0, 0]
    assert not any(block.end_of_input for block in blocks)


def test_bad_recordings_are_found_at_once(recordings: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        FileCard([*recordings, tmp_path / "none.wav"])


@pytest.mark.anyio
async def test_another_rate(recordings: list[Path]) -> None:
    card = FileCard(recordings[:1], rate=24_000, block_s=0.01, pace="fast")
    async with card.open() as ticks:
        blocks = await take(ticks, 6)
    assert [len(block.heard) for block in blocks] == [240] * 6
    assert [block.recording_ended for block in blocks] == [None] * 4 + [0, None]


@pytest.mark.anyio
async def test_what_is_written_is_played(recordings: list[Path]) -> None:
    card = fast(recordings)
    async with card.open() as ticks:
        await take(ticks, 1)
        reply = card.playout.begin()
        card.playout.write(reply, np.full(200, 0.5, np.float32))
        card.playout.close(reply)
        blocks = await take(ticks, 3)
    assert [float(block.played.samples.sum()) for block in blocks] == [80, 20, 0]
    assert [block.played.reply_played for block in blocks] == [160, 200, 200]
    assert [block.played.finished for block in blocks] == [False, True, True]


@pytest.mark.anyio
async def test_a_held_clock_stands_still(recordings: list[Path]) -> None:
    card = fast(recordings)
    seen: list[int] = []

    async def read() -> None:
        async with card.open() as ticks:
            async for block in ticks:
                seen.append(block.position)
                if len(seen) == 3:
                    card.hold()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert len(seen) == 3
        card.hold()
        card.release()
        while len(seen) < 5:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert seen == [BLOCK * i for i in range(len(seen))]


@pytest.mark.anyio
async def test_leaving_closes_the_recording(recordings: list[Path]) -> None:
    card = fast(recordings)
    async with card.open() as ticks:
        await take(ticks, 1)
    with pytest.raises(StopAsyncIteration):
        await anext(ticks)


def test_the_real_time_clock_ticks_when_sound_would_have_been_spoken(
    recordings: list[Path],
) -> None:
    times: list[float] = []

    async def read() -> None:
        card = FileCard(recordings, rate=RATE)
        await trio.sleep(1.0)
        card.hold()  # a clock in real time waits for nobody
        async with card.open() as ticks:
            began = trio.current_time()
            async for block in ticks:
                times.append(trio.current_time() - began)
                if block.position == 2 * BLOCK:
                    await trio.sleep(0.07)  # the program is busy for three and a half blocks
                if block.position == 9 * BLOCK:
                    break
        assert card.late_s == pytest.approx(0.05)

    trio.run(read, clock=trio.testing.MockClock(autojump_threshold=0))
    expected = [0.02, 0.04, 0.06, 0.13, 0.13, 0.13, 0.14, 0.16, 0.18, 0.20]
    assert times == pytest.approx(expected)


def test_nothing_is_played_before_it_was_written(recordings: list[Path]) -> None:
    """Sound that is written while a block is going on begins with the next one."""

    async def read() -> list[Block]:
        card = FileCard(recordings, rate=RATE)
        blocks = []

        async def write() -> None:
            await trio.sleep(0.050)
            card.playout.write(card.playout.begin(), np.ones(10, np.float32))

        async with trio.open_nursery() as tasks, card.open() as ticks:
            tasks.start_soon(write)
            async for block in ticks:
                blocks.append(block)
                if len(blocks) == 6:
                    break
        return blocks

    blocks = trio.run(read, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [bool(block.played.samples.any()) for block in blocks] == [False] * 3 + [True] + [
        False
    ] * 2
    assert blocks[3].position / RATE == pytest.approx(0.06)


def test_a_clock_that_rests_gives_sound_in_lumps_until_somebody_stirs(
    recordings: list[Path],
) -> None:
    times: list[float] = []

    async def read() -> None:
        card = FileCard(recordings, rate=RATE)

        async def stir() -> None:
            await trio.sleep(0.155)
            card.rest(False)
            await trio.sleep(0.001)
            card.playout.write(card.playout.begin(), np.ones(10, np.float32))

        async with trio.open_nursery() as tasks, card.open() as ticks:
            tasks.start_soon(stir)
            card.rest(True)
            async for block in ticks:
                times.append(trio.current_time())
                assert block.played.samples.any() == (block.position == 8 * BLOCK)
                if block.position == 9 * BLOCK:
                    break
        assert card.late_s == pytest.approx(0)

    trio.run(read, clock=trio.testing.MockClock(autojump_threshold=0))
    began = times[-1] - 0.2
    expected = [0.12] * 6 + [0.155] + [0.16, 0.18, 0.2]
    assert [at - began for at in times] == pytest.approx(expected)
