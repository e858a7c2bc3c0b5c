"""`bench --overhead`: what the program itself takes, with engines that take nothing.

Everything is as in a conversation - sessions, child processes, the broker, a clock of 10 ms blocks
as a sound card's - but the engines answer at once (`scripted.py`).
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import psutil
import soundfile
from rich.console import Console
from rich.table import Table

from voicebot_local.audio.device_streams import BLOCK_S
from voicebot_local.audio.file_card import FileCard
from voicebot_local.audio.vad import WINDOW, VoiceActivity
from voicebot_local.bench.figures import Figure, figure
from voicebot_local.bench.machine import this_machine
from voicebot_local.bench.report import write_json
from voicebot_local.bench.scripted import scripted
from voicebot_local.bench.wording import of_figure
from voicebot_local.cards import example_recordings
from voicebot_local.events import (
    Entry,
    EventLog,
    ReplyDrafted,
    SessionStarted,
    SpeechEnded,
    TurnCommitted,
    TurnRecorded,
)
from voicebot_local.gpu.supervisor import BrokerSettings, shared_device
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples
from voicebot_local.providers.registry import EngineOptions, open_providers
from voicebot_local.session import Session, SessionSettings
from voicebot_local.turns.settings import TurnSettings

TURNS = 30
IDLE_S = 20.0
QUICK: dict[str, Any] = {"end_silence_s": 0.4}
"""Short, for there is nobody to cut off; what is measured begins at the decision."""
ROOM_DB = -60.0
MOST_DECISION_MS = 15.0
MOST_IDLE_SHARE = 0.03
WINDOWS = 300


@dataclass(frozen=True, slots=True)
class Overhead:
    """`decision_ms`: from the decision that the turn is over to the first audible sample, where the
    whole reply is still to be made; `drafted_ms`: where it was made in the pause before.

    `idle_shares`: of one core, by process, while nobody speaks; `vad_share` is the part of the
    session's that voice activity detection takes.
    """

    decision_ms: Figure | None
    drafted_ms: Figure | None
    idle_shares: dict[str, float]
    vad_share: float
    machine: dict[str, str]

    @property
    def idle_share(self) -> float:
        """Of one core, all processes together."""
        return sum(self.idle_shares.values())


def print_overhead(console: Console, json: Path | None) -> None:
    """Measure, and show with what is aimed for."""
    found = measure_overhead()
    console.print(_table(found))
    machine = found.machine
    console.print(
        f"{machine['processor']}, {machine['cores']} cores; load average {machine['load']}",
        style="dim",
        highlight=False,
    )
    if json is not None:
        values: dict[str, Any] = asdict(found) | {"idle_share": found.idle_share}
        write_json(values, json)


def measure_overhead(turns: int = TURNS, idle_s: float = IDLE_S) -> Overhead:
    """Hold a conversation of so many turns, then listen to a quiet room for so long."""
    with tempfile.TemporaryDirectory(prefix="voicebot-overhead-") as directory:
        room = Path(directory) / "room.wav"
        soundfile.write(room, _room(idle_s + 1), RECOGNIZER_RATE)
        at_once, drafted = _Decisions(), _Decisions()
        recordings = [example_recordings()[0]] * turns
        anyio.run(_converse, recordings, at_once, TurnSettings(**QUICK, max_revisions=0))
        anyio.run(_converse, recordings, drafted, TurnSettings(**QUICK))
        shares: dict[str, float] = {}
        anyio.run(_listen, room, idle_s, shares)
    figures = figure(at_once.found_ms), figure(drafted.found_ms)
    return Overhead(*figures, shares, _vad_share(), this_machine())


class _Decisions:
    """A reader of the log: from each decision to the first audible sample, on the card's clock.

    With a draft the pause is over before the decision is made; without one it is the decision.
    """

    def __init__(self) -> None:
        self.found_ms: list[float] = []
        self._began = self._decided = 0.0
        self._rate = 1
        self._drafted = False

    def __call__(self, entry: Entry) -> None:
        match entry.event:
            case SessionStarted(card_rate=rate):
                self._began, self._rate = entry.at, rate
            case SpeechEnded():
                self._decided, self._drafted = entry.at, False
            case ReplyDrafted():
                self._drafted = True
            case TurnCommitted() if self._drafted:
                self._decided = entry.at
            case TurnRecorded(audible_from=audible) if audible is not None:
                audible_at = self._began + audible / self._rate
                # A block that was about to leave counts from where it begins on the clock: that may
                # be a moment before the decision that filled it.
                self.found_ms.append(max(0.0, audible_at - self._decided) * 1000)
            case _:
                pass


async def _converse(recordings: list[Path], decisions: _Decisions, settings: TurnSettings) -> None:
    log = EventLog(time.monotonic)
    log.add_reader(decisions)
    card = FileCard(recordings, block_s=BLOCK_S)
    async with (
        shared_device(BrokerSettings(), log, card.playout, card.rate) as broker,
        open_providers(*scripted(), lambda _: None, EngineOptions(broker=broker)) as providers,
    ):
        await Session(
            card, providers, log, SessionSettings(settings, "", "scripted", clock=card)
        ).run()


async def _listen(room: Path, idle_s: float, shares: dict[str, float]) -> None:
    log = EventLog(time.monotonic)
    card = FileCard([room], block_s=BLOCK_S)
    async with (
        shared_device(BrokerSettings(), log, card.playout, card.rate) as broker,
        open_providers(*scripted(), lambda _: None, EngineOptions(broker=broker)) as providers,
        anyio.create_task_group() as tasks,
    ):
        settings = SessionSettings(TurnSettings(), "", "scripted", clock=card)
        tasks.start_soon(Session(card, providers, log, settings).run)
        await anyio.sleep(min(1.0, idle_s / 4))
        before, began = _cpu_s(), time.monotonic()
        await anyio.sleep_until(anyio.current_time() + idle_s - min(1.0, idle_s / 4) - 0.2)
        after, ended = _cpu_s(), time.monotonic()
        for name, used in after.items():
            shares[name] = (used - before.get(name, 0.0)) / (ended - began)
        tasks.cancel_scope.cancel()


def _cpu_s() -> dict[str, float]:
    """Processor seconds so far: the session's, and those of all its children together."""
    here = psutil.Process()
    used = {"session": sum(here.cpu_times()[:2]), "engines and broker": 0.0}
    for child in here.children(recursive=True):
        used["engines and broker"] += sum(child.cpu_times()[:2])
    return used


def _vad_share() -> float:
    """Of a core, in real time: the best of a few runs, for others' work only adds."""
    detector = VoiceActivity()
    room = _room(WINDOW / RECOGNIZER_RATE)[:WINDOW]
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(WINDOWS):
            detector.push(room)
        best = min(best, (time.process_time() - start) / WINDOWS)
    return best / (WINDOW / RECOGNIZER_RATE)


def _room(seconds: float) -> Samples:
    noise = np.random.default_rng(1).standard_normal(round(seconds * RECOGNIZER_RATE))
    return (10 ** (ROOM_DB / 20) * noise).astype(np.float32)


def _table(found: Overhead) -> Table:
    table = Table(pad_edge=False)
    for column in ("the program alone", "measured", "aim", ""):
        table.add_column(column, justify="left" if column == "the program alone" else "right")
    for what, decision in (("", found.decision_ms), (", drafted", found.drafted_ms)):
        late = decision is None or decision.p95 > MOST_DECISION_MS
        table.add_row(
            f"decision to first audible sample{what}, ms: p50 / p95 / max",
            of_figure(decision),
            f"p95 ≤ {MOST_DECISION_MS:.0f}",
            "missed" if late else "held",
        )
    table.add_row(
        "of a core while listening, idle",
        f"{found.idle_share:.1%}",
        f"≤ {MOST_IDLE_SHARE:.0%}",
        "missed" if found.idle_share > MOST_IDLE_SHARE else "held",
    )
    for name, share in found.idle_shares.items():
        table.add_row(f"  {name}", f"{share:.1%}", "", "")
    table.add_row("  of which voice activity detection", f"{found.vad_share:.1%}", "", "")
    return table
