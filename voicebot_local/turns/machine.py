"""The turn machine: observations in, decisions out.

It decides when the user has begun and finished speaking, when to prepare a reply and when it may be
heard, when to stop it, and when the conversation is over. It is a plain object without clock, I/O
or await: time is the position of the newest audio, so that every conversation can be replayed from
its event log.

             ┌──────────────────────── speech ─────────────────────────┐
             ▼                                                         │
    idle ─speech─▶ hearing ─short silence─▶ pausing ─enough silence─▶ deciding ─words─▶ replying
      ▲            │  ▲  ▲                  │  drafts a reply         │                 │  │  ▲
      │            │  │  └──────speech──────┘                         │no words         │  │  │
      ├────────────│──│───────────────────────────────────────────────┘                 │  │  │
      ├────────────│──│────────────────────────────────── played ───────────────────────┘  │  │
      │            │  └──── speech before the reply is audible: the same turn ─────────────┤  │
      │            │                                                                       │  │
      │            └─ enough silence at once ─▶ deciding        speech over the reply ─────┘  │
      │                                                                 ▼                     │
      │               hearing ◀─ an interruption: a new turn ─ overlapping ─ nothing of that ─┘
"""

from __future__ import annotations

from enum import Enum

from voicebot_local.events import (
    Apologized,
    Decision,
    DiscardReason,
    InputEnded,
    Observation,
    Outcome,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutStarted,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    ReplyText,
    SessionEnded,
    SpeechEnded,
    SpeechStarted,
    Stage,
    StageFailed,
    StopReason,
    TalkPressed,
    TalkReleased,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnPrompted,
    TurnScored,
    UserTyped,
    VoiceActivity,
)
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.barge_in import BargeIn
from voicebot_local.turns.end_of_turn import EndOfTurn
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.overlapping import Overlapping
from voicebot_local.turns.prompter import NEVER, Prompter, PrompterSettings
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.stable import agreed
from voicebot_local.turns.talking import TalkKey
from voicebot_local.turns.turn import Turn

OVERLAP_SILENCE_S = 0.25
"""A sound over the reply is over after so much silence; only then is its transcript final (s)."""


class State(Enum):
    """What the conversation is doing."""

    IDLE = "idle"
    HEARING = "hearing"
    PAUSING = "pausing"
    DECIDING = "deciding"
    REPLYING = "replying"
    OVERLAPPING = "overlapping"
    ENDED = "ended"


class TurnMachine:
    """Decides whose turn it is. `turns`: end the session after that many turns; 0 is no limit."""

    def __init__(
        self,
        settings: TurnSettings,
        turns: int = 0,
        prompter: PrompterSettings = NEVER,
    ) -> None:
        self._settings = settings
        self._turns = turns
        self.state = State.IDLE
        self._turn = Turn(0)
        self._over: Overlapping | None = None
        """While the user makes a sound over the reply."""
        self._numbers = 0
        self._run = SpeechRun(settings)
        self._end = EndOfTurn(settings)
        self._barge_in = BargeIn(settings)
        self._key = TalkKey(settings)
        self._prompter = Prompter(prompter)
        self._quiet_from = 0
        """Since when nobody has spoken, where nobody does."""
        self._position = 0
        self._audio_to = 0
        self._spoken_to = 0
        self._decided_at = 0
        self._finished = 0
        self._input_ended = False

    @property
    def turn(self) -> int:
        """Number of the turn that the user speaks in, or spoke in last; the first is 1."""
        return self._spoken.number

    @property
    def part(self) -> int:
        """Number of that turn's newest part; -1 where it has none."""
        return self._spoken.parts - 1

    @property
    def said(self) -> str:
        """What that turn says so far."""
        return self._spoken.text_so_far

    @property
    def waiting(self) -> bool:
        """True while nothing can be decided before a transcript comes."""
        return (
            self.state in (State.PAUSING, State.DECIDING, State.OVERLAPPING)
            and not self._spoken.open
            and self._spoken.waiting
        )

    @property
    def quiet(self) -> bool:
        """True when nobody has spoken for as long as a turn's end takes."""
        quiet_s = (self._position - self._audio_to) / RECOGNIZER_RATE
        silent = self._run.voiced_s == 0 and quiet_s >= self._settings.end_silence_s
        return silent and not self._key.down

    @property
    def silence_s(self) -> float:
        """How long the user has been silent in a turn that is not over yet (s); else 0."""
        if self.state is State.HEARING:
            return self._run.silence_s
        if self.state is State.PAUSING and self._run.voiced_s == 0:
            return self._paused_s
        return 0.0

    @property
    def _paused_s(self) -> float:
        """Time since the last speech of a part that is over (s)."""
        return (self._position - self._spoken_to) / RECOGNIZER_RATE

    @property
    def _spoken(self) -> Turn:
        """The turn that transcripts belong to."""
        return self._turn if self._over is None else self._over.turn

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
            case Transcribed():
                return self._on_transcript(event)
            case TurnScored():
                return self._on_scored(event)
            case UserTyped():
                return self._on_typed(event.text)
            case TalkPressed():
                return self._on_released() if self._key.down else self._on_pressed()
            case TalkReleased():
                return self._on_released()
            case PlayoutStarted():
                if self._is_current(event.turn, event.revision):
                    self._turn.audible_from = self._position
                return []
            case PlayoutPaused():
                if self._over is not None and self._is_current(event.turn, event.revision):
                    self._over.paused(event)
                return []
            case PlayoutFinished():
                return self._on_played(event)
            case ReplyText():
                if (event.turn, event.revision) == (self._turn.number, self._turn.revision):
                    self._turn.read_reply(event.text)
                return []
            case StageFailed():
                return self._on_failed(event)
            case InputEnded():
                self._input_ended = True
                return self._end_if_over()
            case _:
                return []

    # --- the user speaks ---

    def _on_voice(self, event: VoiceActivity) -> list[Decision]:
        self._position = event.position
        pause_s, voiced_s = self._run.silence_s, self._run.voiced_s
        idle = self.state is State.IDLE and self._run.voiced_s == 0
        self._run.push(
            event.position, self._key.heard(event.probability, event.position, idle=idle)
        )
        if self.state is State.HEARING:
            if pause_s > 0 and self._run.silence_s == 0:
                self._end.resumed(pause_s)
            return self._while_hearing()
        if self._over is not None:
            self._over.goes_on(self._run.voiced_s - voiced_s)
            return self._while_overlapping(self._over)
        over_reply = self.state is State.REPLYING and self._began_over_reply
        needed = self._settings.barge_in_s if over_reply else self._settings.start_speech_s
        if self._run.voiced_s < needed:
            return self._while_quiet()
        return self._overlap() if over_reply else self._user_speaks()

    @property
    def _began_over_reply(self) -> bool:
        """Whether the reply was audible before the present speech began; else nobody can have
        meant to interrupt it."""
        audible_from = self._turn.audible_from
        return audible_from is not None and self._run.start >= audible_from

    def _user_speaks(self) -> list[Decision]:
        """Speech is certain while the user was not known to speak."""
        made: list[Decision] = []
        if self.state is State.REPLYING:
            made += self._stop_reply("resumed")
            self._turn.failed, self._turn.prompted = None, False
        elif self.state is State.IDLE:
            self._begin_turn(Turn(self._next_number()))
        elif self._turn.draft is not None:
            made += self._drop_draft("resumed")
        if self._turn.parts:
            self._end.resumed((self._run.start - self._spoken_to) / RECOGNIZER_RATE)
        self.state = State.HEARING
        return [*made, self._begin_part(self._turn)]

    def _begin_part(self, turn: Turn) -> Decision:
        """The user speaks, perhaps again; what was said shortly before is heard again with it."""
        preroll = round(self._settings.preroll_s * RECOGNIZER_RATE)
        audio_from = max(self._run.start - preroll, self._audio_to, 0)
        rejoin = self._settings.rejoin_s * RECOGNIZER_RATE
        again = turn.parts > 0 and self._position - turn.heard_from <= rejoin
        if again:
            audio_from = turn.heard_from
            turn.texts[turn.parts - 1] = ""
            turn.failed = None
        return self._open_part(turn, self._run.start, audio_from, again=again)

    def _open_part(
        self, turn: Turn, position: int, audio_from: int, *, again: bool = False
    ) -> Decision:
        self._run.hold()
        turn.heard_from, turn.open = audio_from, True
        turn.parts += 1
        return SpeechStarted(turn.number, turn.parts - 1, position, audio_from, again)

    def _end_part(self, turn: Turn) -> Decision:
        turn.open = False
        self._audio_to = self._position
        self._spoken_to = self._run.last_voiced
        return SpeechEnded(turn.number, turn.parts - 1, self._run.last_voiced, self._position)

    # --- the user is silent, and may be done ---

    def _while_hearing(self) -> list[Decision]:
        silence_s = self._run.silence_s
        over = silence_s >= self._end.wait_s
        if over or (silence_s >= self._end.eager_s and self._may_draft):
            ended = self._end_part(self._turn)
            self._run.reset()
            self.state = State.PAUSING
            return [ended, *self._while_quiet()]
        if self._position - self._turn.heard_from >= self._settings.part_s * RECOGNIZER_RATE:
            ended = self._end_part(self._turn)
            return [ended, self._open_part(self._turn, self._position, self._position)]
        return []

    @property
    def _may_draft(self) -> bool:
        return self._turn.drafts < self._settings.max_revisions

    def _while_quiet(self) -> list[Decision]:
        """Nobody is known to speak; somebody may have begun to."""
        if self.state not in (State.PAUSING, State.DECIDING):
            return self._end_if_over() or self._prompt_if_due()
        over = self._key.released or self._paused_s >= self._end.wait_s
        if over and self.state is State.PAUSING:
            self._decided_at = self._position
        # Late words may show that it is not over after all.
        self.state = State.DECIDING if over else State.PAUSING
        return self._draft_or_commit()

    def _draft_or_commit(self) -> list[Decision]:
        """What the transcripts allow while the user is silent."""
        turn = self._turn
        if turn.waiting:
            return []
        if self.state is State.PAUSING:
            if turn.failed or not turn.text or turn.draft is not None or not self._may_draft:
                return []
            if self._paused_s < self._end.eager_s:  # The last words say that more will come.
                return []
            turn.drafts += 1
            revision = turn.next_revision()
            turn.draft = turn.text
            return [ReplyDrafted(turn.number, revision, turn.text)]
        if self._run.voiced_s > 0:  # Perhaps the user goes on at this very moment.
            return []
        if turn.failed is not None:
            return self._apologize(turn.failed)
        if not turn.text:
            self.state = State.IDLE
            self._quiet_from = self._position
            return [TurnDiscarded(turn.number), *self._end_if_over()]
        return self._commit(turn.text, self._decided_at)

    # --- transcripts and scores ---

    def _on_transcript(self, event: Transcribed) -> list[Decision]:
        turn = self._spoken
        if not self._is_spoken(event.turn, event.part):
            return []
        if event.is_final:
            turn.texts.setdefault(event.part, event.text.strip())
            turn.confidence = event.confidence
        else:
            before = turn.so_far.get(event.part, "")
            turn.so_far[event.part] = event.text.strip()
            # Of what both say, the last word may be a piece of a longer one.
            turn.sure[event.part] = " ".join(agreed(event.text.split(), before.split())[:-1])
        if self._over is not None:
            return self._while_overlapping(self._over)
        if event.part == self.part:  # Else the newest words are not among them.
            self._end.heard(turn.text_so_far, not turn.waiting, event.confidence)
        return self._on_evidence()

    def _is_spoken(self, turn: int, part: int) -> bool:
        """Whether words of that part still count."""
        return (
            self.state not in (State.IDLE, State.REPLYING)
            and turn == self._spoken.number
            and part < self._spoken.parts
        )

    def _on_scored(self, event: TurnScored) -> list[Decision]:
        spoken_to = self._run.last_voiced if self.state is State.HEARING else self._spoken_to
        if event.turn != self._turn.number or event.position <= spoken_to:
            return []
        if self.state in (State.HEARING, State.PAUSING):
            self._end.scored(event.source, event.probability, event.position)
            return self._on_evidence()
        return []

    def _on_evidence(self) -> list[Decision]:
        """The evidence for the turn's end has changed."""
        return self._while_hearing() if self.state is State.HEARING else self._while_quiet()

    # --- the user makes a sound over the reply ---

    def _overlap(self) -> list[Decision]:
        self.state = State.OVERLAPPING
        turn = Turn(self._next_number())
        self._over = Overlapping(turn, self._run, self._settings.answer_s)
        paused = ReplyPaused(self._turn.number, self._turn.revision)
        return [paused, self._begin_part(turn)]

    def _while_overlapping(self, over: Overlapping) -> list[Decision]:
        verdict = over.judge(self._barge_in, self._position, asks=self._turn.asks)
        if verdict == "yield":
            return self._yield("barge-in")
        if verdict == "go on":
            resumed = ReplyResumed(self._turn.number, self._turn.revision)
            made = self._discard_overlap("listening")
            self.state = State.REPLYING
            return [*made, resumed]
        if over.turn.open and self._run.silence_s >= OVERLAP_SILENCE_S:
            ended = self._end_part(over.turn)
            self._run.reset()
            return [ended]
        if not over.turn.open and self._run.voiced_s >= self._settings.start_speech_s:
            return [self._begin_part(over.turn)]
        return []

    def _yield(self, reason: StopReason) -> list[Decision]:
        """The reply is over; what was said over it is the next turn."""
        made = self._stop_reply(reason) + self._finish("interrupted")
        if over := self._end_if_over():
            return made + self._discard_overlap("listening") + over
        return made + self._turn_over_begins()

    def _turn_over_begins(self) -> list[Decision]:
        """What was said over the reply is the present turn."""
        turn, self._over = self._spoken, None
        self._begin_turn(turn)
        self._end.heard(turn.text_so_far, final=not turn.waiting)
        self.state = State.HEARING if turn.open else State.PAUSING
        return self._on_evidence()

    def _discard_overlap(self, reason: DiscardReason) -> list[Decision]:
        if self._over is None:
            return []
        turn, self._over = self._over.turn, None
        made = [self._end_part(turn)] if turn.open else []
        self._run.ignore()
        return [*made, TurnDiscarded(turn.number, reason)]

    # --- the user presses the key to talk ---

    def _on_pressed(self) -> list[Decision]:
        if self._key.late(self._position):
            return []
        self._key.press(self._position)
        if self.state not in (State.REPLYING, State.OVERLAPPING):
            return []
        made = self._stop_reply("pressed") + self._finish("interrupted")
        return made + self._discard_overlap("listening") + self._end_if_over()

    def _on_released(self) -> list[Decision]:
        if not self._key.down:
            return []
        self._key.release()
        if self.state is not State.HEARING:
            return self._while_quiet()
        ended = self._end_part(self._turn)
        self._run.reset()
        self.state = State.PAUSING
        return [ended, *self._while_quiet()]

    # --- the assistant speaks unasked ---

    def _prompt_if_due(self) -> list[Decision]:
        if self.state is not State.IDLE or self._run.voiced_s > 0 or self._key.down:
            self._quiet_from = self._position
            return []
        prompt = self._prompter.due(self._position, self._quiet_from, begun=self._numbers > 0)
        if prompt is None or self._input_ended:
            return []
        self._begin_turn(Turn(self._next_number(), prompted=True))
        self.state = State.REPLYING
        turn = self._turn
        return [TurnPrompted(turn.number, turn.next_revision(), prompt.text, prompt.instruction)]

    # --- the reply ---

    def _on_typed(self, text: str) -> list[Decision]:
        made: list[Decision] = []
        if self.state in (State.REPLYING, State.OVERLAPPING):
            made += self._stop_reply("typed") + self._finish("interrupted")
            made += self._discard_overlap("typed")
            if over := self._end_if_over():
                return made + over
        elif self.state is not State.IDLE:
            made += self._drop_draft("typed") if self._turn.draft is not None else []
            made += [self._end_part(self._turn)] if self._turn.open else []
            made.append(TurnDiscarded(self._turn.number, "typed"))
        self._run.reset()
        self._begin_turn(Turn(self._next_number()))
        return made + self._commit(text, 0)

    def _commit(self, text: str, decided_at: int) -> list[Decision]:
        """The draft for these words is the reply; without one a reply begins."""
        self.state = State.REPLYING
        turn = self._turn
        if turn.draft != text:
            turn.next_revision()
        turn.draft = None
        self._key.turn_over(self._position)
        return [TurnCommitted(turn.number, turn.revision, text, decided_at)]

    def _drop_draft(self, reason: StopReason) -> list[Decision]:
        self._turn.draft = None
        return self._stop_reply(reason)

    def _stop_reply(self, reason: StopReason) -> list[Decision]:
        return [ReplyStopped(self._turn.number, self._turn.revision, reason)]

    def _on_played(self, event: PlayoutFinished) -> list[Decision]:
        if not self._is_current(event.turn, event.revision):
            return []
        made = self._finish("completed")
        if self._over is not None:  # There was nothing left to pause: they take turns.
            if over := self._end_if_over():
                return made + self._discard_overlap("listening") + over
            return made + self._turn_over_begins()
        return made + self._end_if_over()

    def _is_current(self, turn: int, revision: int) -> bool:
        return (
            self.state in (State.REPLYING, State.OVERLAPPING)
            and turn == self._turn.number
            and revision == self._turn.revision
        )

    def _finish(self, outcome: Outcome) -> list[Decision]:
        self.state = State.IDLE
        self._quiet_from = self._position
        self._finished += not self._turn.prompted
        return [TurnFinished(self._turn.number, "failed" if self._turn.failed else outcome)]

    # --- failures and the end ---

    def _on_failed(self, event: StageFailed) -> list[Decision]:
        if event.stage == "recognizer":
            return self._on_recognizer_failed(event)
        turn, revision = event.turn, event.part_or_revision
        if self._turn.draft is not None and (turn, revision) == (
            self._turn.number,
            self._turn.revision,
        ):
            # The committed reply is tried anew, and only then does the user learn of a failure.
            self._turn.drafts = self._settings.max_revisions
            return self._drop_draft("failed")
        if not self._is_current(turn, revision):
            return []
        made = self._stop_reply("failed")
        first = self._turn.failed is None
        self._turn.failed = self._turn.failed or event.stage
        if self._over is not None:
            return made + self._finish("failed") + self._turn_over_begins()
        if first and not self._turn.prompted:
            return made + self._apologize(event.stage)
        return made + self._finish("failed") + self._end_if_over()

    def _on_recognizer_failed(self, event: StageFailed) -> list[Decision]:
        turn = self._spoken
        if not self._is_spoken(event.turn, event.part_or_revision):
            return []
        turn.failed = "recognizer"
        turn.texts.setdefault(event.part_or_revision, "")
        if self._over is not None:
            return self._while_overlapping(self._over)
        return self._on_evidence()

    def _apologize(self, stage: Stage) -> list[Decision]:
        self.state = State.REPLYING
        self._key.turn_over(self._position)
        return [Apologized(self._turn.number, self._turn.next_revision(), stage)]

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _begin_turn(self, turn: Turn) -> None:
        self._turn = turn
        self._end.begin()

    def _end_if_over(self) -> list[Decision]:
        if self.state is not State.IDLE:
            return []
        if self._turns and self._finished >= self._turns:
            reason = f"{self._turns} turns"
        elif self._input_ended and self._run.voiced_s == 0 and self._over is None:
            reason = "end of input"
        else:
            return []
        self.state = State.ENDED
        return [SessionEnded(reason)]
