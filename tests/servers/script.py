"""How a server of this folder behaves: its latencies, and the faults that are to happen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

KEY = "sk-secret-0123456789"
"""The one key that the servers take, where they check it."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong once, when its turn comes.

    `at`: the moment it waits for, in the server's words ("connect", "answer", "middle").
    """

    at: str
    what: str
    code: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """`first_s`: from the end of the input to the first answer; `pace_s`: between pieces."""

    first_s: float = 0.0
    pace_s: float = 0.0
    needs_key: bool = False
    faults: deque[Fault] = field(default_factory=deque)
    seen: list[Any] = field(default_factory=list)
    """What the clients sent, in order."""
    answered: list[tuple[float, float]] = field(default_factory=list)
    """When each first answer was asked for and when it was given, on the loop's clock: a machine
    that is busy makes it later."""
    connections: int = 0
    open_now: int = 0

    async def until_first(self, asked_at: float) -> None:
        """Wait until the first answer to what was asked then, on the loop's clock, is due."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(asked_at + self.first_s - clock())
        self.answered.append((asked_at, clock()))

    def fault(self, at: str) -> Fault | None:
        """The next fault, if this is its moment."""
        if self.faults and self.faults[0].at == at:
            return self.faults.popleft()
        return None

    async def misbehave(self, fault: Fault | None, socket: ServerConnection) -> bool:
        """Do what the fault says; whether the server is to go on as if nothing had been asked."""
        if fault is None:
            return True
        match fault.what:
            case "close":
                await socket.close(fault.code, fault.text)
            case "cut":
                socket.transport.abort()
            case "stall":
                await socket.wait_closed()
            case "say":
                await socket.send(fault.text)
            case "slow":
                await asyncio.sleep(float(fault.text))
                return True
            case other:
                raise ValueError(other)
        return False


Spoken = Callable[[str, int], bytes]
"""Makes the audio of a text at a sample rate, 16-bit."""


def tone(text: str, rate: int) -> bytes:
    """60 ms of a quiet tone for each character."""
    import numpy as np

    time = np.arange(round(0.06 * rate) * len(text)) / rate
    return (np.sin(2 * np.pi * 220 * time) * 6000).astype("<i2").tobytes()  # type: ignore[no-any-return]
