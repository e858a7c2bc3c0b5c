"""Every other kind of number in English words: phones, versions, ordinals, fractions, ranges."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import NUMBER, cardinal, digits, fraction, ordinal, year

_NOT_INSIDE = r"(?<![\w.,])"
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(?\d{2,8}\)?){1,5}"
    r"|(?:1[ .-])?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"
    r"|\d{3}-(?!\d\d00)\d{4}"
    r")(?![\w-]|[.,]\d)"
)
_VERSION = re.compile(r"\b(?:(v|V)(?:ersion )?\.?|(?<![\w.,]))(\d+(?:\.\d+){2,})(?![\w]|\.\d)")
_V_NUMBER = re.compile(r"\b[vV]\.?(\d+(?:\.\d+)?)(?![\w.]\d)")
_ORDINAL = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b")
_MIXED = re.compile(r"(?<![\w./])(\d+)\s(\d{1,3})/(\d{1,3})(?![\w/]|\.\d)")
_SAID_AS_TWO = re.compile(r"(?<![\w./])(?:(24)/(7)|(50)/(50))(?![\w/])")
_FRACTION = re.compile(r"(?<![\w./])(\d{1,4})/(\d{1,4})(?![\w/]|\.\d)")
_SIZES = re.compile(rf"{_NOT_INSIDE}({NUMBER})\s?[x×X]\s?(?={NUMBER}\b)")
_RATIO = re.compile(r"(?<![\w:.])(\d{1,3}):(?=\d{1,3}(?![\w:]))")
_MINUS = re.compile(rf"(?<=[\w)])\s+-\s+(?=[\w(-])|(?<=\d)-(?={NUMBER}\s*=)")
_RANGE = re.compile(rf"{_NOT_INSIDE}({NUMBER})\s?[-–—]\s?(?={NUMBER}(?![-\w]))")
_POWER_OF_TEN = re.compile(rf"{_NOT_INSIDE}({NUMBER})[eE]([+-]?)(\d{{1,3}})\b")
_POWER = re.compile(r"(?<=[\w)])\^[({]?(-?)(\d{1,4}|[a-z]\b)[)}]?")
_MODEL = re.compile(r"\b([A-Z]{2,5}[ -])([1-9]\d(?:0[1-9]|[1-9]\d))(?![\w%]|[.,]\d)")
_NEGATIVE = re.compile(r"(?<![\w)\]])-(?=\.?\d)")
_NUMBER = re.compile(rf"(?<![.\d]){NUMBER}|\d+")
_POINT_FIRST = re.compile(r"(?<![\w.])\.(\d+)\b")


def say_phones(text: str) -> str:
    """`text` with telephone numbers digit by digit."""
    return _PHONE.sub(_phone, text)


def say_numerals(text: str) -> str:
    """`text` without a digit: all that are left are said."""
    text = _VERSION.sub(_version, text)
    text = _V_NUMBER.sub(lambda m: f" version {cardinal(m[1])} ", text)
    text = _ORDINAL.sub(lambda m: f" {ordinal(m[1].replace(',', ''))} ", text)
    text = _SAID_AS_TWO.sub(_as_two, text)
    text = _MIXED.sub(_mixed, text)
    text = _FRACTION.sub(_fraction, text)
    text = _SIZES.sub(r" \1 by ", text)
    text = _RATIO.sub(r" \1 to ", text)
    text = _MINUS.sub(_minus, text)
    text = _MODEL.sub(lambda m: f"{m[1]} {year(m[2])} ", text)
    text = _RANGE.sub(r" \1 to ", text)
    text = _POWER_OF_TEN.sub(_power_of_ten, text)
    text = _POWER.sub(_power, text)
    text = _NEGATIVE.sub(" minus ", text)
    text = _POINT_FIRST.sub(lambda m: f" zero point {digits(m[1])} ", text)
    return _NUMBER.sub(lambda m: f" {cardinal(m[0])} ", text)


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    said = ", ".join(digits(group) for group in groups)
    return f" plus {said} " if match[0].startswith("+") else f" {said} "


def _version(match: re.Match[str]) -> str:
    parts = match[2].split(".")
    address = len(parts) == 4 and not match[1]
    said = (" dot " if address else " point ").join(cardinal(part) for part in parts)
    return f" version {said} " if match[1] else f" {said} "


def _as_two(match: re.Match[str]) -> str:
    return " ".join(["", *(cardinal(part) for part in match.groups() if part), ""])


def _mixed(match: re.Match[str]) -> str:
    said = fraction(int(match[2]), int(match[3]))
    if int(match[2]) == 1 and int(match[3]) in (2, 4):
        said = said.replace("one ", "a ", 1)
    return f" {cardinal(match[1])} and {said} "


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match[1]), int(match[2])
    if above >= below and below in (5, 10, 20, 100):
        return f" {cardinal(match[1])} out of {cardinal(match[2])} "
    return f" {fraction(above, below)} "


def _minus(match: re.Match[str]) -> str:
    """A lone hyphen between two numbers is a minus, between words a pause."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return " minus " if before[-1:].isdigit() and after[:1].isdigit() else " - "


def _power_of_ten(match: re.Match[str]) -> str:
    sign = "minus " if match[2] == "-" else ""
    return f" {match[1]} times ten to the power of {sign}{cardinal(str(int(match[3])))} "


def _power(match: re.Match[str]) -> str:
    named = {"2": "squared", "3": "cubed"}.get(match[2])
    if named and not match[1]:
        return f" {named} "
    exponent = cardinal(match[2]) if match[2].isdigit() else match[2]
    return f" to the power of {'minus ' if match[1] else ''}{exponent} "
