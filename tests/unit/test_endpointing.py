"""The turn machine in one pause, with any evidence at any time: it ends within the limits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_turn_machine import SETTINGS, WINDOW, Talk
from voicebot_local.events import SpeechEnded, Transcribed, TurnCommitted, TurnScored
from voicebot_local.providers.base import RECOGNIZER_RATE
from voicebot_local.turns.machine import TurnMachine

TEXTS = st.sampled_from(["stop", "and", "what is the time", "well um", "turn it on", "a blue boat"])
EVIDENCE = st.one_of(
    st.tuples(st.just("words"), TEXTS),
    st.tuples(st.just("score"), st.floats(0, 1)),
    st.tuples(st.just("late score"), st.floats(0, 1)),
)
WINDOW_S = WINDOW / RECOGNIZER_RATE


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 70), EVIDENCE), max_size=12), TEXTS)
def test_any_evidence_ends_the_turn_once_and_within_the_limits(
    evidence: list[tuple[int, tuple[str, object]]], final: str
) -> None:
    t = Talk(TurnMachine(SETTINGS))
    t.speak(1)
    spoken_to = t.position
    answered: set[int] = set()
    over_at = 0
    for window in range(80):
        for at, (kind, value) in evidence:
            if at != window:
                continue
            match kind, value:
                case "words", str(text):
                    t.see(Transcribed(1, t.machine.part, text, is_final=False))
                case "score", float(probability):
                    t.see(TurnScored(1, "smart-turn", probability, t.position))
                case _, float(probability):
                    t.see(TurnScored(1, "recognizer", probability, spoken_to))
        t.pause(WINDOW_S)
        for ended in [d for d in t.made if isinstance(d, SpeechEnded)]:
            if ended.part not in answered:
                answered.add(ended.part)
                t.final(1, ended.part, final)
        if not over_at and any(isinstance(d, TurnCommitted) for d in t.made):
            over_at = t.position
    assert sum(isinstance(d, TurnCommitted) for d in t.made) == 1
    waited_s = (over_at - spoken_to) / RECOGNIZER_RATE
    assert SETTINGS.least_silence_s <= waited_s <= SETTINGS.most_silence_s + WINDOW_S
