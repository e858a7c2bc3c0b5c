"""Dates, years and decades in English words."""

from __future__ import annotations

import re

from voicebot_local.text.clock import say_times
from voicebot_local.text.numbers import cardinal, ordinal, spelled, year

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_MONTH = f"(?P<month>{'|'.join(_MONTHS)}|(?:{'|'.join(sorted(_SHORT, reverse=True))})\\b\\.?)"
_YEAR = r"(?:1[0-9]|20)\d\d"
_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d\d:)|(?![\w-]))")
_SLASHED = re.compile(r"(?<![\w/.])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])")
_DAY_ONLY = re.compile(
    r"(?<=day)(,? )(\d{1,2})/(\d{1,2})(?![\d/])|\b([Oo]n )(\d{1,2})/(\d{1,2})(?![\d/]| of\b)"
)
_DOTTED = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w]|\.\d)")
_MONTH_DAY = re.compile(
    rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|:|[.,]\d|%)"
    rf"(?:\s?[-–]\s?(?P<until>\d{{1,2}})(?:st|nd|rd|th)?(?!\d))?(?:,?\s+(?P<year>{_YEAR})\b)?"
)
_DAY_MONTH = re.compile(
    rf"(?P<the>\bthe\s+)?(?<![\d.,:])\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?{_MONTH}"
    rf"(?![a-z])(?:,?\s+(?P<year>{_YEAR})\b)?"
)
_MONTH_YEAR = re.compile(rf"\b{_MONTH},?\s+(?P<year>{_YEAR})\b")
_YEARS = re.compile(rf"(?<![\w.,])({_YEAR})\s?[-–—]\s?({_YEAR}|\d\d)(?![\w.,]\d|\w)")
_SEASON = re.compile(r"(?<![\w.,/])((?:19|20)\d\d)/(\d\d)(?![\w/]|[.,]\d)")
_YEAR_AFTER = re.compile(
    rf"\b((?:in|since|by|until|till|from|during|around|circa|early|late|mid|before|after|year|of"
    rf"|summer|winter|spring|autumn|fall|circa|copyright|pre|post|Q[1-4]|H[12]|FY)"
    rf"[ -])({_YEAR})(?:( (?:to|and) )({_YEAR}))?"
    r"(?![\w%]|[.,:/-]\d|\s+(?!was\b|is\b|as\b|this\b|has\b)[a-z]+s\b)",
    re.IGNORECASE,
)
_YEAR_ALONE = re.compile(rf"(?<=\()({_YEAR})(?=\))")
# Without a word like "in" before it: only years of our time, and no number of things.
_YEAR_BY_ITSELF = re.compile(
    r"(?<![\w.,:/$€£#+-])(?<!\d )(19\d\d|20[0-4]\d)(?![\w%]|[.,:/-]\d|\s?[×x*=+]|\s?[-–]\s?\d"
    r"|\s+(?:people|men|women|children|(?!was\b|is\b|as\b|this\b|has\b)[a-z]+s\b|of\b|more\b))"
)
_ERA = re.compile(r"(?<![\w.,])(\d{1,4}) ?(BCE|BC|AD|CE)(?![\w-])|\b(AD)(?= \d)")
_CIRCA = re.compile(r"(?<![\w.])(?:c|ca)\. ?(?=\d{3,4}\b)|© ?(?=(?:19|20)\d\d)")
_DAY_NAMES = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_DAYS = "|".join(sorted(_DAY_NAMES, key=len, reverse=True))
_DAY = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|[JFMASOND][a-z]+\s?[-–])")
_DAY_RANGE = re.compile(rf"\b({_DAYS})\.?\s?[-–]\s?({_DAYS})\b\.?")
_DAY_NAME = re.compile(
    rf"\b(?:({_DAYS})\.?(?=,? (?:{_MONTH.replace('?P<month>', '?:')} \d|\d))"
    r"|(Mon|Tues?|Thu(?:rs?)?|Fri)\b\.?(?=[\s,]|$))"
)
_NAMED = "|".join((*_MONTHS, *_SHORT, *_DAY_NAMES.values()))
_NAMED_RANGE = re.compile(rf"\b({_NAMED})\s?[-–]\s?({_NAMED})\b")
_BEFORE_DECADE = ("the ", "early ", "late ", "mid-", "his ", "her ", "my ", "their ", "'")
_DECADE_RANGE = re.compile(r"(?<=\d0s)\s?[-–]\s?(?=(?:1[1-9]|20|')\d0s\b)")
_DECADE = re.compile(
    r"(?<![\w.,])(?:(1[1-9]|20)|'|"
    rf"(?:{'|'.join(f'(?<={word})' for word in _BEFORE_DECADE)}))(\d)0'?s\b"
)


def say_dates(text: str) -> str:
    """`text` with its dates, times, years and decades in words; `3/4/2026` is March fourth."""
    text = _ISO.sub(lambda m: _date(m, m[1], m[2], m[3]), text)
    text = _SLASHED.sub(_slashed, text)
    text = _DAY_ONLY.sub(_day_only, text)
    text = _DOTTED.sub(lambda m: _date(m, m[3], m[2], m[1]), text)
    text = _DAY_MONTH.sub(_day_month, text)
    text = _MONTH_DAY.sub(_month_day, text)
    text = _MONTH_YEAR.sub(lambda m: f"{_month(m)} {year(m['year'])}", text)
    text = _CIRCA.sub(lambda m: "copyright " if m[0][0] == "©" else "circa ", text)
    text = _ERA.sub(_era, text)
    text = say_times(text)
    text = _DECADE.sub(_decade, _DECADE_RANGE.sub(" to ", text))
    text = _YEARS.sub(_years, text)
    text = _SEASON.sub(lambda m: f" {year(m[1])} {cardinal(m[2])} ", text)
    text = _YEAR_AFTER.sub(_year_after, text)
    return _YEAR_ALONE.sub(lambda m: year(m[1]), text)


def say_lone_years(text: str) -> str:
    """`text` with the numbers that can only be years in words, once all measures are."""
    return _YEAR_BY_ITSELF.sub(lambda m: year(m[1]), text)


def say_day_names(text: str) -> str:
    """`text` with "Mon" and "Tues." in full, and ranges of days and months with "to"."""
    if _DAY.search(text) is None:
        return text
    text = _DAY_RANGE.sub(lambda m: f"{_DAY_NAMES[m[1]]} to {_DAY_NAMES[m[2]]}", text)
    text = _DAY_NAME.sub(lambda m: _DAY_NAMES[m[1] or m[2]], text)
    if "-" not in text and "–" not in text:
        return text
    return _NAMED_RANGE.sub(lambda m: f"{_full(m[1])} to {_full(m[2])}", text)


def _full(name: str) -> str:
    return _SHORT.get(name, name)


def _date(match: re.Match[str], in_year: str, month: str, day: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    if len(in_year) == 2:
        in_year = f"20{in_year}"
    said_year = year(in_year) if int(in_year) else ""
    clock = " at " if match[0].endswith("T") else " "
    return f" {_MONTHS[int(month) - 1]} {ordinal(int(day))}, {said_year}{clock}"


def _slashed(match: re.Match[str]) -> str:
    month, day = match[1], match[2]
    return _date(match, match[3], *((day, month) if int(month) > 12 else (month, day)))


def _day_only(match: re.Match[str]) -> str:
    before, month, day = (part for part in match.groups() if part)
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return f"{before}{_MONTHS[int(month) - 1]} {ordinal(int(day))}"


def _month(match: re.Match[str]) -> str:
    name = match["month"].removesuffix(".")
    return _SHORT.get(name, name)


def _month_day(match: re.Match[str]) -> str:
    if not 1 <= int(match["day"]) <= 31:
        return match[0]
    said = f"{_month(match)} {ordinal(match['day'])}"
    if match["until"]:
        said += f" to {ordinal(match['until'])}"
    return said + (f", {year(match['year'])}" if match["year"] else "")


def _day_month(match: re.Match[str]) -> str:
    if not 1 <= int(match["day"]) <= 31:
        return match[0]
    said = f"the {ordinal(match['day'])} of {_month(match)}"
    return said + (f" {year(match['year'])}" if match["year"] else "")


def _decade(match: re.Match[str]) -> str:
    century, ten = match[1], match[2]
    if ten in "01":
        if not century:
            return match[0]
        if century == "20" and ten == "0":
            return " two thousands "
        return f" {cardinal(century)} {'hundreds' if ten == '0' else 'tens'} "
    tens = f"{cardinal(f'{ten}0')[:-1]}ies"
    return f" {cardinal(century)} {tens} " if century else f" {tens} "


def _era(match: re.Match[str]) -> str:
    return f"{year(match[1])} {spelled(match[2])}" if match[1] else "A-D"


def _years(match: re.Match[str]) -> str:
    until = year(match[2]) if len(match[2]) == 4 else cardinal(match[2].lstrip("0") or "0")
    return f" {year(match[1])} to {until} "


def _year_after(match: re.Match[str]) -> str:
    said = match[1] + year(match[2])
    return f"{said}{match[3]}{year(match[4])}" if match[4] else said
