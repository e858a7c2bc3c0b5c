"""How long a chat model takes to its first text once the user is done, by how long they spoke."""

from __future__ import annotations

import io
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from voicebot_local.providers.base import ChatModel, Message

SPOKEN_S = (1, 2, 5, 10, 20, 40, 80, 160)
WORDS_A_SECOND = 2.5
"""A calm speaker's pace."""
NEWS = 5
"""A recognizer's transcript grows by a word at a time; every so many it is also corrected."""
PERSONA = "You are a voice assistant. Keep answers short. This is conversation {}."


async def first_text_ms(chat: ChatModel, messages: Sequence[Message]) -> float:
    """Milliseconds from the call to the first text of the reply, which is then left."""
    start = anyio.current_time()
    async with chat.reply(messages) as deltas:
        async for _ in deltas:
            break
        took_s = anyio.current_time() - start
    return took_s * 1000


async def spoken(
    chat: ChatModel, words: Sequence[str], nonce: str, *, ahead: bool
) -> tuple[float, list[float]]:
    """A second turn, `words` long, in a conversation that begins like no other.

    `ahead`: the chat model is told what was said so far, word by word, as fast as it reads; what it
    is told last lacks the final word. Returns milliseconds from the user's last word to the first
    text, and what each telling took.
    """
    before = [Message("system", PERSONA.format(nonce)), Message("user", "Hello!")]
    await first_text_ms(chat, before)
    before.append(Message("assistant", "Hello! What can I do for you?"))
    told_ms: list[float] = []
    for count in range(len(words)) if ahead else ():
        said = list(words[:count])
        if count and count % NEWS == 0:
            said[-1] = "what"  # misheard; the next transcript has it right
        start = anyio.current_time()
        await chat.prefill([*before, Message("user", " ".join(said))])
        told_ms.append((anyio.current_time() - start) * 1000)
    return await first_text_ms(chat, [*before, Message("user", " ".join(words) + ".")]), told_ms


async def curve(chat: ChatModel, words: Sequence[str], times: int) -> list[dict[str, Any]]:
    """For each of `SPOKEN_S` that `words` suffice for: with and without reading ahead, in turn."""
    found = []
    for length_s in SPOKEN_S:
        count = round(length_s * WORDS_A_SECOND)
        if count > len(words):
            break
        ahead: list[float] = []
        after: list[float] = []
        told: list[float] = []
        for time in range(times):
            first_ms, told_ms = await spoken(
                chat, words[:count], f"{length_s} {time} ahead", ahead=True
            )
            ahead.append(first_ms)
            told += told_ms
            first_ms, _ = await spoken(chat, words[:count], f"{length_s} {time} after", ahead=False)
            after.append(first_ms)
        found.append(
            {"spoken_s": length_s, "words": count, "ahead_ms": ahead, "after_ms": after}
            | {"told_ms": {"median": statistics.median(told), "longest": max(told)}}
        )
    return found


def curve_svg(findings: Sequence[Mapping[str, Any]]) -> str:
    """The curves of what `bench --stage llm --json` found; solid where it was read ahead."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for number, finding in enumerate(findings):
        points = finding["spoken"]
        lengths = [point["spoken_s"] for point in points]
        for key, style in (("ahead_ms", "o-"), ("after_ms", "o--")):
            medians = [statistics.median(point[key]) for point in points]
            what = "read while the user speaks" if key == "ahead_ms" else "read afterwards"
            axes.plot(
                lengths, medians, style, color=f"C{number}", label=f"{finding['stack']}: {what}"
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("how long the user spoke, s")
    axes.set_ylabel("end of the question to the first text, ms")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    text = io.StringIO()
    with rc_context({"svg.hashsalt": "first-token", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
