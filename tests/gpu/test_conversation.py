"""A simulated conversation: what can be done when, and what is measured."""

from __future__ import annotations

import math

import pytest

from voicebot_local.gpu.conversation import (
    ASR_CHUNK_S,
    FIRST_CLAUSE_TOKENS,
    FIRST_WINDOW_TOKENS,
    PLAYOUT_BUFFER_S,
    TTS_TOKEN_S,
    Conversation,
    Costs,
    Measured,
)
from voicebot_local.gpu.queue import TENANTS, Outlook, Tenant

COSTS = Costs(0.01, 0.02, 0.008, 0.012, 0.009, 0.006)


class Talk:
    """A conversation alone on a device, step by step."""

    def __init__(self, seed: int = 1) -> None:
        self.measured = Measured()
        self.it = Conversation(0, COSTS, self.measured, seed)
        self.now = 0.0

    def ready(self) -> set[Tenant]:
        return {tenant for tenant in TENANTS if self.it.ready(tenant, self.now) is not None}

    def wait(self) -> None:
        """Let time pass until something can be done."""
        while not self.ready():
            self.now = self.it.wakes_at(self.now)
            assert self.now < math.inf
            self.it.tick(self.now)

    def do(self, tenant: Tenant) -> float:
        assert tenant in self.ready()
        cost = self.it.step(tenant, self.now)
        self.now += cost
        self.it.done(tenant, self.now)
        return cost

    def listen(self) -> int:
        """All of the user's speech; how many chunks."""
        chunks = 0
        self.wait()
        while self.ready() == {"asr"}:
            self.do("asr")
            chunks += 1
            self.wait()
        return chunks


def test_a_chunk_each_160_ms_then_the_reply() -> None:
    talk = Talk()
    talk.wait()
    first = talk.now
    chunks = talk.listen()
    assert 2 / ASR_CHUNK_S <= chunks <= 4 / ASR_CHUNK_S + 1
    assert talk.measured.asr_delay_s == pytest.approx([0.0] * chunks)
    # Chunks, and then the silence that tells that the turn is over.
    assert (chunks - 2) * ASR_CHUNK_S + 0.3 <= talk.now - first <= chunks * ASR_CHUNK_S + 0.3
    assert talk.ready() == {"llm"}
    assert talk.it.outlook(talk.now) == Outlook(None, None)


def test_nothing_is_spoken_before_the_first_clause_is_written() -> None:
    talk = Talk()
    talk.listen()
    assert talk.do("llm") == COSTS.llm_prefill
    for _ in range(FIRST_CLAUSE_TOKENS):
        assert talk.ready() == {"llm"}
        assert talk.do("llm") == COSTS.llm_token
    assert talk.ready() == {"llm", "tts"}
    outlook = talk.it.outlook(talk.now)
    assert outlook.audio_until is None
    assert outlook.text_until is not None
    assert outlook.text_until > talk.now


def test_the_first_audio_comes_after_the_first_window() -> None:
    talk = Talk()
    talk.listen()
    over = talk.now
    for _ in range(1 + FIRST_CLAUSE_TOKENS):
        talk.do("llm")
    costs = [talk.do("tts") for _ in range(2 + FIRST_WINDOW_TOKENS)]
    assert costs == [COSTS.tts_prefill, *[COSTS.tts_token] * FIRST_WINDOW_TOKENS, COSTS.tts_window]
    assert talk.measured.first_audio_s == pytest.approx([talk.now - over])
    assert talk.it.outlook(talk.now).audio_until == pytest.approx(
        talk.now + FIRST_WINDOW_TOKENS * TTS_TOKEN_S
    )
    assert talk.it.outlook_moves_at(talk.now) == talk.it.outlook(talk.now).audio_until


def spoken(talk: Talk, late_s: float = 0.0) -> None:
    """A whole turn, text before speech, with a pause of `late_s` after the first audio."""
    talk.listen()
    while "llm" in talk.ready():
        talk.do("llm")
    while not talk.measured.first_audio_s:
        talk.do("tts")
    talk.now += FIRST_WINDOW_TOKENS * TTS_TOKEN_S * bool(late_s) + late_s
    while talk.ready() != {"asr"}:
        talk.wait()
        if "tts" in talk.ready():
            buffered = talk.it.outlook(talk.now).audio_until
            assert buffered is not None
            assert buffered - talk.now <= PLAYOUT_BUFFER_S + 0.001 or talk.it.ready("tts", talk.now)
            talk.do("tts")


def test_a_turn_ends_once_it_has_been_heard_and_another_begins() -> None:
    talk = Talk()
    spoken(talk)
    assert talk.measured.underrun_s == []
    assert talk.measured.stalled_turns == 0
    assert talk.listen() > 10


def test_a_gap_is_counted_once_and_shifts_what_follows() -> None:
    talk = Talk()
    spoken(talk, late_s=0.5)
    assert talk.measured.stalled_turns == 1
    (gap_s,) = talk.measured.underrun_s
    # The next window had to be made first.
    assert 0.5 < gap_s < 0.5 + 20 * COSTS.tts_token + COSTS.tts_window + COSTS.tts_prefill


def test_late_audio_is_due_now() -> None:
    talk = Talk()
    talk.listen()
    while "llm" in talk.ready():
        talk.do("llm")
    while not talk.measured.first_audio_s:
        talk.do("tts")
    assert talk.it.outlook(talk.now + 5).audio_until == talk.now + 5
    assert talk.it.outlook(talk.now).text_until == math.inf
