"""The turn machine: observations in, decisions out.

It decides when the user has begun and finished speaking, when to reply, when to stop a reply, and
when the conversation is over. It is a plain object without clock, I/O or await: time is the
position of the newest audio, so that every conversation can be replayed from its event log.

    idle ──speech──▶ hearing ──silence──▶ deciding ──words──▶ replying ──played──▶ idle
      ▲                 ▲                    │  │               │    │
      │                 └──────speech────────┘  │no words       │    │barge-in: a new turn
      └─────────────────────────────────────────┘    ◀──speech──┘    ▼
                                        (not audible yet: the same turn goes on)  hearing
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from voicebot_local.events import (
    Apologized,
    Decision,
    InputEnded,
    Observation,
    Outcome,
    PlayoutFinished,
    PlayoutStarted,
    ReplyStopped,
    SessionEnded,
    SpeechEnded,
    SpeechStarted,
    Stage,
    StageFailed,
    StopReason,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnScored,
    UserTyped,
    VoiceActivity,
)
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.end_of_turn import EndOfTurn
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.settings import TurnSettings


class State(Enum):
    """What the conversation is doing."""

    IDLE = "idle"
    HEARING = "hearing"
    DECIDING = "deciding"
    REPLYING = "replying"
    ENDED = "ended"


@dataclass(slots=True)
class _Turn:
    number: int
    texts: dict[int, str] = field(default_factory=dict)
    so_far: dict[int, str] = field(default_factory=dict)
    parts: int = 0
    revision: int = -1
    failed: Stage | None = None
    audible: bool = False

    @property
    def text(self) -> str:
        return " ".join(self.texts[part] for part in sorted(self.texts) if self.texts[part])

    @property
    def text_so_far(self) -> str:
        """The final transcripts, and the partial ones where there is none yet."""
        texts = self.so_far | self.texts
        return " ".join(texts[part] for part in sorted(texts) if texts[part])

    @property
    def waiting(self) -> bool:
        """True while a part has no final transcript."""
        return len(self.texts) < self.parts


class TurnMachine:
    """Decides whose turn it is. `turns`: end the session after that many turns; 0 is no limit."""

    def __init__(self, settings: TurnSettings, turns: int = 0) -> None:
        self._settings = settings
        self._turns = turns
        self.state = State.IDLE
        self._turn = _Turn(0)
        self._run = SpeechRun(settings)
        self._end = EndOfTurn(settings)
        self._position = 0
        self._audio_to = 0
        self._spoken_to = 0
        self._part_from = 0
        self._finished = 0
        self._input_ended = False

    @property
    def turn(self) -> int:
        """Number of the present turn, or of the last one; the first turn is 1."""
        return self._turn.number

    @property
    def part(self) -> int:
        """Number of the present turn's newest part; -1 where it has none."""
        return self._turn.parts - 1

    @property
    def quiet(self) -> bool:
        """True when nobody has spoken for as long as a turn's end takes."""
        quiet_s = (self._position - self._audio_to) / RECOGNIZER_RATE
        return self._run.voiced_s == 0 and quiet_s >= self._settings.end_silence_s

    @property
    def silence_s(self) -> float:
        """How long the user has been silent in a turn that is not over yet (s); else 0."""
        return self._run.silence_s if self.state is State.HEARING else 0.0

    def handle(self, event: Observation) -> list[Decision]:
        """Take one observation and return what follows from it, in order.

        Observations about work that was stopped meanwhile change nothing, and so do events that
        the machine does not decide on.
        """
        if self.state is State.ENDED:
            return []
        match event:
            case VoiceActivity():
                return self._on_voice(event)
            case Transcribed(is_final=True):
                return self._on_final(event)
            case Transcribed():
                return self._on_partial(event)
            case TurnScored():
                return self._on_scored(event)
            case UserTyped():
                return self._on_typed(event.text)
            case PlayoutStarted():
                if self._is_current(event.turn, event.revision):
                    self._turn.audible = True
                return []
            case PlayoutFinished():
                return self._on_played(event)
            case StageFailed():
                return self._on_failed(event)
            case InputEnded():
                self._input_ended = True
                return self._end_if_over()
            case _:
                return []

    # --- the user ---

    def _on_voice(self, event: VoiceActivity) -> list[Decision]:
        self._position = event.position
        pause_s = self._run.silence_s
        self._run.push(event.position, event.probability)
        if self.state is State.HEARING:
            if pause_s > 0 and self._run.silence_s == 0:
                self._end.resumed(pause_s)
            return self._while_hearing()
        needed = self._settings.start_speech_s
        if self.state is State.REPLYING and self._turn.audible:
            needed = self._settings.barge_in_s
        if self._run.voiced_s < needed:
            return self._end_if_over()
        return self._user_speaks()

    def _user_speaks(self) -> list[Decision]:
        """Speech is certain while the user was not known to speak."""
        made: list[Decision] = []
        if self.state is State.REPLYING and self._turn.audible:
            made += self._stop_reply("barge-in") + self._finish("interrupted")
            if over := self._end_if_over():
                return made + over
            self._begin_turn()
        elif self.state is State.REPLYING:
            made += self._stop_reply("resumed")
            self._turn.failed = None
        elif self.state is State.IDLE:
            self._begin_turn()
        if self._turn.parts:
            self._end.resumed((self._run.start - self._spoken_to) / RECOGNIZER_RATE)
        preroll = round(self._settings.preroll_s * RECOGNIZER_RATE)
        audio_from = max(self._run.start - preroll, self._audio_to, 0)
        return made + self._begin_part(self._run.start, audio_from)

    def _begin_part(self, position: int, audio_from: int) -> list[Decision]:
        self.state = State.HEARING
        self._run.hold()
        self._part_from = audio_from
        part = self._turn.parts
        self._turn.parts += 1
        return [SpeechStarted(self._turn.number, part, position, audio_from)]

    def _while_hearing(self) -> list[Decision]:
        if self._run.silence_s >= self._end.wait_s:
            made = self._end_part()
            self._run.reset()
            self.state = State.DECIDING
            return made + self._commit_if_ready()
        if self._position - self._part_from >= self._settings.part_s * RECOGNIZER_RATE:
            return self._end_part() + self._begin_part(self._position, self._position)
        return []

    def _end_part(self) -> list[Decision]:
        self._audio_to = self._position
        self._spoken_to = self._run.last_voiced
        part = self._turn.parts - 1
        return [SpeechEnded(self._turn.number, part, self._run.last_voiced, self._position)]

    def _on_partial(self, event: Transcribed) -> list[Decision]:
        newest = event.part == self.part and event.turn == self._turn.number
        if newest and self.state is State.HEARING:
            self._turn.so_far[event.part] = event.text.strip()
            self._end.heard(self._turn.text_so_far, final=False)
            return self._while_hearing()
        return []

    def _on_scored(self, event: TurnScored) -> list[Decision]:
        if (
            event.turn != self._turn.number
            or self.state is not State.HEARING
            or event.position <= self._run.last_voiced
        ):
            return []
        self._end.scored(event.source, event.probability, event.position)
        return self._while_hearing()

    def _on_final(self, event: Transcribed) -> list[Decision]:
        if event.turn != self._turn.number or self.state not in (State.HEARING, State.DECIDING):
            return []
        self._turn.texts.setdefault(event.part, event.text.strip())
        if event.part == self.part:  # Else the newest words are not among them.
            self._end.heard(self._turn.text_so_far, final=not self._turn.waiting)
        return self._commit_if_ready()

    def _commit_if_ready(self) -> list[Decision]:
        if self.state is not State.DECIDING or self._turn.waiting:
            return []
        if self._turn.failed is not None:
            return self._apologize(self._turn.failed)
        if not self._turn.text:
            self.state = State.IDLE
            return [TurnDiscarded(self._turn.number), *self._end_if_over()]
        return self._commit(self._turn.text)

    def _on_typed(self, text: str) -> list[Decision]:
        made: list[Decision] = []
        if self.state is State.REPLYING:
            made += self._stop_reply("typed") + self._finish("interrupted")
            if over := self._end_if_over():
                return made + over
        elif self.state is not State.IDLE:
            made += self._end_part() if self.state is State.HEARING else []
            made.append(TurnDiscarded(self._turn.number))
        self._run.reset()
        self._begin_turn()
        return made + self._commit(text)

    # --- the reply ---

    def _commit(self, text: str) -> list[Decision]:
        self.state = State.REPLYING
        self._turn.revision += 1
        self._turn.audible = False
        return [TurnCommitted(self._turn.number, self._turn.revision, text)]

    def _stop_reply(self, reason: StopReason) -> list[Decision]:
        return [ReplyStopped(self._turn.number, self._turn.revision, reason)]

    def _on_played(self, event: PlayoutFinished) -> list[Decision]:
        if not self._is_current(event.turn, event.revision):
            return []
        return self._finish("completed") + self._end_if_over()

    def _is_current(self, turn: int, revision: int) -> bool:
        return (
            self.state is State.REPLYING
            and turn == self._turn.number
            and revision == self._turn.revision
        )

    def _finish(self, outcome: Outcome) -> list[Decision]:
        self.state = State.IDLE
        self._finished += 1
        return [TurnFinished(self._turn.number, "failed" if self._turn.failed else outcome)]

    # --- failures and the end ---

    def _on_failed(self, event: StageFailed) -> list[Decision]:
        if event.stage == "recognizer":
            if event.turn != self._turn.number or self.state not in (State.HEARING, State.DECIDING):
                return []
            self._turn.failed = event.stage
            self._turn.texts.setdefault(event.part_or_revision, "")
            return self._commit_if_ready()
        if not self._is_current(event.turn, event.part_or_revision):
            return []
        made = self._stop_reply("failed")
        if self._turn.failed is None:
            self._turn.failed = event.stage
            return made + self._apologize(event.stage)
        return made + self._finish("failed") + self._end_if_over()

    def _apologize(self, stage: Stage) -> list[Decision]:
        self.state = State.REPLYING
        self._turn.revision += 1
        self._turn.audible = False
        return [Apologized(self._turn.number, self._turn.revision, stage)]

    def _begin_turn(self) -> None:
        self._turn = _Turn(self._turn.number + 1)
        self._end.begin()

    def _end_if_over(self) -> list[Decision]:
        if self.state is not State.IDLE:
            return []
        if self._turns and self._finished >= self._turns:
            reason = f"{self._turns} turns"
        elif self._input_ended and self._run.voiced_s == 0:
            reason = "end of input"
        else:
            return []
        self.state = State.ENDED
        return [SessionEnded(reason)]
