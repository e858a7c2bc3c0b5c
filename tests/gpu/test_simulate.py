"""Conversations on one simulated card, under each policy."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import pytest

from voicebot_local.errors import InputError
from voicebot_local.events import DeviceSteps, Entry, Event, SessionStarted, SpeechProduced, to_json
from voicebot_local.gpu.conversation import TTS_TOKEN_S, Conversation, Costs, Measured
from voicebot_local.gpu.costs import read_costs, shipped_costs
from voicebot_local.gpu.plots import draw_conversations
from voicebot_local.gpu.queue import Policy
from voicebot_local.gpu.simulate import Outcome, conversations_held, percentile, simulate

SECONDS = 90.0
CARDS = tuple(shipped_costs())


@cache
def outcome(card: str, policy: Policy, conversations: int) -> Outcome:
    return simulate(shipped_costs()[card], policy, conversations, seconds=SECONDS)


def test_the_same_seed_gives_the_same_and_another_one_does_not() -> None:
    costs = shipped_costs()["rtx-4090"]
    first = outcome("rtx-4090", "slack", 2)
    assert simulate(costs, "slack", 2, seconds=SECONDS) == first
    assert simulate(costs, "slack", 2, seconds=SECONDS, seed=2) != first


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("conversations", [1, 2, 4])
def test_slack_is_never_worse_than_fifo(card: str, conversations: int) -> None:
    slack, fifo = outcome(card, "slack", conversations), outcome(card, "fifo", conversations)
    assert slack.turns >= fifo.turns > 0
    assert slack.first_audio_p95_s <= fifo.first_audio_p95_s
    assert slack.asr_delay_p95_s <= fifo.asr_delay_p95_s + 0.001
    if slack.busy < 0.85:  # On a card with more to do than it can, each has gaps of its own.
        assert slack.stalled_turns <= fifo.stalled_turns
        assert slack.underrun_s <= fifo.underrun_s


@pytest.mark.parametrize("card", CARDS)
def test_with_two_conversations_slack_is_a_quarter_better(card: str) -> None:
    slack, fifo = outcome(card, "slack", 2), outcome(card, "fifo", 2)
    assert slack.first_audio_p95_s <= 0.75 * fifo.first_audio_p95_s


@pytest.mark.parametrize(("card", "conversations"), [("rtx-4090", 2), ("h200", 2), ("h200", 4)])
def test_no_gaps_where_exclusive_has_them_or_waits(card: str, conversations: int) -> None:
    slack, exclusive = (outcome(card, p, conversations) for p in ("slack", "exclusive"))
    assert slack.underruns == 0
    assert exclusive.underruns or exclusive.first_audio_p95_s > slack.first_audio_p95_s


@pytest.mark.parametrize("policy", ["slack", "fifo", "exclusive"])
def test_the_device_does_not_rest_while_anybody_waits(policy: Policy) -> None:
    # Alone and with eight, the same costs: what one needs, times eight, is more than there is.
    assert outcome("rtx-4090", policy, 8).busy > 0.9
    assert outcome("rtx-4090", policy, 1).busy == pytest.approx(
        outcome("rtx-4090", "fifo", 1).busy, rel=0.1
    )


def test_a_free_device_answers_in_the_time_of_the_steps() -> None:
    costs = shipped_costs()["h200"]
    alone = outcome("h200", "slack", 1)
    steps_s = costs.llm_prefill + 10 * costs.llm_token
    steps_s += costs.tts_prefill + 10 * costs.tts_token + costs.tts_window
    assert steps_s <= alone.first_audio_p50_s <= steps_s + 2 * costs.llm_token


def test_free_steps_end() -> None:
    assert simulate(Costs(0, 0, 0, 0, 0, 0), "slack", 2, seconds=20).first_audio_p95_s < 1e-6


def test_how_many_a_card_holds() -> None:
    def run(number: int) -> Outcome:
        return outcome("rtx-4090", "slack", number)

    held = conversations_held(run)
    assert 2 <= held <= 6
    assert run(held).is_good
    assert not run(held + 1).is_good
    assert conversations_held(lambda _: outcome("h200", "slack", 1)) == 64


def test_no_turn_is_no_good_one() -> None:
    none = simulate(shipped_costs()["rtx-4090"], "slack", 1, seconds=1)
    assert none.turns == 0
    assert math.isnan(none.first_audio_p95_s)
    assert not none.is_good


def test_percentiles() -> None:
    assert [percentile([4.0, 1.0, 3.0, 2.0], share) for share in (0, 50, 75, 95)] == [1, 2, 3, 4]
    assert math.isnan(percentile([], 50))


def test_users_do_not_depend_on_the_policy() -> None:
    costs = shipped_costs()["h200"]
    talks = [Conversation(0, costs, Measured(), 7) for _ in range(2)]
    assert talks[0].wakes_at(0.0) == talks[1].wakes_at(0.0)


def test_a_picture(tmp_path: Path) -> None:
    outcomes = [
        ("h200", outcome("h200", policy, n)) for policy in ("slack", "fifo") for n in (1, 2)
    ]
    draw_conversations(outcomes, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


# --- costs ---------------------------------------------------------------------------------------


def spans(tenant: str, kind: str, *took: float) -> DeviceSteps:
    return DeviceSteps(tenant, 1, tuple((kind, 0.0, 1.0, 1.0 + value) for value in took))


ASR = spans("asr", "chunk", 0.01, 0.02, 0.5)
LLM = (spans("llm", "prefill", 0.1), spans("llm", "token", 0.03, 0.01))


def write_log(path: Path, *events: Event) -> Path:
    lines = [json.dumps(to_json(Entry(n, n / 10, event))) for n, event in enumerate(events)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_shipped_costs() -> None:
    costs = shipped_costs()
    assert CARDS == ("rtx-3060", "rtx-4090", "h200")
    assert costs["rtx-4090"].llm_token == pytest.approx(0.0078)


def test_costs_of_a_log_are_medians(tmp_path: Path) -> None:
    tts = (spans("tts", "token", 0.02, 0.02, 0.09), spans("tts", "vocoder", 0.07))
    file = write_log(tmp_path / "mine.jsonl", ASR, *LLM, *tts)
    (costs,) = read_costs(file).values()
    assert costs == Costs(*map(pytest.approx, (0.02, 0.1, 0.02, 0.0, 0.02, 0.07)))
    assert list(read_costs(file)) == ["mine"]


def test_costs_of_a_synthesizer_without_tokens(tmp_path: Path) -> None:
    session = SessionStarted("card", 24_000, "starter")
    made = SpeechProduced(1, 0, 0, 0, 24_000)
    file = write_log(
        tmp_path / "e.jsonl", session, ASR, *LLM, spans("tts", "block", 0.2, 0.3), made
    )
    costs = read_costs(file)["e"]
    assert costs.tts_token == pytest.approx(0.5 * TTS_TOKEN_S)
    assert costs.tts_window == 0.0


def test_costs_of_a_log_without_the_chat_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no step of the chat model"):
        read_costs(write_log(tmp_path / "e.jsonl", ASR, spans("tts", "block", 0.1)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "are empty"),
        ("[card]\nasr_chunk = 1", r"\[card\] in .* is no card"),
        ("card = 1", r"\[card\] in .* is no card"),
        ("[card", "are no TOML"),
        ("\xff", "are no TOML"),
    ],
)
def test_costs_that_are_none(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        read_costs(file)


@pytest.mark.parametrize("value", ["-1", "true", '"fast"', "nan"])
def test_a_cost_that_is_no_time(value: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.toml"
    keys = ("asr_chunk", "llm_prefill", "llm_token", "tts_prefill", "tts_token", "tts_window")
    file.write_text("[card]\n" + "".join(f"{key} = {value}\n" for key in keys))
    with pytest.raises(InputError, match=r"asr_chunk of \[card\]"):
        read_costs(file)
