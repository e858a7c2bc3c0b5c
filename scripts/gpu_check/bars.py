"""What the engines are to reach on a large card, next to what was measured: pure arithmetic.

The bars are for a card of an H200's memory bandwidth, 4.8 TB/s; scale them by that of another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Items = Mapping[str, Mapping[str, Any]]

EVIDENCE_MS = 200.0
"""Silence after which the turn is over."""
MICROPHONE_MS, OUTPUT_MS = 10.0, 20.0
"""A block of the sound card, and what is buffered before a loudspeaker."""
CLAUSE_TOKENS = 10
"""A first clause, as long as most are."""
PREDICTED = "voice to voice, predicted"
FORMULA = (
    f"Voice to voice, predicted: {MICROPHONE_MS:.0f} ms for the microphone's block + "
    f"{EVIDENCE_MS:.0f} ms of turn evidence + the recognizer's last step + the chat model's first "
    f"token + {CLAUSE_TOKENS - 1} tokens more for a first clause + the synthesizer's first audio, "
    f"times the contention ratio + {OUTPUT_MS:.0f} ms of output buffer; medians of the parts "
    "below, one after the other, as if nothing were drafted in the pause before."
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and what it is to be: at most `limit`, or at least where `more`."""

    what: str
    measured: float
    limit: float
    unit: str
    more: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured >= self.limit if self.more else self.measured <= self.limit

    def row(self) -> str:
        sign, mark = "≥" if self.more else "≤", "met" if self.is_met else "**missed**"
        unit = f" {self.unit}" if self.unit == "ms" else self.unit
        return f"| {self.what} | {self.measured:.3g}{unit} | {sign} {self.limit:g}{unit} | {mark} |"

    def told(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.is_met}


def bars(items: Items) -> list[Bar]:
    """Those of which the parts have been measured."""
    good = {name: item for name, item in items.items() if "error" not in item}
    stages = _stages(good)
    ratio = _contention(good)
    found = [
        *_bars_of_the_synthesizer(good),
        *(
            [Bar("chat model: first token, prompt prefilled", stages["chat"], 25, "ms")]
            if "chat" in stages
            else []
        ),
        *(
            Bar(f"recognizer: a chunk, {name[4:]}", item["own"]["chunk_ms"], 15, "ms")
            for name, item in good.items()
            if name.startswith("asr.")
        ),
    ]
    if ratio is not None:
        found.append(Bar("first audio, chat model flat out, over alone", ratio, 1.1, "×"))
    if {"recognizer", "chat", "clause", "synthesizer"} <= set(stages):
        voice_to_voice = predicted_ms(stages, ratio or 1.0)
        found.append(Bar(PREDICTED, voice_to_voice, 400, "ms"))
    return found


def predicted_ms(stages: Mapping[str, float], ratio: float) -> float:
    """See FORMULA."""
    engines = stages["recognizer"] + stages["chat"] + stages["clause"]
    first_audio = stages["synthesizer"] * ratio
    return MICROPHONE_MS + EVIDENCE_MS + engines + first_audio + OUTPUT_MS


def _stages(items: Items) -> dict[str, float]:
    """Of each stage, ms: the slowest recognizer, the slowest prompt, the best precision."""
    found: dict[str, float] = {}
    last = [item["own"]["last_ms"] for name, item in items.items() if name.startswith("asr.")]
    if last:
        found["recognizer"] = max(last)
    for name, item in items.items():
        if name.startswith("llm."):
            first = [value for key, value in item.items() if key.startswith("ours_first_token_ms")]
            found["chat"] = max(first)
            found["clause"] = (CLAUSE_TOKENS - 1) / item["ours_tokens_per_s"] * 1000
    speech = [_first_audio(item)["own"] for name, item in items.items() if name.startswith("tts.")]
    if speech:
        found["synthesizer"] = min(speech)
    return found


def _first_audio(item: Mapping[str, Any]) -> dict[str, float]:
    """Of a short piece; it does not depend on the length."""
    return {arm: item["lengths"][0][arm]["first_audio_ms"] for arm in ("own", "stock")}


def _bars_of_the_synthesizer(items: Items) -> list[Bar]:
    found = []
    for name, item in items.items():
        if name.startswith("tts."):
            first, precision = _first_audio(item), name.partition(".")[2]
            own, times = first["own"], first["stock"] / first["own"]
            found.append(Bar(f"synthesizer: first audio, {precision}", own, 80, "ms"))
            found.append(
                Bar(f"the same, over the library's, {precision}", times, 3, "×", more=True)
            )
    return found


def _contention(items: Items) -> float | None:
    for name, item in items.items():
        if name.startswith("contention."):
            rounds = item["rounds"]
            pairs = [(it["brokered"]["first audio"], it["alone"]["first audio"]) for it in rounds]
            return median(brokered / alone for brokered, alone in pairs)
    return None


def page(items: Items) -> str:
    """The bars as a table in Markdown; "" before anything is measured."""
    found = bars(items)
    if not found:
        return ""
    header = "| | measured | to reach, on 4.8 TB/s (H200) | |"
    rows = [header, "|---|---|---|---|", *(bar.row() for bar in found)]
    is_predicted = any(bar.what == PREDICTED for bar in found)
    return "\n".join([*rows, *["", FORMULA] * is_predicted])
