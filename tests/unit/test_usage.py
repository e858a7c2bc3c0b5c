"""What hosted providers used: whose turn it was, and the sum of it."""

from __future__ import annotations

from voicebot_local.events import Entry, Event, SpeechStarted, TurnCommitted, UsageReported
from voicebot_local.usage import Usage


def logged(usage: Usage, *events: Event) -> None:
    for number, event in enumerate(events):
        usage(Entry(number, 0.0, event))


def test_a_usage_belongs_to_the_turn_its_stage_works_on() -> None:
    usage = Usage()
    assert usage.of_turn(UsageReported("chat", "openai")).turn == 0
    logged(usage, SpeechStarted(1, 0, 0, 0), TurnCommitted(1, 0, "a"), SpeechStarted(2, 0, 0, 0))
    assert usage.of_turn(UsageReported("recognizer", "assemblyai")).turn == 2
    assert usage.of_turn(UsageReported("chat", "openai")).turn == 1
    assert usage.of_turn(UsageReported("synthesizer", "cartesia")).turn == 1


def test_the_sum_is_told_in_one_line() -> None:
    usage = Usage()
    assert usage.summary() == ""
    logged(
        usage,
        UsageReported("chat", "openai", 1, input_tokens=10, output_tokens=5, cost_usd=0.25),
        UsageReported(
            "chat", "openai", 2, input_tokens=20, output_tokens=5, cost_usd=0.5, estimated=True
        ),
        UsageReported("synthesizer", "elevenlabs", 2, characters=100, cost_usd=0.25),
    )
    assert usage.cost_usd == 1.0
    assert usage.summary() == (
        "Hosted: openai about 30 tokens read, about 10 written; elevenlabs 100 characters. "
        "By the configured prices about $1.0000."
    )
