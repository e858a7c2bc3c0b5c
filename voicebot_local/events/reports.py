"""Reports: what the session's devices, engines and services say of themselves.

They are observations that the turn machine decides nothing on: for the screen, the metrics and
whoever looks for a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["recognizer", "chat", "synthesizer"]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The sound card's clock runs. `card_rate` is in samples a second."""

    card: str
    card_rate: int
    backend: str


@dataclass(frozen=True, slots=True)
class MemoryPlanned:
    """What the engines are to take of the memory that is free before any of them loads, in bytes.

    `device` is "GPU" or "CPU"; `free` is 0 where it is not known. `reserve` stays free.
    """

    device: str
    free: int
    reserve: int
    needed: int


@dataclass(frozen=True, slots=True)
class EngineLoaded:
    """A local engine is loaded and warm.

    Its process has taken `taken_bytes` of `memory` ("GPU" or "RAM"; "" where it is not known), and
    `planned_bytes` were planned for it (0 where there was no plan). `unpark_s`: what it took to
    move its weights to the device (s), where they are parked between phases.
    """

    stage: Stage
    name: str
    device: str
    load_s: float
    memory: str = ""
    taken_bytes: int = 0
    planned_bytes: int = 0
    unpark_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineDied:
    """A local engine's process ended unexpectedly, or a hosted provider's connection was lost."""

    stage: Stage
    name: str
    reason: str
    restarting: bool


@dataclass(frozen=True, slots=True)
class GpuMemoryTaken:
    """Another program has taken `taken_bytes` since the engines were loaded; so much is free."""

    taken_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What a hosted provider used in one call, for turn `turn` (0: none), and what that costs.

    Only the fields that its service bills are set. `estimated`: the call was left before the
    service could tell. `cost_usd` follows the prices of the configuration.
    """

    stage: Stage
    provider: str
    turn: int = 0
    audio_s: float = 0.0
    connected_s: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    cost_usd: float = 0.0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class DeviceSteps:
    """Steps of work that `tenant` ("asr", "llm", "tts") did on the device in process `process`.

    Each is (kind, queued, started, ended), in seconds on the log's clock: when it was wanted, when
    the device was granted, when the device had finished.
    """

    tenant: str
    process: int
    steps: tuple[tuple[str, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class DeviceOverdue:
    """A tenant has not given the device back for `after_s`; `killed`: its process was ended."""

    tenant: str
    process: int
    after_s: float
    killed: bool


@dataclass(frozen=True, slots=True)
class AudioLost:
    """Microphone audio was dropped because the program was too slow; `samples` at card rate."""

    position: int
    samples: int


@dataclass(frozen=True, slots=True)
class CardLost:
    """The microphone or the loudspeaker vanished; it is tried again until it is back."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class CardBack:
    """The sound card is back."""

    name: str


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """The session's recording cannot be continued; the conversation goes on."""

    message: str


Report: TypeAlias = (
    SessionStarted
    | MemoryPlanned
    | EngineLoaded
    | EngineDied
    | GpuMemoryTaken
    | UsageReported
    | DeviceSteps
    | DeviceOverdue
    | AudioLost
    | CardLost
    | CardBack
    | RecordingFailed
)
