"""Numbers in English words: plain ones, years, ordinals, digits one by one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from num2words import num2words

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
"""A number as it is written, with or without separators of thousands; no sign."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LONGEST = 15
"""A number of more digits is a code: its digits are said one by one."""


@lru_cache(maxsize=4096)
def _in_words(number: int, form: Literal["cardinal", "ordinal", "year"]) -> str:
    said: str = num2words(number, to=form)
    return said.replace(",", "").replace("oh-", "oh ").replace(" and ", " ")


def digits(text: str) -> str:
    """The digits of `text` one by one; other characters are left out."""
    return " ".join(_DIGITS[int(c)] for c in text if c.isascii() and c.isdigit())


def cardinal(text: str) -> str:
    """A number as `NUMBER` matches it, in words."""
    whole, _, fraction = text.replace(",", "").partition(".")
    if len(whole) > _LONGEST or (len(whole) > 1 and whole.startswith("0")):
        said = digits(whole)
    else:
        said = _in_words(int(whole or "0"), "cardinal")
    return f"{said} point {digits(fraction)}" if fraction else said


def ordinal(number: int | str) -> str:
    """ "third" for 3; a number too long for that digit by digit."""
    if len(str(number)) > _LONGEST:
        return digits(str(number))
    return _in_words(int(number), "ordinal")


def year(number: int | str) -> str:
    """ "nineteen eighty-four" for 1984."""
    return _in_words(int(number), "year")


def in_pairs(number: str) -> str:
    """A number that names a thing, as people read those out: "seven forty-seven" for 747, "twenty
    twenty-four", "four oh four", "thirteen seven hundred"; digit by digit if it is longer."""
    if not 3 <= len(number) <= 5 or number[0] == "0":
        return cardinal(number) if len(number) < 3 else digits(number)
    if len(number) == 5:
        return (
            f"{cardinal(number[:2])} {in_pairs(number[2:])}" if number[2] != "0" else digits(number)
        )
    before, last = number[:-2], number[-2:]
    if last == "00":
        round_thousand = len(number) == 4 and number[1] == "0"
        return cardinal(number) if round_thousand else f"{cardinal(before)} hundred"
    return f"{cardinal(before)} {f'oh {cardinal(last[1])}' if last[0] == '0' else cardinal(last)}"


def is_one(text: str) -> bool:
    """Whether a unit after this number stands in the singular."""
    return text == "1"


_FRACTION_NAMES = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def fraction(above: int, below: int) -> str:
    """ "three quarters" for 3/4, "seven over nineteen" for what has no name of its own."""
    if not 1 < below <= 100 or above > 99:
        return f"{cardinal(str(above))} over {cardinal(str(below))}"
    if below in _FRACTION_NAMES:
        name = _FRACTION_NAMES[below][above != 1]
    else:
        name = ordinal(below) + ("" if above == 1 else "s")
    return f"{cardinal(str(above))} {name}"


def mixed(whole: str, above: int, below: int) -> str:
    """ "two and a half" for 2 1/2."""
    said = fraction(above, below)
    if above == 1 and below in (2, 4):
        said = said.replace("one ", "a ", 1)
    return f"{cardinal(whole)} and {said}"


def spelled(letters: str) -> str:
    """`letters` one by one ("A-P I"); an A is tied to the next, or it is read as in "a cat"."""
    return " ".join(letters).replace("A ", "A-")


_OTHER_DIGIT = re.compile(r"(?![0-9])\d")


def ascii_digits(text: str) -> str:
    """The decimal digits of all scripts as 0 to 9."""
    return _OTHER_DIGIT.sub(lambda m: str(int(m[0])), text) if not text.isascii() else text
