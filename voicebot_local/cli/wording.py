"""How events are put into words, the same on the live display and in plain lines."""

from __future__ import annotations

from voicebot_local.events import (
    AudioLost,
    CardBack,
    CardLost,
    EngineDied,
    EngineLoaded,
    Event,
    GpuMemoryTaken,
    RecordingFailed,
    StageFailed,
    TurnDetectorFailed,
)
from voicebot_local.gpu.need import gib
from voicebot_local.metrics import TurnReport

YOU, BOT = "You", "Bot"


def turn_lines(report: TurnReport, *, user: bool = True) -> list[str]:
    """A finished turn: who said what, what of it was heard, and how long it took."""
    lines = [f"{YOU}: {report.user}"] if report.user and user else []
    if report.interrupted:
        lines.append(f"{BOT}: {report.heard or '…'} (interrupted)")
    elif report.assistant:
        lines.append(f"{BOT}: {report.assistant}")
    if report.voice_to_voice_ms is not None:
        known = [(name, ms) for name, ms in report.stages_ms.items() if ms is not None]
        where = ", ".join(f"{name.replace('_', ' ')} {ms:.0f}" for name, ms in known)
        lines.append(f"     {report.voice_to_voice_ms:.0f} ms voice to voice: {where}")
    return lines


def device_line(loaded: EngineLoaded) -> str:
    """Where a model runs. The GPU is said loudly, and so is its absence where it matters; of a
    hosted one, who hears what is said."""
    if loaded.device.startswith("hosted: "):
        where = loaded.device.removeprefix("hosted: ")
        return f"{loaded.stage}: {loaded.name} at {where}, connected in {loaded.load_s:.1f} s"
    device = "GPU" if loaded.device.startswith("cuda") else "CPU"
    detail = f" {loaded.device}" if device == "GPU" else ""
    line = f"{loaded.stage}: {loaded.name} on the {device}{detail}, ready in {loaded.load_s:.1f} s"
    if loaded.memory != "GPU":
        return line
    return f"{line}, {gib(loaded.taken_bytes)} taken, {gib(loaded.planned_bytes)} planned"


def trouble_line(event: Event) -> str:
    """What a person should know of something that went wrong, or "" for other events."""
    match event:
        case StageFailed(stage=stage, message=message):
            return f"! The {stage} failed in this turn: {message}"
        case EngineDied(stage=stage, name=name, reason=reason, restarting=restarting):
            after = "; it is being restarted" if restarting else ""
            return f"! The {stage} {name} ended: {reason}{after}"
        case GpuMemoryTaken(taken_bytes=taken, free_bytes=free):
            return f"! Another program took {gib(taken)} of the GPU's memory; {gib(free)} are free"
        case CardLost(name=name, message=message):
            return f"! {name} is gone{': ' if message else ''}{message}; waiting for its return"
        case CardBack(name=name):
            return f"{name} is back"
        case RecordingFailed(message=message):
            return f"! {message} The conversation goes on."
        case TurnDetectorFailed(message=message):
            return f"! {message} Silence and words decide when you are done."
        case AudioLost(samples=samples):
            return f"! {samples} samples of the microphone were lost: the machine is too busy"
        case _:
            return ""
