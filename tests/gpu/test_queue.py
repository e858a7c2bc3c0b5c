"""Who goes next: the rule, case by case."""

from __future__ import annotations

import math
from dataclasses import replace

from voicebot_local.gpu.queue import LONGEST_WAIT_S, GpuQueue, Outlook, Request, Tenant


def ask(client: int, tenant: Tenant, at: float, speculative: bool = False) -> Request:
    return Request(client, tenant, at, period_s=0.16, speculative=speculative)


def order(queue: GpuQueue, now: float) -> list[int]:
    out = []
    while (first := queue.next(now)) is not None:
        out.append(first.client)
        queue.remove(first.client)
    return out


def test_recognizers_first_and_speculation_last() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=10.0, text_until=10.0))
    queue.add(ask(1, "llm", 0.0, speculative=True))
    queue.add(ask(2, "llm", 0.0))
    queue.add(ask(3, "tts", 0.0))
    queue.add(ask(4, "asr", 0.5))
    assert order(queue, 0.6) == [4, 2, 3, 1]


def test_a_draft_goes_last_until_it_is_the_reply() -> None:
    queue = GpuQueue()
    draft = Outlook(audio_until=None, text_until=3.0, speculative=True)
    for outlook, expected in (
        (draft, [5, 4, 2, 1, 3]),
        (replace(draft, speculative=False), [5, 2, 4, 1, 3]),
    ):
        queue.look_ahead(0, outlook)
        queue.look_ahead(1, Outlook(audio_until=1.0, text_until=9.0))
        queue.add(ask(1, "llm", 0.0))
        queue.add(ask(2, "tts", 0.1))
        queue.add(ask(3, "llm", 0.2, speculative=True))
        queue.add(Request(4, "tts", 0.3, conversation=1))
        queue.add(ask(5, "asr", 0.3))
        assert queue.urgent
        assert order(queue, 0.4) == expected
    queue.look_ahead(0, draft)
    queue.add(ask(1, "llm", 0.0))
    assert not queue.urgent


def test_the_first_audio_of_a_reply_goes_before_text_that_is_far_ahead() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=None, text_until=3.0))
    queue.add(ask(1, "llm", 0.0))
    queue.add(ask(2, "tts", 0.4))
    assert order(queue, 0.5) == [2, 1]


def test_text_that_runs_out_goes_before_audio_that_lasts() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=5.0, text_until=1.0))
    queue.add(ask(1, "tts", 0.0))
    queue.add(ask(2, "llm", 0.1))
    assert order(queue, 0.2) == [2, 1]


def test_a_conversation_about_to_fall_silent_goes_before_another_ones() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=4.0, text_until=math.inf))
    queue.look_ahead(1, Outlook(audio_until=0.5, text_until=math.inf))
    queue.add(Request(1, "tts", 0.0, conversation=0))
    queue.add(Request(2, "tts", 0.1, conversation=1))
    assert order(queue, 0.2) == [2, 1]


def test_who_waited_too_long_goes_first() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=1.0, text_until=100.0))
    queue.add(ask(1, "llm", 0.0))
    queue.add(ask(2, "tts", LONGEST_WAIT_S))
    assert order(queue, LONGEST_WAIT_S + 0.1) == [1, 2]


def test_nobody_yields_to_nobody() -> None:
    assert not GpuQueue().yields(ask(1, "llm", 0.0), 1.0)


def test_a_running_tenant_is_not_disturbed_for_a_trifle() -> None:
    queue = GpuQueue()
    queue.add(ask(2, "tts", 0.999))
    assert not queue.yields(ask(1, "llm", 0.0), 1.0)
    assert queue.yields(ask(1, "llm", 0.0), 1.01)


def test_text_far_ahead_yields_to_audio_at_once() -> None:
    queue = GpuQueue()
    queue.look_ahead(0, Outlook(audio_until=None, text_until=9.0))
    queue.add(ask(2, "tts", 1.0))
    assert queue.yields(ask(1, "llm", 0.0), 1.0)


def test_the_policies_that_it_is_compared_with() -> None:
    requests = [ask(1, "tts", 0.0), ask(2, "llm", 0.1), ask(3, "asr", 0.2)]
    for policy, expected in (("fifo", [1, 2, 3]), ("exclusive", [3, 2, 1])):
        queue = GpuQueue(policy)  # type: ignore[arg-type]
        for request in requests:
            queue.add(request)
        assert order(queue, 0.3) == expected
