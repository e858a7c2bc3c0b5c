"""What a session used of hosted providers, and what that cost, read off the event log."""

from __future__ import annotations

from dataclasses import replace

from voicebot_local.events import (
    Apologized,
    Entry,
    ReplyDrafted,
    SpeechStarted,
    Stage,
    TurnCommitted,
    TurnPrompted,
    UsageReported,
)


class Usage:
    """A reader of the event log: knows whose turn a usage belongs to, and adds all up."""

    def __init__(self) -> None:
        self._turns: dict[Stage, int] = {}
        self._totals: dict[str, UsageReported] = {}

    def __call__(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.event:
            case SpeechStarted(turn=turn):
                self._turns["recognizer"] = turn
            case (
                ReplyDrafted(turn=turn)
                | TurnCommitted(turn=turn)
                | TurnPrompted(turn=turn)
                | Apologized(turn=turn)
            ):
                self._turns["chat"] = self._turns["synthesizer"] = turn
            case UsageReported() as used:
                self._add(used)
            case _:
                pass

    def of_turn(self, used: UsageReported) -> UsageReported:
        """`used` with the turn that its stage is working on; 0 before the first."""
        return replace(used, turn=self._turns.get(used.stage, 0))

    @property
    def cost_usd(self) -> float:
        """What all of it cost, in US dollars."""
        return sum(total.cost_usd for total in self._totals.values())

    def summary(self) -> str:
        """One line for people; "" where nothing hosted was used."""
        if not self._totals:
            return ""
        parts = [f"{name} {_amounts(total)}" for name, total in self._totals.items()]
        return f"Hosted: {'; '.join(parts)}. By the configured prices about ${self.cost_usd:.4f}."

    def _add(self, used: UsageReported) -> None:
        before = self._totals.get(used.provider)
        if before is None:
            self._totals[used.provider] = used
            return
        self._totals[used.provider] = replace(
            before,
            audio_s=before.audio_s + used.audio_s,
            connected_s=before.connected_s + used.connected_s,
            input_tokens=before.input_tokens + used.input_tokens,
            cached_tokens=before.cached_tokens + used.cached_tokens,
            output_tokens=before.output_tokens + used.output_tokens,
            characters=before.characters + used.characters,
            cost_usd=before.cost_usd + used.cost_usd,
            estimated=before.estimated or used.estimated,
        )


def _amounts(used: UsageReported) -> str:
    about = "about " if used.estimated else ""
    amounts = (
        (used.audio_s, f"{used.audio_s:.1f} s of speech"),
        (used.connected_s, f"{used.connected_s:.0f} s connected"),
        (used.input_tokens, f"{about}{used.input_tokens} tokens read"),
        (used.output_tokens, f"{about}{used.output_tokens} written"),
        (used.characters, f"{used.characters} characters"),
    )
    return ", ".join(words for amount, words in amounts if amount)
