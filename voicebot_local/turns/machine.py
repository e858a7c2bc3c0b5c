"""The turn machine: observations in, decisions out.

It decides when the user has begun and finished speaking, when to prepare a reply and when it may be
heard, when to stop it, and when the conversation is over. It is a plain object without clock, I/O
or await: time is the position of the newest audio, so that every conversation can be replayed from
its event log.

`states.py` draws the states; the machine leads from one to the next, and asks plain objects for
the rest: `parts.py` begins and ends the parts of a turn, `turn.py` remembers what was said and the
reply to it, `end_of_turn.py` and `silence.py` know when the user is done, `overlapping.py` and
`barge_in.py` what a sound over the reply is, `talking.py` whether the key to talk is down,
`prompter.py` when to speak unasked, `ending.py` when the conversation is over.
"""

from __future__ import annotations

from voicebot_local.events import (
    Decision,
    DiscardReason,
    InputEnded,
    Observation,
    Outcome,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutStarted,
    ReplyText,
    SessionEnded,
    Stage,
    StageFailed,
    StopReason,
    TalkPressed,
    TalkReleased,
    Transcribed,
    TurnScored,
    UserTyped,
    VoiceActivity,
)
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.barge_in import BargeIn
from voicebot_local.turns.end_of_turn import EndOfTurn
from voicebot_local.turns.ending import Ending
from voicebot_local.turns.endpointing import SpeechRun
from voicebot_local.turns.overlapping import Overlapping
from voicebot_local.turns.parts import Parts
from voicebot_local.turns.prompter import NEVER, Prompter, PrompterSettings
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.silence import Silence
from voicebot_local.turns.states import State
from voicebot_local.turns.talking import TalkKey
from voicebot_local.turns.turn import Turn


class TurnMachine:
    """Decides whose turn it is. `turns`: end the session after that many turns; 0 is no limit."""

    def __init__(
        self,
        settings: TurnSettings,
        turns: int = 0,
        prompter: PrompterSettings = NEVER,
    ) -> None:
        self._settings = settings
        self.state = State.IDLE
        self._turn = Turn(0)
        self._over: Overlapping | None = None
        """While the user makes a sound over the reply."""
        self._numbers = 0
        self._run = SpeechRun(settings)
        self._parts = Parts(settings, self._run)
        self._end = EndOfTurn(settings)
        self._silence = Silence(settings, self._run, self._parts, self._end)
        self._barge_in = BargeIn(settings)
        self._key = TalkKey(settings)
        self._prompter = Prompter(prompter)
        self._ending = Ending(turns)
        self._decided_at = 0

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
        quiet = self._parts.over_for_s >= self._settings.end_silence_s
        return quiet and self._run.voiced_s == 0 and not self._key.down

    @property
    def silence_s(self) -> float:
        """How long the user has been silent in a turn that is not over yet (s); else 0."""
        if self.state is State.HEARING:
            return self._run.silence_s
        if self.state is State.PAUSING and self._run.voiced_s == 0:
            return self._parts.paused_s
        return 0.0

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
                return self._on_released() if self._key.down else []
            case PlayoutStarted() | PlayoutPaused() | PlayoutFinished():
                return self._on_playout(event)
            case ReplyText():
                if self._turn.replies_with(event.turn, event.revision):
                    self._turn.read_reply(event.text)
                return []
            case StageFailed():
                return self._on_failed(event)
            case InputEnded():
                self._ending.input_ended = True
                return self._end_if_over()
            case _:
                return []

    # --- the user speaks ---

    def _on_voice(self, event: VoiceActivity) -> list[Decision]:
        pause_s, voiced_s = self._run.silence_s, self._run.voiced_s
        idle = self.state is State.IDLE and voiced_s == 0
        heard = self._key.heard(event.probability, event.position, idle=idle)
        self._run.push(event.position, heard)
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
            made.append(self._turn.stop_reply("resumed"))
            self._turn.failed, self._turn.prompted = None, False
        elif self.state is State.IDLE:
            self._begin_turn(self._new_turn())
        elif self._turn.draft is not None:
            made.append(self._turn.stop_reply("resumed"))
        if self._turn.parts:
            self._end.resumed((self._run.start - self._parts.spoken_to) / RECOGNIZER_RATE)
        self.state = State.HEARING
        return [*made, self._parts.begin(self._turn)]

    # --- the user is silent, and may be done ---

    def _while_hearing(self) -> list[Decision]:
        if self._silence.ends_part(self._turn):
            return self._pause()
        return [*self._parts.cut(self._turn)] if self._parts.too_long(self._turn) else []

    def _pause(self) -> list[Decision]:
        """The part is over, and perhaps the turn."""
        ended = self._parts.end(self._turn)
        self._run.reset()
        self.state = State.PAUSING
        return [ended, *self._while_quiet()]

    def _while_quiet(self) -> list[Decision]:
        """Nobody is known to speak; somebody may have begun to."""
        if self.state not in (State.PAUSING, State.DECIDING):
            return self._end_if_over() or self._prompt_if_due()
        if self._key.released or self._silence.ends_turn:
            if self.state is State.PAUSING:
                self._decided_at = self._run.position
            self.state = State.DECIDING
            return self._answer()
        self.state = State.PAUSING  # Late words may show that it is not over after all.
        return [self._turn.draft_reply()] if self._silence.allows_draft(self._turn) else []

    def _answer(self) -> list[Decision]:
        """The user is done: reply, once all that was said is known."""
        turn = self._turn
        if turn.waiting or self._run.voiced_s > 0:  # Perhaps the user goes on at this very moment.
            return []
        if turn.failed is not None:
            return self._apologize(turn.failed)
        if not turn.text:
            self._become_idle()
            return [turn.discard("no words"), *self._end_if_over()]
        return self._commit(turn.text, self._decided_at)

    # --- transcripts and scores ---

    def _on_transcript(self, event: Transcribed) -> list[Decision]:
        if not self._is_spoken(event.turn, event.part):
            return []
        turn = self._spoken
        turn.understood(event)
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
        spoken_to = self._run.last_voiced if self.state is State.HEARING else self._parts.spoken_to
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
        turn = self._new_turn()
        self._over = Overlapping(turn, self._run, self._parts, self._settings)
        return [self._turn.pause_reply(), self._parts.begin(turn)]

    def _while_overlapping(self, over: Overlapping) -> list[Decision]:
        match over.judge(self._barge_in, asks=self._turn.asks):
            case "yield":
                return [*self._interrupt("barge-in"), *self._after_reply()]
            case "go on":
                self.state = State.REPLYING
                return [*self._discard_overlap("listening"), self._turn.resume_reply()]
            case None:
                return over.listen()

    def _turn_over_begins(self) -> list[Decision]:
        """What was said over the reply is the present turn."""
        turn, self._over = self._spoken, None
        self._begin_turn(turn)
        self._end.heard(turn.text_so_far, final=not turn.waiting)
        self.state = State.HEARING if turn.open else State.PAUSING
        return self._on_evidence()

    def _discard_overlap(self, reason: DiscardReason) -> list[Decision]:
        over, self._over = self._over, None
        return over.discard(reason) if over is not None else []

    # --- the user presses the key to talk ---

    def _on_pressed(self) -> list[Decision]:
        if self._key.late(self._run.position):
            return []
        self._key.press(self._run.position)
        if self.state not in (State.REPLYING, State.OVERLAPPING):
            return []
        made = self._interrupt("pressed") + self._discard_overlap("listening")
        return made + self._end_if_over()

    def _on_released(self) -> list[Decision]:
        self._key.release()
        return self._pause() if self.state is State.HEARING else self._while_quiet()

    # --- the assistant speaks unasked ---

    def _prompt_if_due(self) -> list[Decision]:
        if self.state is not State.IDLE or self._run.voiced_s > 0 or self._key.down:
            self._prompter.busy(self._run.position)
            return []
        prompt = self._prompter.due(self._run.position, begun=self._numbers > 0)
        if prompt is None or self._ending.input_ended:
            return []
        self._begin_turn(self._new_turn(prompted=True))
        self.state = State.REPLYING
        return [self._turn.prompt(prompt)]

    # --- the reply ---

    def _on_typed(self, text: str) -> list[Decision]:
        turn, made = self._turn, list[Decision]()
        if self.state in (State.REPLYING, State.OVERLAPPING):
            made += self._interrupt("typed") + self._discard_overlap("typed")
            if ended := self._end_if_over():
                return made + ended
        elif self.state is not State.IDLE:
            made += [turn.stop_reply("typed")] if turn.draft is not None else []
            made += [self._parts.end(turn)] if turn.open else []
            made.append(turn.discard("typed"))
        self._run.reset()
        self._begin_turn(self._new_turn())
        return made + self._commit(text, 0)

    def _commit(self, text: str, decided_at: int) -> list[Decision]:
        self._reply_begins()
        return [self._turn.commit(text, decided_at)]

    def _apologize(self, stage: Stage) -> list[Decision]:
        self._reply_begins()
        return [self._turn.apologize(stage)]

    def _reply_begins(self) -> None:
        self.state = State.REPLYING
        self._key.turn_over(self._run.position)

    def _on_playout(
        self, event: PlayoutStarted | PlayoutPaused | PlayoutFinished
    ) -> list[Decision]:
        if not self._is_current(event.turn, event.revision):
            return []
        match event:
            case PlayoutStarted():
                self._turn.audible_from = self._run.position
            case PlayoutPaused() if self._over is not None:
                self._over.paused(event)
            case PlayoutFinished():
                return self._finish("completed") + self._after_reply()
        return []

    def _interrupt(self, reason: StopReason) -> list[Decision]:
        return [self._turn.stop_reply(reason), *self._finish("interrupted")]

    def _after_reply(self) -> list[Decision]:
        """The turn is over, and a sound over its reply, if there is one, is the next turn."""
        ended = self._end_if_over()
        if self._over is None:
            return ended
        return self._discard_overlap("listening") + ended if ended else self._turn_over_begins()

    def _is_current(self, turn: int, revision: int) -> bool:
        replying = self.state in (State.REPLYING, State.OVERLAPPING)
        return replying and self._turn.replies_with(turn, revision)

    def _finish(self, outcome: Outcome) -> list[Decision]:
        self._become_idle()
        if not self._turn.prompted:
            self._ending.count()
        return [self._turn.finish(outcome)]

    def _become_idle(self) -> None:
        self.state = State.IDLE
        self._prompter.busy(self._run.position)

    # --- failures and the end ---

    def _on_failed(self, event: StageFailed) -> list[Decision]:
        if event.stage == "recognizer":
            return self._on_recognizer_failed(event.turn, event.part_or_revision)
        turn = self._turn
        if turn.draft is not None and turn.replies_with(event.turn, event.part_or_revision):
            # The committed reply is tried anew, and only then does the user learn of a failure.
            turn.drafts = self._settings.max_revisions
            return [turn.stop_reply("failed")]
        if not self._is_current(event.turn, event.part_or_revision):
            return []
        stopped = turn.stop_reply("failed")
        first = turn.failed is None
        turn.failed = turn.failed or event.stage
        if first and not turn.prompted and self._over is None:
            return [stopped, *self._apologize(event.stage)]
        return [stopped, *self._finish("failed"), *self._after_reply()]

    def _on_recognizer_failed(self, turn: int, part: int) -> list[Decision]:
        if not self._is_spoken(turn, part):
            return []
        self._spoken.not_understood(part)
        if self._over is not None:
            return self._while_overlapping(self._over)
        return self._on_evidence()

    def _new_turn(self, *, prompted: bool = False) -> Turn:
        self._numbers += 1
        return Turn(self._numbers, prompted=prompted)

    def _begin_turn(self, turn: Turn) -> None:
        self._turn = turn
        self._end.begin()

    def _end_if_over(self) -> list[Decision]:
        if self.state is not State.IDLE:
            return []
        speaking = self._run.voiced_s > 0 or self._over is not None
        reason = self._ending.reason(speaking=speaking)
        if reason is None:
            return []
        self.state = State.ENDED
        return [SessionEnded(reason)]
