"""What people say into a reply: words that stop it, and words that only show that they listen."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from voicebot_local.turns.settings import TurnSettings

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of `text` without case and punctuation; "mm-hm" is two."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


@dataclass(frozen=True, slots=True)
class Interjections:
    """The lists that count in this conversation, each phrase as its words."""

    stops: frozenset[tuple[str, ...]]
    backchannels: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, settings: TurnSettings) -> Interjections:
        """Those that are set, else those of the language; one without data has none."""
        lists = _languages().get(settings.language[:2].lower(), {})
        return cls(
            _phrases(settings.stop_words or lists.get("stop", ())),
            _phrases(settings.backchannels or lists.get("backchannels", ())),
        )

    def stops_in(self, words: list[str]) -> bool:
        """Whether one of the stop phrases is said."""
        return any(
            tuple(words[at : at + len(phrase)]) == phrase
            for phrase in self.stops
            for at in range(len(words) - len(phrase) + 1)
        )

    def without_backchannels(self, words: list[str]) -> list[str]:
        """The words that are left when the longest signs of listening are taken out."""
        left: list[str] = []
        at = 0
        longest = max(map(len, self.backchannels), default=1)
        while at < len(words):
            for length in range(longest, 0, -1):
                if tuple(words[at : at + length]) in self.backchannels:
                    at += length
                    break
            else:
                left.append(words[at])
                at += 1
        return left


def _phrases(texts: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(phrase for text in texts if (phrase := tuple(words_of(text))))


@cache
def _languages() -> dict[str, dict[str, list[str]]]:
    data = resources.files(__package__).joinpath("interjections.toml").read_text("utf-8")
    return tomllib.loads(data)
