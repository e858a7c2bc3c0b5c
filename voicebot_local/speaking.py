"""The loudspeaker's side of a session: a reply's text becomes clauses, speech and playout."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import numpy as np
from anyio.streams.memory import MemoryObjectSendStream

from voicebot_local.audio.card import Block
from voicebot_local.audio.level import LevelMeter
from voicebot_local.audio.playout import Played, Playout
from voicebot_local.audio.resample import Resampler
from voicebot_local.errors import VoicebotError
from voicebot_local.events import (
    ClauseReady,
    Observation,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutStarted,
    PlayoutUnderrun,
    ReplyText,
    ReplyTextEnded,
    SpeechProduced,
    Stage,
    StageFailed,
)
from voicebot_local.providers.base import (
    ChatModel,
    Message,
    Samples,
    SpokenAudio,
    Stream,
    Synthesizer,
    TextDelta,
    Word,
)
from voicebot_local.text.clauses import ClauseSplitter
from voicebot_local.text.spoken import spoken
from voicebot_local.turns.heard import SpokenReply

CLAUSES_AHEAD = 8
"""Clauses that may wait for the synthesizer; the chat model waits when there are more."""


class Ticks:
    """Lets tasks wait for the next tick of the sound card's clock."""

    def __init__(self) -> None:
        self._next = anyio.Event()

    def tick(self) -> None:
        """The clock ticked."""
        self._next.set()
        self._next = anyio.Event()

    async def wait(self) -> None:
        """Wait for the next tick."""
        await self._next.wait()


@dataclass(slots=True)
class Reply:
    """One revision of a reply, while it is prepared and played.

    `number` is its number in the playout buffer and `written` counts its samples there; `started`
    and `audible_from` are positions on the card's clock. A draft is `held`: nothing of it is heard
    yet. `pieces` counts those of its text, `made` the samples of its speech.
    """

    turn: int
    revision: int
    speech: SpokenReply
    number: int
    held: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    pieces: int = 0
    made: int = 0
    written: int = 0
    producing: bool = True
    started: int | None = None
    audible_from: int | None = None
    played: int = 0
    underrun: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """What speaks: the synthesizer, and the buffer of a sound card at `rate` Hz.

    A draft is prepared up to `draft_s` seconds of speech and no further.
    """

    synthesizer: Synthesizer
    playout: Playout
    rate: int
    draft_s: float


class Speaking:
    """Prepares one reply at a time, writes it to the playout buffer as there is room, and watches
    what becomes of it on the sound card's clock."""

    def __init__(
        self,
        chat: ChatModel,
        voice: Voice,
        observe: Callable[[Observation], None],
        progress: Callable[[], None],
    ) -> None:
        """`progress` is called when there is more to play, and when nothing more will come."""
        self.reply: Reply | None = None
        self._chat = chat
        self._synthesizer = voice.synthesizer
        self._playout = voice.playout
        self._rate = voice.rate
        self._draft = round(voice.draft_s * voice.rate)
        self._observe = observe
        self._progress = progress
        self._level = LevelMeter(voice.rate)
        self._ticks = Ticks()
        self._one_at_a_time = anyio.Lock()

    @property
    def starving(self) -> bool:
        """True while a reply is being prepared and the loudspeaker has next to nothing to play."""
        reply = self.reply
        return (
            reply is not None
            and reply.producing
            and not reply.scope.cancel_called
            and self._playout.waiting < self._rate // 10
        )

    def begin(self, turn: int, revision: int, *, held: bool = False) -> Reply:
        """A new reply begins; what was left of another is dropped. `held`: as a draft."""
        number = self._playout.begin(held=held)
        self.reply = Reply(turn, revision, SpokenReply(self._rate), number, held)
        return self.reply

    def release(self, turn: int, revision: int) -> bool:
        """Let the draft with this tag be heard from the next block on; False without one."""
        reply = self.reply
        if reply is None or not reply.held or (reply.turn, reply.revision) != (turn, revision):
            return False
        reply.held = False
        self._playout.release(reply.number)
        return True

    def pause(self) -> None:
        """Let the reply fade and stand still, and observe what is left of it."""
        reply = self.reply
        if reply is not None:
            self._playout.pause(reply.number)
            left_s = round(self._playout.waiting / self._rate, 3)
            complete = not reply.producing
            self._observe(PlayoutPaused(reply.turn, reply.revision, left_s, complete))

    def resume(self) -> None:
        """Let the paused reply go on with its next sample."""
        if self.reply is not None:
            self._playout.resume(self.reply.number)

    def stop(self) -> str:
        """Stop the present reply: the next block is silent. Returns the words that were heard."""
        played = self._playout.flush()
        if self.reply is None:
            return ""
        self.reply.held = False
        self.reply.scope.cancel()
        return self.reply.speech.heard(played)

    def silent(self, reply: Reply, text: str) -> None:
        """The reply is `text`, but nothing can speak it: it is over on the next tick."""
        reply.speech.add_clause(text)
        reply.producing = False
        self._playout.close(reply.number)

    def on_block(self, block: Block) -> None:
        """The clock ticked: observe what was played of the present reply."""
        played = block.played
        if block.lost:  # What was played meanwhile is not known; the meter keeps the clock.
            self._level.push(np.zeros(block.lost, np.float32))
        self._level.push(played.samples)
        reply = self.reply
        if reply is not None and played.reply == reply.number and not reply.finished:
            self._watch(reply, block.position, played)
        self._ticks.tick()

    def _watch(self, reply: Reply, position: int, played: Played) -> None:
        tag = (reply.turn, reply.revision)
        end = position + len(played.samples)
        if reply.started is None and played.reply_played:
            reply.started = position
            self._observe(PlayoutStarted(*tag, position))
        if reply.started is not None and reply.audible_from is None:
            reply.audible_from = self._level.first_audible(reply.started)
        if played.reply_played > reply.played and played.underrun > reply.underrun:
            silence = played.underrun - reply.underrun
            self._observe(PlayoutUnderrun(*tag, end, silence))
            reply.underrun = played.underrun
        reply.played = played.reply_played
        if played.finished and not reply.scope.cancel_called:
            reply.finished = True
            self._observe(PlayoutFinished(*tag, end, played.reply_played))

    async def answer(self, reply: Reply, messages: Sequence[Message]) -> None:
        """Let the chat model reply to `messages` and speak it."""
        await self._run(reply, self._chat.reply(messages))

    async def say(self, reply: Reply, text: str) -> None:
        """Speak a fixed text."""
        await self._run(reply, _fixed(text))

    async def _run(self, reply: Reply, text: Stream[TextDelta]) -> None:
        """Returns when all audio is in the playout buffer; a failure becomes an observation."""
        with reply.scope:
            async with self._one_at_a_time:
                await self._produce(reply, text)
            self._playout.close(reply.number)
            reply.producing = False
            self._progress()

    async def _produce(self, reply: Reply, text: Stream[TextDelta]) -> None:
        send, receive = anyio.create_memory_object_stream[str](CLAUSES_AHEAD)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, reply, text, send)
            try:
                async with receive, self._synthesizer.speak(receive) as audio:
                    await self._play(reply, audio)
            except VoicebotError as error:
                self._fail(reply, "synthesizer", error)

    def _fail(self, reply: Reply, stage: Stage, error: VoicebotError) -> None:
        reply.scope.cancel()
        self._observe(StageFailed(reply.turn, reply.revision, stage, error.message))

    async def _write(
        self, reply: Reply, text: Stream[TextDelta], clauses: MemoryObjectSendStream[str]
    ) -> None:
        splitter = ClauseSplitter()
        async with clauses:
            try:
                async with text as deltas:
                    async for delta in deltas:
                        reply.pieces += 1
                        self._observe(ReplyText(reply.turn, reply.revision, delta.text))
                        await self._hand_on(reply, splitter.push(delta.text), clauses)
            except VoicebotError as error:
                self._fail(reply, "chat", error)
                return
            self._observe(ReplyTextEnded(reply.turn, reply.revision))
            await self._hand_on(reply, splitter.finish(), clauses)

    async def _hand_on(
        self, reply: Reply, parts: Sequence[str], clauses: MemoryObjectSendStream[str]
    ) -> None:
        for part in parts:
            aloud = spoken(part)
            number = reply.speech.add_clause(part)
            self._observe(ClauseReady(reply.turn, reply.revision, number, part, aloud))
            # A synthesizer that failed has closed its end; its own failure is what counts.
            with suppress(anyio.BrokenResourceError):
                await clauses.send(aloud)

    async def _play(self, reply: Reply, audio: AsyncIterator[SpokenAudio]) -> None:
        resampler = Resampler(self._synthesizer.sample_rate, self._rate)
        clause = 0
        async for chunk in audio:
            clause = chunk.clause
            await self._hand_over(reply, clause, resampler.push(chunk.samples), chunk.words)
        await self._hand_over(reply, clause, resampler.finish())
        reply.speech.finish_audio()

    async def _hand_over(
        self, reply: Reply, clause: int, samples: Samples, words: tuple[Word, ...] = ()
    ) -> None:
        """The clause has this much more audio: note it, and write it as there is room."""
        start = reply.written
        reply.made += len(samples)
        if len(samples) or words:
            reply.speech.add_audio(clause, start, len(samples), words)
            self._observe(SpeechProduced(reply.turn, reply.revision, clause, start, len(samples)))
        await self._put(reply, samples)

    async def _put(self, reply: Reply, samples: Samples) -> None:
        """Write `samples` to the playout buffer as there is room for them."""
        while len(samples):
            room = self._playout.space
            if reply.held:
                room = max(0, min(room, self._draft - self._playout.waiting))
            now = samples[:room]
            self._playout.write(reply.number, now)
            reply.written += len(now)
            self._progress()
            samples = samples[len(now) :]
            if len(samples):
                await self._ticks.wait()


@asynccontextmanager
async def _fixed(text: str) -> AsyncIterator[AsyncIterator[TextDelta]]:
    async def deltas() -> AsyncIterator[TextDelta]:
        yield TextDelta(text)

    yield deltas()
