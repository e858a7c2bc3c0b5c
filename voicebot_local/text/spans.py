"""Where the code, links and formulas in a growing text end, so that they are not cut in two."""

from __future__ import annotations

import re

SPAN_CHARS = 300
"""How far an opening sign may be from its partner in the same line and still count as one."""
_BLOCK_CHARS = 600
"""How far the two ends of a formula that stands by itself may be apart, over several lines."""
OPENS_MATH = r"\\[(\[]|\$\$|(?<![\w$\\])\$(?![A-Z]{2})(?=[A-Za-z\\({|-])"
"""The beginning of a formula; a dollar sign before a digit is money, before capitals a share."""

_CLOSES_DOLLAR = re.compile(r"(?<=[^\s$\\])\$")
_CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}


def span_end(text: str, start: int, final: bool) -> int | None:
    """The end of the code, link or formula that opens at `start`; None where more text is needed.

    Where the opening sign has no partner, it is an ordinary character. `final`: no text follows.
    """
    if text[start] == "[":
        return _link_end(text, start, final)
    if text[start] in "$\\":
        return _math_end(text, start, final)
    ticks = len(text) - start - len(text[start:].lstrip("`"))
    opened = start + ticks
    if ticks >= 3:
        closed = text.find("`" * ticks, opened)
        if closed < 0:
            return len(text) if final else None
        return closed + ticks
    partner = _find_in_line(text, "`" * ticks, opened)
    if partner is None:
        return opened if final or _line_is_over(text, opened) else None
    return partner + ticks


def _link_end(text: str, start: int, final: bool) -> int | None:
    closed = _find_in_line(text, "]", start + 1)
    if closed is None:
        return start + 1 if final or _line_is_over(text, start + 1) else None
    after = closed + 1
    if after == len(text) and not final:
        return None
    if text[after : after + 1] != "(":
        return after
    target = _find_in_line(text, ")", after + 1)
    if target is None:
        return after if final or _line_is_over(text, after + 1) else None
    return target + 1


def _math_end(text: str, start: int, final: bool) -> int | None:
    opener = text[start : start + 2]
    closer = _CLOSERS.get(opener)
    if closer is None:  # a single dollar sign
        line_end = text.find("\n", start, start + SPAN_CHARS)
        reach = line_end if line_end >= 0 else start + SPAN_CHARS
        closing = _CLOSES_DOLLAR.search(text, start + 1, reach)
        if closing:
            return closing.end()
        return start + 1 if final or _line_is_over(text, start + 1) else None
    if opener == "\\(":
        closed = _find_in_line(text, closer, start + 2)
        over = _line_is_over(text, start + 2)
    else:
        found = text.find(closer, start + 2, start + _BLOCK_CHARS)
        closed = found if found >= 0 else None
        over = len(text) >= start + _BLOCK_CHARS
    if closed is not None:
        return closed + 2
    return start + 2 if final or over else None


def _find_in_line(text: str, what: str, start: int) -> int | None:
    line_end = text.find("\n", start, start + SPAN_CHARS)
    found = text.find(what, start, line_end if line_end >= 0 else start + SPAN_CHARS)
    return found if found >= 0 else None


def _line_is_over(text: str, start: int) -> bool:
    return len(text) >= start + SPAN_CHARS or "\n" in text[start:]
