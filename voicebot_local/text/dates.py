"""Dates, times of day and years in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import cardinal, ordinal, year

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_MONTH = f"(?P<month>{'|'.join(_MONTHS)}|(?:{'|'.join(sorted(_SHORT, reverse=True))})\\b\\.?)"
_YEAR = r"(?:1[1-9]|20)\d\d"
_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d\d:)|(?![\w-]))")
_SLASHED = re.compile(r"(?<![\w/.])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])")
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
_HALF = r"(?P<half>[apAP])(?P<dot>\.?)\s?[mM]\b(?P<stop>\.?)"
_TIME_RANGE = re.compile(
    r"(\d:\d\d|\b\d{1,2})(\s?[apAP]\.?[mM]\b\.?)?\s?[-–—]\s?"
    r"(?=\d{1,2}(?::\d\d|\s?[apAP](?:\.\s?| )?[mM]\b))"
)
_TIME = re.compile(
    rf"(?<![\w:.])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    rf"(?![:\d]|\.\d)(?:\s?{_HALF})?"
)
_HOUR = re.compile(rf"(?<![\w:.,])(?P<hour>1[0-2]|0?[1-9])\s?{_HALF}")
_YEARS = re.compile(rf"(?<![\w.,])({_YEAR})\s?[-–—]\s?({_YEAR}|\d\d)(?![\w.,]\d|\w)")
_YEAR_AFTER = re.compile(
    rf"\b((?:in|since|by|until|till|from|during|around|circa|early|late|mid|before|after|year|of"
    rf"|summer|winter|spring|autumn|fall)[ -])({_YEAR})(?:( (?:to|and) )({_YEAR}))?"
    r"(?![\w%]|[.,:/-]\d|\s+(?!was\b|is\b|as\b|this\b|has\b)[a-z]+s\b)",
    re.IGNORECASE,
)
_YEAR_ALONE = re.compile(rf"(?<=\()({_YEAR})(?=\))")
_BEFORE_DECADE = ("the ", "early ", "late ", "mid-", "his ", "her ", "my ", "their ", "'")
_DECADE = re.compile(
    r"(?<![\w.,])(?:(1[1-9]|20)|'|"
    rf"(?:{'|'.join(f'(?<={word})' for word in _BEFORE_DECADE)}))(\d)0'?s\b"
)


def say_dates(text: str) -> str:
    """`text` with its dates, times, years and decades in words; `3/4/2026` is March fourth."""
    text = _ISO.sub(lambda m: _date(m, m[1], m[2], m[3]), text)
    text = _SLASHED.sub(_slashed, text)
    text = _DOTTED.sub(lambda m: _date(m, m[3], m[2], m[1]), text)
    text = _DAY_MONTH.sub(_day_month, text)
    text = _MONTH_DAY.sub(_month_day, text)
    text = _MONTH_YEAR.sub(lambda m: f"{_month(m)} {year(m['year'])}", text)
    text = _TIME_RANGE.sub(r"\1\2 to ", text)
    text = _TIME.sub(_time, text)
    text = _HOUR.sub(_time, text)
    text = _DECADE.sub(_decade, text)
    text = _YEARS.sub(_years, text)
    text = _YEAR_AFTER.sub(_year_after, text)
    return _YEAR_ALONE.sub(lambda m: year(m[1]), text)


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


def _time(match: re.Match[str]) -> str:
    found = match.groupdict()
    hour, minute, second = int(match["hour"]), found.get("minute"), found.get("second")
    half = f" {match['half'].upper()} M" if match["half"] else ""
    said = cardinal(str(hour))
    if minute and int(minute):
        said += f" {_sixty(minute)}"
    elif minute and not second and not half:
        if hour in (0, 24):
            said = "midnight"
        else:
            said += " o'clock" if hour <= 12 else " hundred"
    if second:
        said += ("" if minute and int(minute) else " zero") + f" and {cardinal(str(int(second)))}"
        said += " seconds"
    return f" {said}{half}{_stop(match)} "


def _sixty(minute: str) -> str:
    return f"oh {cardinal(minute[1])}" if minute.startswith("0") else cardinal(minute)


def _stop(match: re.Match[str]) -> str:
    """The full stop behind "p.m." where it also ends the sentence."""
    if not match["stop"]:
        return ""
    after = match.string[match.end() :].lstrip()
    return "." if not match["dot"] or not after or after[0].isupper() else ""


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


def _years(match: re.Match[str]) -> str:
    until = year(match[2]) if len(match[2]) == 4 else cardinal(match[2].lstrip("0") or "0")
    return f" {year(match[1])} to {until} "


def _year_after(match: re.Match[str]) -> str:
    said = match[1] + year(match[2])
    return f"{said}{match[3]}{year(match[4])}" if match[4] else said
