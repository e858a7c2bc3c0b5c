"""The real sound card: a microphone and a loudspeaker through PortAudio, that may come and go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from voicebot_local.audio.card import RESTING_S, Block, CardNotice
from voicebot_local.audio.device_streams import Streams
from voicebot_local.audio.devices import (
    Device,
    Plan,
    list_devices,
    load_portaudio,
    make_plan,
    pick,
    ways,
)
from voicebot_local.audio.playout import FADE_S, Played, Playout
from voicebot_local.audio.quiet import quiet_libraries
from voicebot_local.errors import DeviceError
from voicebot_local.providers.base import Samples

PLAYOUT_S = 30.0
"""How much of a reply may wait to be played."""
KEPT_S = 2.0
"""How much sound waits for a program that is busy; the oldest beyond it is lost."""
SILENT_S = 2.0
"""A card that has not ticked for so long is gone."""
RETRY_S = 1.0


class Inbox:
    """Sound on its way from PortAudio's thread to the program: bounded, the oldest is dropped."""

    def __init__(self, most: int) -> None:
        """`most`: samples that may wait."""
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Samples, Played]] = deque()
        self._end = self._taken = 0
        """Positions after the newest sample that came, and after the newest that was taken."""

    @property
    def waiting(self) -> int:
        """Samples that came and were not taken yet."""
        return self._end - self._taken

    def put(self, heard: Samples, played: Played) -> None:
        with self._lock:
            self._waiting.append((self._end, heard, played))
            self._end += len(heard)
            while self._end - self._waiting[0][0] > self._most:
                self._waiting.popleft()

    def take(self) -> Block | None:
        """The oldest block, None where there is none."""
        with self._lock:
            if not self._waiting:
                return None
            position, heard, played = self._waiting.popleft()
            lost = position - self._taken
            self._taken = position + len(heard)
            return Block(position, heard, played, lost)


class DeviceCard:
    """A microphone and a loudspeaker, each by number, by a part of its name, or the default.

    The card runs at a rate that both support, else at the microphone's. Without `capture` there is
    only a loudspeaker, and silence is heard. Devices are looked for, and asked what they support,
    here: raises DeviceError (none, unknown, ambiguous, busy, no PortAudio library).

    Devices that vanish while the card is open are looked for every second, the chosen ones by name
    and else the default ones. A `CardNotice` says so each time; positions go on where they were.
    """

    def __init__(
        self,
        input_device: str | int | None = None,
        output_device: str | int | None = None,
        *,
        capture: bool = True,
        portaudio: Any = None,
    ) -> None:
        """`portaudio`: the `sounddevice` module, or another that behaves like it."""
        self._portaudio = portaudio or load_portaudio()
        self._input, self._output = input_device, output_device
        self._capture = capture
        self._plan = self._look(rate=0)
        if self._plan.heard_from is not None:
            self._input = self._by_name(input_device, self._plan.heard_from.device)
        self._output = self._by_name(output_device, self._plan.played_to.device)
        self._playout = Playout(round(PLAYOUT_S * self.rate), round(FADE_S * self.rate))
        self._inbox = Inbox(round(KEPT_S * self.rate))
        self._streams: Streams | None = None
        self._ended = False
        self._resting = False
        self._news = anyio.Event()

    @property
    def rate(self) -> int:
        return self._plan.rate

    @property
    def name(self) -> str:
        return self._plan.name

    @property
    def plan(self) -> Plan:
        """Which devices, and at which rates of their own."""
        return self._plan

    @property
    def playout(self) -> Playout:
        return self._playout

    def rest(self, resting: bool) -> None:
        if self._resting and not resting:
            self._news.set()
        self._resting = resting

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Block | CardNotice], None]:
        """Start the clock. To be opened once; raises DeviceError where the devices refuse."""
        loop: Any = anyio.lowlevel.current_token().native_token
        # asyncio's and trio's names for the same; neither makes PortAudio's thread wait.
        from_thread = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        tell = partial(from_thread, self._tell)
        ticks = self._ticks(tell)
        try:
            await self._start(tell)
            yield ticks
        finally:
            with anyio.CancelScope(shield=True):
                await ticks.aclose()
                await self._stop()

    async def _ticks(self, tell: Callable[[], object]) -> AsyncGenerator[Block | CardNotice, None]:
        while True:
            while not (why := await self._gone()):
                while block := self._inbox.take():
                    yield block
            yield CardNotice(self.name, lost=True, message=why)
            await self._stop()
            await self._return(tell)
            yield CardNotice(self.name, lost=False)

    async def _gone(self) -> str:
        """Wait until there is sound; says why there will be none."""
        self._news = anyio.Event()
        if self._ended:
            return "the device stopped"
        with anyio.move_on_after(SILENT_S) as waiting:
            await self._news.wait()
        return f"no sound came for {SILENT_S:g} s" if waiting.cancelled_caught else ""

    async def _return(self, tell: Callable[[], object]) -> None:
        while True:
            await anyio.sleep(RETRY_S)
            try:
                await anyio.to_thread.run_sync(self._look_again)
                await self._start(tell)
            except DeviceError:
                continue  # Still gone, which the notice has told.
            return

    async def _start(self, tell: Callable[[], object]) -> None:
        def on_sound(heard: Samples, played: Played) -> None:
            self._inbox.put(heard, played)
            if not self._resting or self._inbox.waiting >= RESTING_S * self.rate:
                tell()

        def on_end() -> None:
            self._ended = True
            tell()

        self._ended = False
        self._streams = await anyio.to_thread.run_sync(
            Streams, self._portaudio, self._plan, self._playout, on_sound, on_end
        )

    async def _stop(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            await anyio.to_thread.run_sync(streams.close)

    def _tell(self) -> None:
        self._news.set()

    def _look_again(self) -> None:
        """PortAudio knows the devices that were there when it began; so it begins anew."""
        try:
            with quiet_libraries():
                self._portaudio._terminate()
                self._portaudio._initialize()
        except self._portaudio.PortAudioError as error:
            raise DeviceError(f"The sound system does not answer: {error}.") from error
        self._plan = self._look(self.rate)

    def _look(self, rate: int) -> Plan:
        devices = list_devices(self._portaudio)
        played_to = ways(self._portaudio, pick(devices, self._output, "output"), "output")
        if not self._capture:
            return make_plan(None, played_to, rate)
        heard_from = ways(self._portaudio, pick(devices, self._input, "input"), "input")
        return make_plan(heard_from, played_to, rate)

    def _by_name(self, wanted: str | int | None, device: Device) -> str | int | None:
        """What to look for when devices were replugged: their numbers have changed then."""
        if wanted is None:
            return None
        names = [each.name for each in list_devices(self._portaudio)]
        return device.name if names.count(device.name) == 1 else wanted
