"""The session: feeds observations to the turn machine and carries out what it decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio
import numpy as np

from voicebot_local.audio.card import Block, CardNotice, SoundCard
from voicebot_local.audio.echo import EchoCanceller
from voicebot_local.audio.far_end import FarEnd
from voicebot_local.audio.vad import VoiceActivity
from voicebot_local.errors import VoicebotError
from voicebot_local.events import (
    Apologized,
    AudioLost,
    CardBack,
    CardLost,
    Decision,
    EventLog,
    InputEnded,
    Observation,
    RecordingFailed,
    ReplyDrafted,
    ReplyPaused,
    ReplyResumed,
    ReplyStopped,
    SessionEnded,
    SessionStarted,
    SpeechEnded,
    SpeechStarted,
    TalkPressed,
    TalkReleased,
    Transcribed,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
    TurnPrompted,
    UserTyped,
)
from voicebot_local.hearing import Detector, Hearing
from voicebot_local.providers.base import (
    ChatModel,
    Recognizer,
    Samples,
    Synthesizer,
)
from voicebot_local.reading_ahead import ReadingAhead
from voicebot_local.recognizing import Recognizing
from voicebot_local.scoring import Scoring, TurnDetector
from voicebot_local.speaking import Speaking, Voice
from voicebot_local.turn_notes import TurnNotes
from voicebot_local.turns.conversation import Conversation, PastTurn
from voicebot_local.turns.machine import TurnMachine
from voicebot_local.turns.prompter import NEVER, PrompterSettings
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.states import State

MOST_BACKLOG = 64
"""Windows that a recognizer may be behind before a recording that can wait does (about 2 s)."""
APOLOGY = "Sorry, something went wrong. Please say that again."


class Providers(Protocol):
    """What listens, thinks and speaks in this session, loaded and ready."""

    @property
    def recognizer(self) -> Recognizer: ...
    @property
    def chat(self) -> ChatModel: ...
    @property
    def synthesizer(self) -> Synthesizer: ...


class BlockSink(Protocol):
    """A file that takes the session's sound; raises VoicebotError when it cannot go on."""

    def write(self, block: Block) -> None: ...


class Clock(Protocol):
    """The clock of a sound card that plays recordings instead of a microphone.

    `fast`: it does not keep real time, so it can stand still while a model works.
    """

    fast: bool

    def hold(self) -> None:
        """Stop the clock."""

    def release(self) -> None:
        """Let the clock go on."""

    def next_recording(self) -> None:
        """The program is ready for the next recording, if the one before is over."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a session needs to know besides its devices and providers.

    `turns`: end after that many; 0 is no limit. `clock`: where recordings stand for a microphone,
    what holds and releases them. `turn_detector`: what judges the user's pauses, if anything.
    `past`: the conversation that is taken up again.
    `echo`: the microphone hears the loudspeaker. `prompter`: when the assistant speaks unasked.
    """

    turn: TurnSettings
    system_prompt: str
    backend: str
    turns: int = 0
    apology: str = APOLOGY
    clock: Clock | None = None
    turn_detector: TurnDetector | None = None
    past: tuple[PastTurn, ...] = ()
    echo: bool = False
    prompter: PrompterSettings = NEVER


class Session:
    """One conversation over one sound card with one set of providers."""

    def __init__(
        self,
        card: SoundCard,
        providers: Providers,
        log: EventLog,
        settings: SessionSettings,
        sinks: Sequence[BlockSink] = (),
        detector: Detector | None = None,
    ) -> None:
        self._card = card
        self._log = log
        self._settings = settings
        self._sinks = list(sinks)
        self._machine = TurnMachine(settings.turn, settings.turns, settings.prompter)
        far_end = FarEnd(card.rate, EchoCanceller()) if settings.echo else None
        self._hearing = Hearing(card.rate, detector or VoiceActivity(), far_end)
        self._scoring = None
        if settings.turn_detector is not None:
            every_s = settings.turn.score_every_s
            self._scoring = Scoring(
                settings.turn_detector, every_s, self._hearing.sound, self.observe
            )
        self._recognizing = Recognizing(
            providers.recognizer, self._hearing, self.observe, self._pace
        )
        self._chat = ReadingAhead(providers.chat)
        voice = Voice(providers.synthesizer, card.playout, card.rate, settings.turn.draft_s)
        self._speaking = Speaking(self._chat, voice, self.observe, self._pace)
        self._conversation = Conversation(settings.system_prompt, settings.past)
        self._pending: deque[Observation] = deque()
        self._turns: dict[int, TurnNotes] = {}
        self._tasks = anyio.create_task_group()

    async def run(self) -> None:
        """Hold the conversation until it ends; cancelling ends it at once.

        Raises DeviceError when the sound card cannot be opened. Failures of providers and of the
        recording become events, and the conversation goes on.
        """
        async with self._card.open() as blocks, self._tasks:
            started = SessionStarted(self._card.name, self._card.rate, self._settings.backend)
            self.observe(started)
            if self._settings.turn.read_ahead:
                self._tasks.start_soon(self._chat.run)
            async for block in blocks:
                if isinstance(block, CardNotice):
                    self._on_notice(block)
                else:
                    self._on_block(block)

    def type(self, text: str) -> None:
        """The user typed a whole turn."""
        self.observe(UserTyped(text))

    def press(self) -> None:
        """The user pressed the key to talk."""
        self.observe(TalkPressed())

    def release(self) -> None:
        """The user let go of it."""
        self.observe(TalkReleased())

    def end_input(self) -> None:
        """Nothing more will be said or typed: the session ends when the present turn is over."""
        self.observe(InputEnded(self._hearing.position))

    def observe(self, event: Observation) -> None:
        """Log `event`, ask the turn machine, and carry out what it decides, in order.

        What is observed meanwhile, by the carrying out, waits until all of that is done.
        """
        self._pending.append(event)
        if len(self._pending) > 1:
            return
        while self._pending:
            event = self._pending[0]
            self._log.append(event)
            for decision in self._machine.handle(event):
                self._log.append(decision)
                self._carry_out(decision)
            if isinstance(event, Transcribed):
                self._read_ahead()
            self._pending.popleft()
        self._pace()

    # --- the sound card's clock ---

    def _on_block(self, block: Block) -> None:
        self._record(block)
        if block.lost:
            self.observe(AudioLost(block.position - block.lost, block.lost))
            silence = np.zeros(block.lost, np.float32)
            self._hear(silence, silence)
        # What this block played is a fact before what it heard can decide anything.
        self._speaking.on_block(block)
        self._hear(block.heard, block.played.samples)
        if block.end_of_input:
            self.end_input()
        self._pace()

    def _hear(self, heard: Samples, played: Samples) -> None:
        try:
            for voice in self._hearing.push(heard, played):
                self.observe(voice)
                if self._scoring is not None:
                    self._scoring.push(self._machine.silence_s, voice.position, self._tasks)
        except anyio.WouldBlock:
            self._recognizing.stop(self._machine.turn)
            message = "the recognizer is too far behind the microphone"
            self._recognizing.fail(self._machine.turn, self._machine.part, message)

    def _record(self, block: Block) -> None:
        for sink in list(self._sinks):
            try:
                sink.write(block)
            except VoicebotError as error:
                self._sinks.remove(sink)
                self.observe(RecordingFailed(error.message))

    def _on_notice(self, notice: CardNotice) -> None:
        if notice.lost:
            self.observe(CardLost(notice.name, notice.message))
        else:
            self.observe(CardBack(notice.name))

    def _pace(self) -> None:
        """The clock may rest while nobody speaks; one that plays recordings goes on to the next,
        and one that does not keep real time waits for the models."""
        nobody_speaks = self._machine.state is State.IDLE and self._machine.quiet
        self._card.rest(nobody_speaks)
        gate = self._settings.clock
        if gate is None:
            return
        if nobody_speaks:
            gate.next_recording()
        deciding = self._machine.waiting
        behind = self._hearing.backlog > MOST_BACKLOG
        scoring = self._scoring is not None and self._scoring.busy
        if gate.fast and (deciding or behind or scoring or self._speaking.starving):
            gate.hold()
        else:
            gate.release()

    # --- what decisions do ---

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case SpeechStarted():
                self._recognizing.begin(decision, self._tasks)
                if decision.part == 0 and self._scoring is not None:
                    self._scoring.begin(decision.turn, decision.audio_from)
                self._read_ahead()
            case SpeechEnded():
                self._recognizing.end_part()
                turn = self._of(decision.turn)
                turn.speech_end = self._hearing.last_audible(decision.decided_at)
            case TurnDiscarded():
                self._recognizing.stop(decision.turn)
                self._report_speculation(decision.turn)
                self._turns.pop(decision.turn, None)
            case ReplyDrafted():
                self._of(decision.turn).drafts += 1
                self._answer(decision, held=True)
            case TurnCommitted():
                self._commit(decision)
            case TurnPrompted():
                self._prompt(decision)
            case Apologized():
                self._apologize(decision)
            case ReplyPaused():
                self._speaking.pause()
            case ReplyResumed():
                self._speaking.resume()
            case ReplyStopped():
                self._stop_reply(decision)
            case TurnFinished():
                self._finish_turn(decision)
            case SessionEnded():
                self._tasks.cancel_scope.cancel()

    def _of(self, turn: int) -> TurnNotes:
        return self._turns.setdefault(turn, TurnNotes(turn))

    def _answer(self, decision: ReplyDrafted | TurnCommitted, *, held: bool) -> None:
        reply = self._speaking.begin(decision.turn, decision.revision, held=held)
        messages = self._conversation.with_user(decision.text)
        self._tasks.start_soon(self._speaking.answer, reply, messages)

    def _commit(self, decision: TurnCommitted) -> None:
        turn = self._of(decision.turn)
        turn.user = decision.text
        turn.right = self._speaking.release(decision.turn, decision.revision)
        if not turn.right:
            self._answer(decision, held=False)

    def _stop_reply(self, decision: ReplyStopped) -> None:
        turn, reply = self._of(decision.turn), self._speaking.reply
        if reply is not None and (reply.held or decision.reason == "resumed"):
            turn.waste(reply)
        turn.stopped(decision.reason, self._speaking.stop())

    def _read_ahead(self) -> None:
        """Let the chat model read what the user has said so far and is likely to leave so."""
        if self._settings.turn.read_ahead and self._machine.state is State.HEARING:
            turn = self._of(self._machine.turn)
            stable = turn.stable.push(self._machine.said)
            if stable != turn.read:
                turn.read = stable
                self._chat.want(self._conversation.with_user(stable))

    def _prompt(self, decision: TurnPrompted) -> None:
        reply = self._speaking.begin(decision.turn, decision.revision)
        if decision.text:
            self._tasks.start_soon(self._speaking.say, reply, decision.text)
        else:
            messages = self._conversation.with_user(decision.instruction)
            self._tasks.start_soon(self._speaking.answer, reply, messages)

    def _apologize(self, decision: Apologized) -> None:
        reply = self._speaking.begin(decision.turn, decision.revision)
        if decision.stage == "synthesizer":
            self._speaking.silent(reply, self._settings.apology)
        else:
            self._tasks.start_soon(self._speaking.say, reply, self._settings.apology)

    def _finish_turn(self, decision: TurnFinished) -> None:
        turn = self._of(decision.turn)
        recorded = turn.recorded(self._speaking.reply, decision.outcome)
        if decision.outcome != "failed":
            interrupted = decision.outcome == "interrupted"
            self._conversation.remember(turn.user, recorded.heard, interrupted=interrupted)
        self._report_speculation(decision.turn)
        self._log.append(recorded)
        self._turns.pop(decision.turn)

    def _report_speculation(self, turn: int) -> None:
        speculated = self._of(turn).speculated(self._card.rate)
        if speculated is not None:
            self._log.append(speculated)
