"""Everything that happens in a session, as one vocabulary, and the log that keeps it in order.

Observations are facts that devices, engines and people report. Decisions are what the turn machine
makes of them. Both stand in one append-only log, which is the single truth: the screen, metrics,
recordings and tests are readers of it, and feeding its observations to a new turn machine gives the
same decisions again (`voicebot_local.turns.replay`).

Positions are integer samples. Those of the user's speech count the microphone's audio at 16 kHz
from the start of the session; those of the loudspeaker count the sound card's clock, whose rate is
in `SessionStarted`. Work on a reply is tagged `(turn, revision)`: a revision that was stopped is
stale wherever it surfaces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from voicebot_local.providers.base import Word

Stage: TypeAlias = Literal["recognizer", "chat", "synthesizer"]
StopReason: TypeAlias = Literal["resumed", "barge-in", "failed", "typed", "pressed", "ended"]
DiscardReason: TypeAlias = Literal["no words", "listening", "typed"]
Outcome: TypeAlias = Literal["completed", "interrupted", "failed"]

# --- Observations: the session and its devices ---------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The recordings that stood for the microphone are over."""

    position: int


# --- Observations: the user ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """The probability that the window of audio that ends at `position` is speech.

    `level_dbfs` is the window's level.
    """

    position: int
    probability: float
    level_dbfs: float


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What part `part` of the turn says so far, or finally."""

    turn: int
    part: int
    text: str
    is_final: bool
    words: tuple[Word, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TurnScored:
    """`source` gives `probability` that the user is done with turn `turn`.

    It judged what was said up to `position` (16 kHz samples); what comes after voids it.
    """

    turn: int
    source: str
    probability: float
    position: int


@dataclass(frozen=True, slots=True)
class TurnDetectorFailed:
    """A detector of turns' ends cannot go on; the other evidence decides from now on."""

    source: str
    message: str


@dataclass(frozen=True, slots=True)
class UserTyped:
    """A whole turn came from the keyboard."""

    text: str


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """The user pressed the key to talk. Where they are talking, it ends what they say."""


@dataclass(frozen=True, slots=True)
class TalkReleased:
    """The user let go of the key that they held while they talked."""


# --- Observations: the reply ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyText:
    """More text from the chat model."""

    turn: int
    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyTextEnded:
    """The chat model is done."""

    turn: int
    revision: int


@dataclass(frozen=True, slots=True)
class ClauseReady:
    """A clause goes to the synthesizer: as written, and as it is to be spoken."""

    turn: int
    revision: int
    clause: int
    text: str
    spoken: str


@dataclass(frozen=True, slots=True)
class SpeechProduced:
    """The synthesizer made audio; `start` counts the reply's samples at card rate."""

    turn: int
    revision: int
    clause: int
    start: int
    samples: int


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of the reply was played, at `position`."""

    turn: int
    revision: int
    position: int


@dataclass(frozen=True, slots=True)
class PlayoutUnderrun:
    """Silence had to be played inside a reply; `samples` of it ended at `position`."""

    turn: int
    revision: int
    position: int
    samples: int


@dataclass(frozen=True, slots=True)
class PlayoutPaused:
    """The reply stands still with `left_s` of its speech to be played; `complete`: that is all of
    it, for nothing more is being made."""

    turn: int
    revision: int
    left_s: float
    complete: bool


@dataclass(frozen=True, slots=True)
class PlayoutFinished:
    """The last sample of the reply was played; `played` counts the reply's samples."""

    turn: int
    revision: int
    position: int
    played: int


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A provider failed in this turn; `part_or_revision` says in which piece of work."""

    turn: int
    part_or_revision: int
    stage: Stage
    message: str


@dataclass(frozen=True, slots=True)
class TurnRecorded:
    """What a finished turn leaves behind. `heard` is what left the loudspeaker of `assistant`.

    `speech_end` and `audible_from` are positions on the card's clock: the last audible sample of
    the user, the first audible sample of the reply; None where there is none.
    """

    turn: int
    user: str
    assistant: str
    heard: str
    outcome: Outcome
    speech_end: int | None
    audible_from: int | None


@dataclass(frozen=True, slots=True)
class TurnSpeculated:
    """How preparing replies before the user was done went in this turn, which is over.

    `drafts` replies were begun; `right`: the last one was the reply. What the others had made is
    lost: `wasted_pieces` of text (tokens, of a local model) and `wasted_audio_s` of speech.
    """

    turn: int
    drafts: int
    right: bool
    wasted_pieces: int
    wasted_audio_s: float


# --- Decisions of the turn machine ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user speaks: recognize part `part` of this turn, from `audio_from` on.

    `position` is where speech began. A part above 0 continues the turn. `again`: it begins with the
    sound of the part before, which is heard as a whole with this one; its transcript is void.
    """

    turn: int
    part: int
    position: int
    audio_from: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The part is over: its last speech ended at `position`, which was sure at `decided_at`."""

    turn: int
    part: int
    position: int
    decided_at: int


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """The turn is not answered: there were no words in it, no more than a sign of listening while
    the assistant spoke, or a typed turn came instead."""

    turn: int
    reason: DiscardReason = "no words"


@dataclass(frozen=True, slots=True)
class ReplyDrafted:
    """The user may be done: prepare a reply to `text`, of which nothing is heard yet."""

    turn: int
    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The user is done: reply to `text`. A revision that was drafted is heard from now on.

    `decided_at` is the 16 kHz position at which it was sure that the user is done; later
    transcripts may have been waited for since. 0 where the turn was typed.
    """

    turn: int
    revision: int
    text: str
    decided_at: int = 0


@dataclass(frozen=True, slots=True)
class TurnPrompted:
    """The assistant speaks unasked: `text`, or what the chat model answers to `instruction`."""

    turn: int
    revision: int
    text: str
    instruction: str


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """The user makes a sound over the reply: let it fade and stand still until it is clear what."""

    turn: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """That was no interruption: the reply goes on with the very next sample."""

    turn: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReplyStopped:
    """Stop preparing or playing this reply, at once."""

    turn: int
    revision: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Apologized:
    """Tell the user that this turn failed in `stage`; speak it as revision `revision`."""

    turn: int
    revision: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn is over; remember it."""

    turn: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The conversation is over."""

    reason: str


Decision: TypeAlias = (
    SpeechStarted
    | SpeechEnded
    | TurnDiscarded
    | ReplyDrafted
    | TurnCommitted
    | TurnPrompted
    | ReplyPaused
    | ReplyResumed
    | ReplyStopped
    | Apologized
    | TurnFinished
    | SessionEnded
)
Observation: TypeAlias = (
    SessionStarted
    | MemoryPlanned
    | EngineLoaded
    | EngineDied
    | UsageReported
    | GpuMemoryTaken
    | DeviceSteps
    | DeviceOverdue
    | AudioLost
    | CardLost
    | CardBack
    | RecordingFailed
    | InputEnded
    | VoiceActivity
    | Transcribed
    | TurnScored
    | TurnDetectorFailed
    | UserTyped
    | TalkPressed
    | TalkReleased
    | ReplyText
    | ReplyTextEnded
    | ClauseReady
    | SpeechProduced
    | PlayoutStarted
    | PlayoutUnderrun
    | PlayoutPaused
    | PlayoutFinished
    | StageFailed
    | TurnRecorded
    | TurnSpeculated
)
Event: TypeAlias = Observation | Decision

DECISIONS: tuple[type, ...] = Decision.__args__
EVENTS: dict[str, type] = {kind.__name__: kind for kind in Event.__args__}


# --- The log -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: `at` is in seconds since the log was opened."""

    seq: int
    at: float
    event: Event


Reader: TypeAlias = Callable[[Entry], None]


class EventLog:
    """Gives every event its number and time and hands it to the readers, in order.

    The log is the only place that reads the clock, and it keeps nothing itself, so it can run for
    days. A reader is called in the session's task and must not wait.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = clock()
        self._next = 0
        self._readers: list[Reader] = []

    def add_reader(self, reader: Reader) -> None:
        """From now on `reader` is called with each entry."""
        self._readers.append(reader)

    def since_start(self, moment: float) -> float:
        """A moment on the log's clock, in seconds since the log was opened."""
        return moment - self._start

    def append(self, event: Event) -> Entry:
        """Log `event` and return its entry."""
        entry = Entry(self._next, self._clock() - self._start, event)
        self._next += 1
        for reader in self._readers:
            reader(entry)
        return entry


def to_json(entry: Entry) -> dict[str, Any]:
    """The entry as a flat object: `seq`, `at`, `type`, and the event's fields."""
    fields = dataclasses.asdict(entry.event)
    return {"seq": entry.seq, "at": round(entry.at, 6), "type": type(entry.event).__name__} | fields


def from_json(line: dict[str, Any]) -> Entry:
    """The reverse of `to_json`. Raises ValueError for anything that is no entry of a log."""
    fields = dict(line)
    try:
        seq, at, kind = fields.pop("seq"), fields.pop("at"), EVENTS[fields.pop("type")]
        if "words" in fields:
            fields["words"] = tuple(Word(**word) for word in fields["words"])
        if "steps" in fields:
            fields["steps"] = tuple((kind, *times) for kind, *times in fields["steps"])
        return Entry(seq, at, kind(**fields))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry of an event log: {line!r:.200}") from error
