"""The recognizer's side of a session: each part that is heard becomes transcripts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from voicebot_local.errors import VoicebotError
from voicebot_local.events import Observation, SpeechStarted, StageFailed, Transcribed, TurnScored
from voicebot_local.hearing import Hearing
from voicebot_local.providers.base import Recognizer, Samples


class Recognizing:
    """Lets the recognizer hear one part after another, and observes what it says of them."""

    def __init__(
        self,
        recognizer: Recognizer,
        hearing: Hearing,
        observe: Callable[[Observation], None],
        progress: Callable[[], None],
    ) -> None:
        """`progress` is called when the recognizer has taken sound."""
        self._recognizer = recognizer
        self._hearing = hearing
        self._observe = observe
        self._progress = progress
        self._scopes: dict[tuple[int, int], anyio.CancelScope] = {}
        self._one_at_a_time = anyio.Lock()

    def begin(self, decision: SpeechStarted, tasks: anyio.abc.TaskGroup) -> None:
        """The part is being heard from now on; a part that it replaces is left."""
        if decision.again and (scope := self._scopes.get((decision.turn, decision.part - 1))):
            scope.cancel()
        audio = self._hearing.begin_part(decision.audio_from)
        scope = self._scopes[decision.turn, decision.part] = anyio.CancelScope()
        tasks.start_soon(self._recognize, decision.turn, decision.part, audio, scope)

    def end_part(self) -> None:
        """The part that is being heard is over."""
        self._hearing.end_part()

    def stop(self, turn: int) -> None:
        """Nothing more is to be known of what was said in this turn."""
        self._hearing.end_part()
        for (number, _), scope in self._scopes.items():
            if number == turn:
                scope.cancel()

    def fail(self, turn: int, part: int, message: str) -> None:
        """Observe that a part will have no transcript."""
        self._observe(StageFailed(turn, part, "recognizer", message))

    async def _recognize(
        self,
        turn: int,
        part: int,
        audio: MemoryObjectReceiveStream[Samples],
        scope: anyio.CancelScope,
    ) -> None:
        """Observe the transcripts of one part; exactly one final one or one failure."""
        with scope, audio:
            try:
                taken = self._taken(audio)
                async with self._one_at_a_time, self._recognizer.transcribe(taken) as transcripts:
                    async for said in transcripts:
                        self._observe(
                            Transcribed(
                                turn, part, said.text, said.is_final, said.words, said.confidence
                            )
                        )
                        if said.end_of_turn is not None and not said.is_final:
                            self._observe_score(turn, said.end_of_turn)
            except VoicebotError as error:
                self.fail(turn, part, error.message)
        self._scopes.pop((turn, part), None)

    def _observe_score(self, turn: int, probability: float) -> None:
        position = self._hearing.position
        self._observe(TurnScored(turn, "recognizer", round(probability, 4), position))

    async def _taken(self, audio: MemoryObjectReceiveStream[Samples]) -> AsyncIterator[Samples]:
        """The audio of a part; a clock that waits for the recognizer learns what it has taken."""
        async for samples in audio:
            self._progress()
            yield samples
