"""Cuts a reply into clauses while it is being written, so that speaking can begin early."""

from __future__ import annotations

import re
from typing import Literal

from voicebot_local.text.abbreviations import ends_with_abbreviation
from voicebot_local.text.clock import ZONE
from voicebot_local.text.spans import OPENS_MATH, span_end

FIRST_WORDS = 3
"""The first clause has at least this many words, unless the reply ends before."""
SHORT_WORDS = 3
"""A later sentence of fewer words stays with the next one: synthesizers garble it alone."""
FIRST_LONG_WORDS = 10
"""From here the first clause also ends before a conjunction."""
LONG_CHARS = 130
"""From here a later clause also ends at a comma, a little further on before a conjunction."""
FULL_CHARS = 200
"""From here a clause ends at any space outside numbers; XTTS takes 250 characters at a time."""

_CONJUNCTION = re.compile(
    r"(?:and|but|or|nor|so|yet|because|since|although|though|while|whereas|unless|until|if|when"
    r"|where|which|who|whose|that|then|than|before|after|as|for|with|without)$",
    re.IGNORECASE,
)
_CLOSERS = "\"'”’»)]}*_~"
_WIDE_STOPS = "。！？；…｡"
_WIDE_COMMAS = "，、：—"
_STOP = re.compile(rf"([.!?…؟।]+)([{re.escape(_CLOSERS)}]*)$")
_COMMA = re.compile(rf"(?:[,;:،؛—–]|^-+)[{re.escape(_CLOSERS)}]*$")
_PIECE = re.compile(
    rf"(?P<space>\s+)|(?P<code>`+)|(?P<link>\[)|(?P<math>{OPENS_MATH})"
    rf"|(?P<wide>[{_WIDE_STOPS}{_WIDE_COMMAS}]"
    rf"[{_WIDE_STOPS}{_WIDE_COMMAS}{re.escape(_CLOSERS)}」』）》]*)"
    rf"|(?P<word>[$\\]|[^\s`\[$\\{_WIDE_STOPS}{_WIDE_COMMAS}]+)"
)
_WIDE_SIGN = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_LIST_NUMBER = re.compile(r"(?:^|\n)[ \t>]*\(?(?:\d{1,3}|[A-Za-z])[.)]$")
_MEASURE = re.compile(r"\d ?[A-Za-z]{1,3}\.$")
_NEXT_WORD = re.compile(r"[A-Za-z]+")
# After these the next word decides whether a sentence ends: "9 a.m. EST", "Oak Ave. Apt. 4".
_HALF_DAY = re.compile(r"(?:^|\d|\W)[ap]\.?m\.$", re.IGNORECASE)
_STREET = re.compile(r"(?:Ave|Blvd|Rd|St|Dr)\.$")
_GOES_ON = {
    _HALF_DAY: re.compile(rf"(?:{ZONE})$"),
    _STREET: re.compile(r"(?:Apt|Suite|Ste|Unit|NW|NE|SW|SE)$"),
}

Verdict = Literal["cut", "go on", "wait"]


class ClauseSplitter:
    """Takes the text of one reply as it comes and gives it back in clauses, none of it lost.

    The first clause is as short as sounds natural, later ones are whole sentences of bounded
    length. A cut never falls inside a number, an abbreviation, a URL, an inline code or code block,
    a formula in LaTeX, a markdown link or a cluster of emoji. Where it falls does not depend on
    how the text was chunked: a cut is made as soon as no text that may follow could change it.
    Clauses come stripped of the white space around them and are never empty; a single "word" of
    any length stays whole.
    """

    def __init__(self) -> None:
        self._text = ""
        self._first = True
        self._restart()

    def push(self, delta: str) -> list[str]:
        """Add `delta` and return the clauses that are complete now, in order."""
        self._text += delta
        return self._take(final=False)

    def finish(self) -> list[str]:
        """Return what is left, and be ready for another reply."""
        clauses = self._take(final=True)
        rest = self._text.strip()
        self._text, self._first = "", True
        self._restart()
        return [*clauses, rest] if rest else clauses

    def _restart(self) -> None:
        self._at = 0
        self._word_start = 0
        self._words = 0.0

    def _take(self, *, final: bool) -> list[str]:
        clauses = []
        while (cut := self._next_cut(final)) is not None:
            clause = self._text[:cut].strip()
            self._text = self._text[cut:]
            self._restart()
            if clause:
                clauses.append(clause)
                self._first = False
        return clauses

    def _next_cut(self, final: bool) -> int | None:
        """Advance over the text; the place of the next cut, or None where more text is needed."""
        while self._at < len(self._text):
            piece = _PIECE.match(self._text, self._at)
            assert piece is not None  # every character belongs to one of the kinds
            if piece.end() == len(self._text) and not final and "\n" not in piece[0]:
                return None
            if piece["code"] or piece["link"] or piece["math"]:
                end = span_end(self._text, self._at, final)
                if end is None:
                    return None
                self._at = end
            elif piece["word"]:
                self._at = piece.end()
            elif piece["space"]:
                cut = self._at
                verdict = self._at_space(piece[0], piece.end(), final)
                if verdict == "wait":
                    return None
                self._at = self._word_start = piece.end()
                if verdict == "cut":
                    return cut
            else:
                self._count_word(piece.end())
                self._at = self._word_start = piece.end()
                if self._at_wide(piece[0]):
                    return self._at
        return None

    def _count_word(self, end: int) -> None:
        word = self._text[self._word_start : end]
        signs = len(_WIDE_SIGN.findall(word))
        self._words += signs / 2 if signs else any(c.isalnum() for c in word)

    def _at_wide(self, stop: str) -> bool:
        """Whether to cut after punctuation that needs no space behind it."""
        if self._first:
            return self._words >= FIRST_WORDS
        if any(c in _WIDE_STOPS for c in stop):
            return self._words >= SHORT_WORDS
        return self._at >= LONG_CHARS

    def _at_space(self, space: str, after: int, final: bool) -> Verdict:
        """Whether to cut at the space that begins at `_at` and ends before `after`."""
        before = self._text[: self._at]
        if self._word_start == self._at:  # a run of spaces that came in pieces was judged already
            return "go on"
        words_so_far = self._words
        self._count_word(self._at)
        enough = self._words >= (FIRST_WORDS if self._first else SHORT_WORDS)
        if "\n" in space:
            return "cut" if enough else "go on"
        word = before[self._word_start :]
        follows = self._text[after : after + 1]
        if enough and _ends_sentence(before, word, follows):
            following = _NEXT_WORD.match(self._text, after)
            going_on = next((on for end, on in _GOES_ON.items() if end.search(word)), None)
            if following is None or going_on is None:
                return "cut"
            if following.end() == len(self._text) and not final:
                self._words = words_so_far
                return "wait"
            if not going_on.match(following[0]):
                return "cut"
        number_around = word[-1:].isdigit() or word[-2:-1].isdigit() or follows.isdigit()
        comma = _COMMA.search(word) is not None and not (number_around and follows.isdigit())
        if comma and enough and (self._first or len(before) >= LONG_CHARS):
            return "cut"
        long = self._words >= FIRST_LONG_WORDS if self._first else len(before) >= LONG_CHARS + 30
        if long:
            following = _NEXT_WORD.match(self._text, after)
            if following and following.end() == len(self._text) and not final:
                self._words = words_so_far
                return "wait"
            if following and _CONJUNCTION.match(following[0]):
                return "cut"
        bound = FULL_CHARS + (30 if number_around else 0)
        return "cut" if len(before) >= bound else "go on"


def _ends_sentence(before: str, word: str, follows: str) -> bool:
    stop = _STOP.search(word)
    if stop is None:
        return False
    marks, closers = stop[1], stop[2]
    lower = follows.islower()
    if "!" in marks or "?" in marks or "؟" in marks or "।" in marks:
        return not (lower and any(c in "\"'”’»" for c in closers))
    if len(marks) > 1 or "…" in marks:
        return not lower
    if follows.isupper() and _MEASURE.search(before):
        return True
    if _LIST_NUMBER.search(before) or ends_with_abbreviation(word[: stop.end(1)], follows):
        return False
    return not lower or len(word) > 3
