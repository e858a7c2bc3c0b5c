"""Makes text fit for XTTS, and cuts what is too long for it. Pure; no model needed.

XTTS was trained on whole sentences of up to about 250 characters. It makes up sounds after
quotation marks, reads a full stop aloud in some languages, rambles on after text without an end
mark, and fails on more than 400 tokens; what is here keeps it away from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SLOWEST_TOKENS_PER_CHAR = 3.0
"""At 21.5 audio tokens a second this is 7 characters a second, half the pace of calm speech."""
SPARE_TOKENS = 32
"""Room for a pause before and after: 1.5 s."""

_QUOTES = re.compile('["“”„‟«»‹›「」『』`*_#<>|~^\\[\\]{}()]')
_EDGE_APOSTROPHE = re.compile(r"(?<!\w)['‘’‚]+|['‘’]+(?!\w)")
_REPEATED = re.compile(r"([.!?,;:])(?:\s*[.!?,;:])+")
_END_MARKS = ".!?…,;:。！？，、；：؟।"
_BREAKS = (
    re.compile(r"[.!?…](?=\s)|[。！？।؟]"),
    re.compile(r"[,;:](?=\s)|[，、；：]"),
    re.compile(r"\s"),
)


def prepare(text: str, language: str) -> str:
    """`text` as XTTS should see it: one line, no quotation marks, one end mark at the end.

    Empty where nothing in it can be spoken. Numbers, symbols and markup are the caller's matter.
    """
    text = _QUOTES.sub(" ", text).replace("’", "'")
    text = " ".join(_EDGE_APOSTROPHE.sub(" ", text).split())
    text = re.sub(r"\s+([.!?,;:…])", r"\1", text)
    text = _REPEATED.sub(r"\1", text).lstrip(_END_MARKS + "'- ")
    if not any(character.isalnum() for character in text):
        return ""
    if text[-1] not in _END_MARKS:
        text += "."
    if text.endswith(".") and language != "en":
        # Set apart from the last word it is not read aloud; without it the melody would suffer.
        text = text[:-1].rstrip() + " ."
    return text


def pieces(text: str, most_chars: int, fits: Callable[[str], bool]) -> list[str]:
    """`text` cut into the fewest halves of halves that have at most `most_chars` and `fits`.

    Halving leaves no tiny rest, which XTTS would garble. A cut falls after a sentence, else after
    a comma, else at a space, each only if it is in the middle half, else right in the middle.
    """
    if len(text) < 2 or (len(text) <= most_chars and fits(text)):
        return [text]
    cut = _middle_break(text)
    halves = (text[:cut].strip(), text[cut:].strip())
    return [piece for half in halves if half for piece in pieces(half, most_chars, fits)]


def most_tokens(spoken: str, limit: int) -> int:
    """How many audio tokens `spoken` can take at most, a generous bound.

    `spoken` has its numbers and symbols written out. After very short text XTTS may not stop and
    goes on with invented sounds for seconds; no speaker is slower than this bound.
    """
    return min(limit, SPARE_TOKENS + round(SLOWEST_TOKENS_PER_CHAR * len(spoken)))


def _middle_break(text: str) -> int:
    low, middle, high = len(text) // 4, len(text) // 2, len(text) - len(text) // 4
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(text) if low <= match.end() <= high]
        if ends:
            return min(ends, key=lambda end: abs(end - middle))
    return middle
