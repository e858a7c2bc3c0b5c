"""Every other kind of number in English words: phones, versions, ordinals, fractions, ranges."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import (
    NUMBER,
    cardinal,
    digits,
    fraction,
    in_pairs,
    mixed,
    ordinal,
    year,
)

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
_RANGE_OF_NAMES = re.compile(
    r"(?<![\w.,])((?:Q|H)\d|\d+(?:st|nd|rd|th)|\d0s)\s?[-–]\s?(?=(?:Q|H)?\d+(?:st|nd|rd|th|s|\b)(?!-))"
)
_LETTER_MINUS = re.compile(
    r"(?<![\w'.-])([b-z]|\d+[a-z]) - (?=\d{1,4}\b)|(?<=\d) - (?=(?:\d+)?[a-z]\b(?![ '-][a-z]{2}))"
)
_MIXED = re.compile(r"(?<![\w./])(\d+)\s(\d{1,3})/(\d{1,3})(?![\w/]|\.\d)")
_SAID_AS_TWO = re.compile(r"(?<![\w./])(?:(24)/(7)|(50)/(50))(?![\w/])")
_OUT_OF = re.compile(
    r"(?<![\w./])(?:(\d{1,3}(?:\.\d+)?)/(10|100)(?! of\b)"
    r"|(\d(?:\.\d+)?)/(5)(?= (?:stars?|points?|rating)\b)|(\d{1,2}\.\d+)/(5|20|4))(?![\w/]|\.\d)"
)
_FRACTION = re.compile(r"(?<![\w./])(\d{1,4})/(\d{1,4})(?![\w/]|\.\d)")
_SIZES = re.compile(rf"{_NOT_INSIDE}({NUMBER})\s?[x×X]\s?(?={NUMBER}\b(?!\s+(?:equals|is)\b))")
_TIMES = re.compile(
    rf"(?<=\d) ?[x×] ?(?={NUMBER}\s+(?:equals|is)\b)"
    r"|(?<=\d)x(?=[\s.,;:!?)-])(?!\s+(?:plus|minus|equals)\b)"
)
_LETTER_AFTER = re.compile(r"((?:equals|plus|minus|times)\s+\d+)(?=[xyzn]\b)")
_RATIO = re.compile(r"(?<![\w:.])(\d{1,3}(?:\.\d{1,3})?):(?=\d{1,3}(?:\.\d{1,3})?(?![\w:]))")
_MINUS = re.compile(rf"(?<=[\w)])\s+-\s+(?=[\w(-])|(?<=\d)-(?={NUMBER}\s*=)")
_RANGE = re.compile(rf"{_NOT_INSIDE}({NUMBER})\s?[-–—]\s?(?={NUMBER}(?![-\w]))")
_RANGE_OF_THINGS = re.compile(
    rf"{NUMBER} (?!is\b|equals\b|plus\b|minus\b|times\b|and\b|or\b)[a-z]{{3}}"
)
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
    text = _LETTER_MINUS.sub(lambda m: f"{m[1] or ''} minus ", text)
    text = _RANGE_OF_NAMES.sub(r"\1 to ", text)
    text = _ORDINAL.sub(lambda m: f" {ordinal(m[1].replace(',', ''))} ", text)
    text = _SAID_AS_TWO.sub(_as_two, text)
    text = _MIXED.sub(_mixed, text)
    text = _OUT_OF.sub(_out_of, text)
    text = _FRACTION.sub(_fraction, text)
    text = _SIZES.sub(r" \1 by ", text)
    text = _TIMES.sub(" times ", _LETTER_AFTER.sub(r"\1 ", text))
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
    said = ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)
    return f" plus {said} " if match[0].startswith("+") else f" {said} "


def _version(match: re.Match[str]) -> str:
    parts = match[2].split(".")
    address = len(parts) == 4 and not match[1]
    said = (" dot " if address else " point ").join(
        in_pairs(part) if address else cardinal(part) for part in parts
    )
    return f" version {said} " if match[1] else f" {said} "


def _as_two(match: re.Match[str]) -> str:
    return " ".join(["", *(cardinal(part) for part in match.groups() if part), ""])


def _mixed(match: re.Match[str]) -> str:
    return f" {mixed(match[1], int(match[2]), int(match[3]))} "


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match[1]), int(match[2])
    if above == below and below in (5, 10, 20, 100):
        return f" {cardinal(match[1])} out of {cardinal(match[2])} "
    return f" {fraction(above, below)} "


def _out_of(match: re.Match[str]) -> str:
    """A mark, such as 8/10; but a tenth and a hundredth."""
    above, below = (part for part in match.groups() if part)
    if above == "1":
        return f" {fraction(1, int(below))} "
    return f" {cardinal(above)} out of {cardinal(below)} "


def _minus(match: re.Match[str]) -> str:
    """A lone hyphen between two numbers is a minus, or a range of things; between words a pause."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if _RANGE_OF_THINGS.match(after) and not before.rstrip("0123456789.,").endswith(
        ("- ", "+ ", "= ")
    ):
        return " to "
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
