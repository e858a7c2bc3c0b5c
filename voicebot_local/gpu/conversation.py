"""A conversation as load on the device: what a simulated user's turns ask of the three engines.

Each engine is a client of the broker with a row of steps to do; what it may do next depends on what
the others have done: no speech without text, no text before the turn is over, no more audio than
the playout buffer holds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from voicebot_local.gpu.queue import Outlook, Tenant

TTS_TOKEN_S = 1024 / 22_050
"""Audio in one GPT token of XTTS (s)."""
TEXT_TOKEN_S = 0.27
"""Speech in one token of the chat model's text: about 220 tokens a minute (s)."""
ASR_CHUNK_S = 0.16
PLAYOUT_BUFFER_S = 2.0
FIRST_CLAUSE_TOKENS = 10
CLAUSE_TOKENS = 22
FIRST_WINDOW_TOKENS = 10
WINDOW_TOKENS = 20
PREFILL_SLICE = 128
TINY_S = 1e-9
"""Moments this close are the same, whatever the arithmetic says (s)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds on the device of each kind of step."""

    asr_chunk: float
    llm_prefill: float
    llm_token: float
    tts_prefill: float
    tts_token: float
    tts_window: float


@dataclass(slots=True)
class Measured:
    """What conversations met with (s). `stalled_turns` have a gap in their reply or several."""

    first_audio_s: list[float] = field(default_factory=list)
    asr_delay_s: list[float] = field(default_factory=list)
    underrun_s: list[float] = field(default_factory=list)
    stalled_turns: int = 0


class Conversation:
    """One user's turns, one after the other; `ready`, `run` and `outlook` are asked as time goes.

    A turn: the user speaks for 2 to 4 s, the recognizer gets a chunk each 160 ms; 0.3 s later the
    turn is over; the reply has 30 to 90 tokens in clauses, and is spoken as it comes. The next turn
    begins 0.3 to 1 s after the reply has been heard.
    """

    def __init__(self, number: int, costs: Costs, measured: Measured, seed: int) -> None:
        self.number = number
        self._costs = costs
        self._measured = measured
        self._dice = random.Random(seed)  # noqa: S311 (the same users for every policy)
        self._begin_turn(self._dice.uniform(0, 3))

    def _begin_turn(self, now: float) -> None:
        self._speech_from = now
        self._speech_to = now + self._dice.uniform(2, 4)
        self._chunks_done = 0
        self._chunks = math.ceil((self._speech_to - now) / ASR_CHUNK_S)
        self._over_at = self._speech_to + 0.3
        new_tokens = 30 + round((self._speech_to - now) * 4)
        self._slices_left = math.ceil(new_tokens / PREFILL_SLICE)
        self._reply_tokens = self._dice.randint(30, 90)
        self._text = 0
        self._spoken_clauses = 0
        self._clause_tokens_left = 0
        self._unvoiced = 0
        self._made_s = 0.0
        self._audio_from: float | None = None
        self._stalled_s = 0.0
        self._ready_since: dict[Tenant, float] = {}

    # --- what can be done now ---

    def ready(self, tenant: Tenant, now: float) -> float | None:
        """Since when this tenant has a step to do; None while it has none."""
        since = self._since(tenant, now)
        if since is None:
            self._ready_since.pop(tenant, None)
            return None
        return self._ready_since.setdefault(tenant, since)

    def _since(self, tenant: Tenant, now: float) -> float | None:
        if tenant == "asr":
            arrives = self._speech_from + (self._chunks_done + 1) * ASR_CHUNK_S
            return arrives if self._chunks_done < self._chunks and arrives <= now + TINY_S else None
        if now < self._over_at or self._chunks_done < self._chunks:
            return None
        if tenant == "llm":
            return now if self._slices_left or self._text < self._reply_tokens else None
        if self._unvoiced >= self._window_size() or (self._unvoiced and self._clause_is_over()):
            return now
        if self._buffered(now) > PLAYOUT_BUFFER_S + TINY_S:
            return None
        has_text = self._clause_tokens_left or self._clauses_written() > self._spoken_clauses
        return now if has_text else None

    def wakes_at(self, now: float) -> float:
        """When something becomes ready by the passing of time alone."""
        moments = [self._over_at]
        if self._chunks_done < self._chunks:
            moments.append(self._speech_from + (self._chunks_done + 1) * ASR_CHUNK_S)
        if self._audio_from is not None:
            moments.append(self._heard_until() - PLAYOUT_BUFFER_S)
            if self._finished():
                moments.append(self._heard_until())
        return min((moment for moment in moments if moment > now), default=math.inf)

    def tick(self, now: float) -> None:
        """Begin the next turn once the reply has been heard."""
        if self._finished() and now >= self._heard_until() - TINY_S:
            self._begin_turn(now + self._dice.uniform(0.3, 1.0))

    def outlook(self, now: float) -> Outlook:
        """When this conversation's reply will be audibly late."""
        if self._audio_from is None:
            audio = None
            text = None if self._clauses_written() == 0 else now + self._text_ahead_s()
        else:
            audio = max(self._heard_until(), now)
            text = audio + self._text_ahead_s()
        if self._text >= self._reply_tokens:
            text = math.inf
        return Outlook(audio, text)

    def outlook_moves_at(self, now: float) -> float:
        """From when on the deadlines move as time goes, without anything else happening."""
        if self._audio_from is not None:
            return self._heard_until()
        return now if self._clauses_written() else math.inf

    # --- doing it ---

    def step(self, tenant: Tenant, now: float) -> float:
        """Begin one step; returns its cost on the device (s)."""
        if tenant == "asr":
            arrived = self._speech_from + (self._chunks_done + 1) * ASR_CHUNK_S
            self._measured.asr_delay_s.append(now - arrived)
            return self._costs.asr_chunk
        if tenant == "llm":
            return self._costs.llm_prefill if self._slices_left else self._costs.llm_token
        if self._voices():
            return self._costs.tts_window
        return self._costs.tts_token if self._clause_tokens_left else self._costs.tts_prefill

    def done(self, tenant: Tenant, now: float) -> None:
        """The step has ended."""
        self._ready_since.pop(tenant, None)
        if tenant == "asr":
            self._chunks_done += 1
        elif tenant == "llm":
            if self._slices_left:
                self._slices_left -= 1
            else:
                self._text += 1
        elif self._voices():
            self._voice(now)
        elif not self._clause_tokens_left:
            tokens = self._clause_length(self._spoken_clauses)
            self._clause_tokens_left = max(1, round(tokens * TEXT_TOKEN_S / TTS_TOKEN_S))
            self._spoken_clauses += 1
        else:
            self._clause_tokens_left -= 1
            self._unvoiced += 1

    def _voices(self) -> bool:
        return self._unvoiced >= self._window_size() or (
            self._unvoiced > 0 and self._clause_is_over()
        )

    def _voice(self, now: float) -> None:
        if self._audio_from is None:
            self._audio_from = now
            self._measured.first_audio_s.append(now - self._over_at)
        elif now > self._heard_until():
            late_s = now - self._heard_until()
            self._measured.underrun_s.append(late_s)
            self._measured.stalled_turns += not self._stalled_s
            self._stalled_s += late_s
        self._made_s += self._unvoiced * TTS_TOKEN_S
        self._unvoiced = 0

    # --- where things stand ---

    def _window_size(self) -> int:
        return FIRST_WINDOW_TOKENS if self._audio_from is None else WINDOW_TOKENS

    def _clause_is_over(self) -> bool:
        return not self._clause_tokens_left

    def _heard_until(self) -> float:
        return (self._audio_from or 0.0) + self._made_s + self._stalled_s

    def _buffered(self, now: float) -> float:
        return 0.0 if self._audio_from is None else self._heard_until() - now

    def _clause_start(self, clause: int) -> int:
        return 0 if clause == 0 else FIRST_CLAUSE_TOKENS + (clause - 1) * CLAUSE_TOKENS

    def _clause_length(self, clause: int) -> int:
        end = min(self._clause_start(clause + 1), self._reply_tokens)
        return end - self._clause_start(clause)

    def _clauses(self) -> int:
        return 1 + math.ceil(max(0, self._reply_tokens - FIRST_CLAUSE_TOKENS) / CLAUSE_TOKENS)

    def _clauses_written(self) -> int:
        if self._text >= self._reply_tokens:
            return self._clauses()
        if self._text < FIRST_CLAUSE_TOKENS:
            return 0
        return 1 + (self._text - FIRST_CLAUSE_TOKENS) // CLAUSE_TOKENS

    def _text_ahead_s(self) -> float:
        """Speech in the text that is written and not spoken yet (s)."""
        written = self._clause_start(self._clauses_written())
        unspoken = written - self._clause_start(self._spoken_clauses)
        pending_s = (self._clause_tokens_left + self._unvoiced) * TTS_TOKEN_S
        return max(0, unspoken) * TEXT_TOKEN_S + pending_s

    def _finished(self) -> bool:
        return (
            self._text >= self._reply_tokens
            and self._spoken_clauses >= self._clauses()
            and not self._clause_tokens_left
            and not self._unvoiced
        )
