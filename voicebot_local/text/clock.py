"""Times of day and time zones in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import cardinal, spelled

_HALF = r"(?P<half>[apAP])(?P<dot>\.?)[\s-]?[mM]\b(?P<stop>\.?)"
_TIME_RANGE = re.compile(
    r"(\d:\d\d|\b\d{1,2})(\s?[apAP](?:\.\s?|[ -])?[mM]\b\.?)?\s?[-–—]\s?"
    r"(?=\d{1,2}(?::\d\d|\s?[apAP](?:\.\s?|[ -])?[mM]\b))"
)
_TIME = re.compile(
    rf"(?<![\w:.])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    rf"(?![:\d]|\.\d)(?:\s?{_HALF})?(?P<utc>Z\b)?"
)
_HOUR = re.compile(rf"(?<![\w:.,])(?P<hour>1[0-2]|0?[1-9])\s?{_HALF}")
_OFFSET = re.compile(r"\b(UTC|GMT)\s?([+-])\s?(\d{1,2})(?::?([0-5]\d))?(?![\d:]|\.\d)")
ZONE = (
    "UTC|GMT|PST|PDT|EST|EDT|CST|CDT|MST|MDT|AKST|HST|CET|CEST|EET|EEST|BST|IST|JST|KST|AEST|AEDT|ET|CT"
    "|MT|PT"
)
_ZONE_AFTER = re.compile(
    rf"(?P<before>\d\s?|[apAP]\.?[\s-]?[mM]\.?\s?|\d \()(?P<zone>{ZONE})(?![\w-])"
)
_MILITARY = re.compile(r"(?<![\w.,:])([01]\d|2[0-3])(00|[0-5]\d)(?= (?:hours|hrs|h)\b)")


_DURATION = re.compile(r"(?<![\w.,])(\d{1,3})(h|m) ?(\d{1,2})(m|s)(?: ?(\d{1,2})s)?(?!\w)")
_PARTS = {"h": "hour", "m": "minute", "s": "second"}


def say_times(text: str) -> str:
    """`text` with its times of day, the zones behind them and offsets in words."""
    text = _OFFSET.sub(_offset, text)
    text = _DURATION.sub(_duration, text)
    text = _MILITARY.sub(_military, text)
    text = _TIME_RANGE.sub(r"\1\2 to ", text)
    text = _ZONE_AFTER.sub(lambda m: f"{m['before']} {spelled(m['zone'])}", text)
    text = _TIME.sub(_time, text)
    return _HOUR.sub(_time, text)


def _offset(match: re.Match[str]) -> str:
    sign = "plus" if match[2] == "+" else "minus"
    minutes = f" {cardinal(match[4])}" if match[4] and int(match[4]) else ""
    return f"{' '.join(match[1])} {sign} {cardinal(str(int(match[3])))}{minutes}"


def _duration(match: re.Match[str]) -> str:
    parts = [(match[1], match[2]), (match[3], match[4]), *([(match[5], "s")] if match[5] else [])]
    return " ".join(
        f"{cardinal(n)} {_PARTS[part]}{'' if int(n) == 1 else 's'}" for n, part in parts
    )


def _military(match: re.Match[str]) -> str:
    hour = f"zero {cardinal(match[1][1])}" if match[1][0] == "0" else cardinal(match[1])
    return f"{hour} {'hundred' if match[2] == '00' else _sixty(match[2])}"


def _time(match: re.Match[str]) -> str:
    found = match.groupdict()
    hour, minute, second = int(match["hour"]), found.get("minute"), found.get("second")
    half = f" {spelled(match['half'].upper() + 'M')}" if match["half"] else ""
    zone = " U T C" if found.get("utc") else ""
    if second and not int(second):
        second = None
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
    return f" {said}{half}{zone}{_stop(match)} "


def _sixty(minute: str) -> str:
    return f"oh {cardinal(minute[1])}" if minute.startswith("0") else cardinal(minute)


def _stop(match: re.Match[str]) -> str:
    """The full stop behind "p.m." where it also ends the sentence."""
    if not match["stop"]:
        return ""
    after = match.string[match.end() :].lstrip()
    if not match["dot"] or not after:
        return "."
    zone = re.match(r"(?:[A-Z][ -]){1,3}[A-Z]\b", after)  # "10 a.m. EST"
    return "." if after[0].isupper() and not zone else ""
