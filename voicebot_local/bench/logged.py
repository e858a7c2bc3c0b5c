"""What a session's event log adds to its recording: transcripts, stages, device work, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebot_local.events import (
    DeviceSteps,
    EngineLoaded,
    Entry,
    SessionStarted,
    SpeechEnded,
    SpeechProduced,
    SpeechStarted,
    TurnRecorded,
    UsageReported,
)
from voicebot_local.gpu import trace
from voicebot_local.metrics import TurnReport, TurnReports
from voicebot_local.providers.base import RECOGNIZER_RATE

PROCESS_OF = {"asr": "recognizer", "llm": "chat", "tts": "synthesizer"}


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """A finished turn: its report, and its positions on the card's clock (see TurnRecorded)."""

    report: TurnReport
    speech_end: int | None
    audible_from: int | None


@dataclass(slots=True)
class SessionLog:
    """What the log of a session says; times in seconds, `rate` in Hz.

    `device_s`: seconds of device work by tenant; `heard_s` and `spoken_s`: of sound that went
    through recognizer and synthesizer. `cost_usd` is None where nothing was billed.
    """

    turns: list[LoggedTurn] = field(default_factory=list)
    rate: int = 0
    duration_s: float = 0.0
    load_s: dict[str, float] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    device_s: dict[str, float] = field(default_factory=dict)
    heard_s: float = 0.0
    spoken_s: float = 0.0
    tokens_per_s: float | None = None
    trace: trace.Report = field(default_factory=trace.Report)
    underrun_s: float = 0.0
    cost_usd: float | None = None

    @property
    def real_time_factors(self) -> dict[str, float]:
        """Device seconds for a second of sound, where both are known."""
        sound = {"asr": self.heard_s, "tts": self.spoken_s}
        return {
            tenant: round(self.device_s[tenant] / sound_s, 4)
            for tenant, sound_s in sound.items()
            if sound_s and tenant in self.device_s
        }


def read_log(entries: Sequence[Entry]) -> SessionLog:
    """Read a whole log."""
    log = SessionLog(trace=trace.examine(entries))
    reports: dict[int, TurnReport] = {}
    reader = TurnReports(lambda report: reports.__setitem__(report.turn, report))
    began = 0.0
    part_from = 0
    for entry in entries:
        reader(entry)
        match entry.event:
            case SessionStarted(card_rate=rate):
                log.rate, began = rate, entry.at
            case EngineLoaded(stage=stage, load_s=load_s):
                log.load_s[stage] = round(load_s, 3)
            case DeviceSteps(tenant=tenant, process=process):
                log.processes[process] = PROCESS_OF.get(tenant, tenant)
            case SpeechStarted(audio_from=audio_from):
                part_from = audio_from
            case SpeechEnded(decided_at=decided_at):
                log.heard_s += (decided_at - part_from) / RECOGNIZER_RATE
            case SpeechProduced(samples=samples):
                log.spoken_s += samples / log.rate
            case UsageReported(cost_usd=cost_usd):
                log.cost_usd = (log.cost_usd or 0.0) + cost_usd
            case TurnRecorded() as recorded:
                log.turns.append(
                    LoggedTurn(reports[recorded.turn], recorded.speech_end, recorded.audible_from)
                )
            case _:
                pass
    if entries:
        log.duration_s = entries[-1].at - began
    _count_steps(log)
    return log


def _count_steps(log: SessionLog) -> None:
    for step in log.trace.steps:
        log.device_s[step.tenant] = log.device_s.get(step.tenant, 0.0) + step.ended - step.started
    tokens = [s for s in log.trace.steps if s.tenant == "llm" and s.kind == "token"]
    tokens_s = sum(step.ended - step.started for step in tokens)
    log.tokens_per_s = round(len(tokens) / tokens_s, 1) if tokens_s else None
    log.underrun_s = sum(samples for _, samples, _ in log.trace.underruns) / (log.rate or 1)
