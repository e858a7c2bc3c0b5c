"""Observations of the conversation: what the user does, and how the reply gets on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicebot_local.events.decisions import Outcome
from voicebot_local.events.reports import Report, Stage
from voicebot_local.providers.base import Word

# --- The user -------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The recordings that stood for the microphone are over."""

    position: int


# --- The reply ------------------------------------------------------------------------------------


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


# --- A turn that is over --------------------------------------------------------------------------


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


Observation: TypeAlias = (
    Report
    | VoiceActivity
    | Transcribed
    | TurnScored
    | TurnDetectorFailed
    | UserTyped
    | TalkPressed
    | TalkReleased
    | InputEnded
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
