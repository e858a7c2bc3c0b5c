"""Signs and abbreviations in English words."""

from __future__ import annotations

import re
from collections.abc import Callable

from voicebot_local.text.abbreviations import AT_END, BEFORE_MORE, ends_with_abbreviation
from voicebot_local.text.clock import ZONE
from voicebot_local.text.numbers import spelled

_DIRECTIONS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_FIXED: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"\bC\+\+"), "C plus plus"),
    (re.compile(r"\b([CFGAD])#"), r"\1 sharp"),
    (re.compile(r"\bAT&T\b"), "A-T and T"),
    (re.compile(r"\bCO2\b"), "C O 2"),
    (re.compile(r"\b[Mm][Pp]([34])\b"), r"M P \1"),
    (re.compile(r"\bIPv([46])\b"), r"I P version \1"),
    (re.compile(r"(?<![\w/])km/h\b"), "kilometers per hour"),
    (re.compile(r"(?i)(?<!\w)c/o(?= [A-Z])"), "care of"),
    (re.compile(r"(?i)(?<!\w)b/c\b"), "because"),
    (re.compile(r"(?<!\w)([Ss])/he\b"), r"\1he or he"),
    (re.compile(r"(?i)\b(he|she|they)/(him|her|them|hers|they|theirs)\b"), r"\1 \2"),
    (re.compile(r"(?i)\beither/or\b"), "either or"),
    (re.compile(r"(?:^|(?<=\n))\s*(?:[-=]+>|[→⇒⟶➔➜])"), ""),
    (re.compile(r"(?<=\w)\^(?=[a-z]\b)"), " to the power of "),
    (re.compile(r"(?<=\w)\^[{(]?-(?=[a-z]\b)"), " to the power of minus "),
    (re.compile(r"(?<=degrees )\s?[NSEW]\b(?! [A-Z]\b)"), lambda m: _DIRECTIONS[m[0].strip()]),
    (re.compile(r"(?i)\band/or\b"), "and or"),
    (re.compile(r"(?i)(?<!\w)w/o\b"), "without"),
    (re.compile(r"(?i)(?<!\w)w/(?=\s|\w)"), "with "),
    (re.compile(r"(?i)(?<!\w)n/a\b"), "not applicable"),
    (re.compile(r"(?<=\bA)/(?=[A-Z]\b)"), "-"),
    (re.compile(r"(?<=\b[A-Z])/(?=[A-Z]\b)"), " "),
    (re.compile(r"\b([A-Z])–(?=[A-Z]\b)"), r"\1 to "),
    (re.compile(r"[<(-]-+>|[-=]+>|[→⇒⟶➔➜]"), " to "),
    (re.compile(r"<-+|[←⇐]"), " from "),
    (re.compile(r"!=|≠"), " is not equal to "),
    (re.compile(r"<=|≤"), " is at most "),
    (re.compile(r">=|≥"), " is at least "),
    (re.compile(r"=+"), " equals "),
    (re.compile(r"≈|(?<![\w~])~(?=\s?[\d$€£.])"), " about "),
    (re.compile(r"±|\+/-"), " plus or minus "),
    (re.compile(r"(?<=\S)\s+<\s+(?=\S)|(?<=\w)<(?=-?\d)|(?<!\S)<(?=\d)"), " is less than "),
    (re.compile(r"(?<=\S)\s+>\s+(?=\S)|(?<=\w)>(?=-?\d)|(?<!\S)>(?=\d)"), " is more than "),
    (re.compile(r"[×✕]|(?<=[\d)])\s*\*\s*(?=[\d(])"), " times "),
    (re.compile(r"÷|(?<=[\d)])\s+/\s+(?=[\d(])"), " divided by "),
    (re.compile(r"(?<!\w)#(?=\d)"), " number "),
    (re.compile(r"(?<!\w)#(?=[^\W\d_])"), " hashtag "),
    (re.compile(r"@(?=\w)|(?<=\w)\s+@\s+(?=\w)"), " at "),
    (re.compile(r"&+"), " and "),
    (re.compile(r"(?<=[\w)])\s*\+\s*(?=[\w(])|(?<!\S)\+(?=\d)"), " plus "),
    (re.compile(r"(?<=\d)\+|(?<=\w)\+(?=[\s.,;:!?)]|$)"), " plus "),
    (re.compile("§+"), " section "),
    (re.compile("%"), " percent "),
    (re.compile("°"), " degrees "),
    (re.compile("∞"), " infinity "),
    (re.compile("√"), " the square root of "),
    (re.compile(r"(?<=[A-Z])/(?=[A-Z]{2})|(?<=[A-Z]{2})/(?=[A-Z])"), " "),
    (re.compile(r"(?<=s)/(?=(?:second|minute|hour|day|week|month|year|person)\b)"), " per "),
    (re.compile(r"(?<=[^\W\d_])/(?=[^\W\d_])"), " or "),
    (re.compile(r"(?<=\d)/(?=[a-z])"), " per "),
]
_SIGN = re.compile(r"degrees|[–#<>=≠≤≥≈~±×✕÷*@&+§%°∞√/→⇒⟶➔➜←⇐^]|->|CO2|[Pp][34v]")

_VALUE = r"\s?(?=[$€£]?-?\.?\d)"
_BEFORE_NUMBERS = re.compile("[~≈<>=≤≥±+x×%]")
_SIGNED = [
    (re.compile(rf"(?:(?<![\w~)])~|≈){_VALUE}"), " about "),
    *(
        (
            re.compile(rf"(?:^|(?<=[(\[,;:]))\s?(?:{s}){_VALUE}|(?<=\s)(?:{s})(?=[$€£]?\d)"),
            f" {said} ",
        )
        for s, said in (
            (">=|≥", "at least"), ("<=|≤", "at most"), (">", "more than"), ("<", "less than"),
        )
    ),
    (re.compile(r"±\s?(?=\d)"), " plus or minus "),
    (re.compile(r"(?<![\w)+.,;/|])\+(?=[$€£]?\d)"), " plus "),
    (re.compile(r"(?<=\d)(\s?(?:cm|mm|in|ft|m|km|\"|')\.?) ?[x×] ?(?=\d)"), r"\1 by "),
    (re.compile(r"(?<=\d) ?[x×] ?(?=\d+(?:\.\d+)? ?(?:cm|mm|m|km|ft|GB|TB)\b)"), " by "),
    (re.compile(r"(?<=\d%)\s?[-–]\s?(?=\d)"), " to "),
]  # fmt: skip

_ZONE = re.compile(rf"(?:{ZONE})(?!\w)")
_NAMES = sorted((BEFORE_MORE | AT_END).keys(), key=len, reverse=True)
_ABBREVIATION = re.compile(
    rf"(?<![\w.'])(?P<name>{'|'.join(re.escape(name) for name in _NAMES)})\.(?!\w|\.)",
    re.IGNORECASE,
)
_STREET = re.compile(r"(?<=[a-z] )(St|Dr)\.(?=\s*(?:[,;.)]|$|[a-z]))")
_STREETS = {"St": "Street", "Dr": "Drive"}
_INITIALS = re.compile(r"(?<![\w.])((?:[^\W\d_]\.){2,})(?!\w)")


_WORDS = {
    "YoY": "year over year",
    "MoM": "month over month", "QoQ": "quarter over quarter", "PhD": "P H D", "PhDs": "P H D's",
    "pH": "P H", "nth": "enth",
}  # fmt: skip
_SHORT = {"vs": "versus", "etc": "et cetera", "aka": "also known as"}
_WORD = re.compile(
    rf"(?<![\w.'])(?<!slash )(?:vs|etc|aka)(?![\w.'])"
    rf"|(?<![\w.'])(?:{'|'.join(_WORDS)})(?![\w']|\.\w)"
)


def say_abbreviations(text: str) -> str:
    """Abbreviations with a full stop in full; the stop stays where it also ends the sentence."""
    text = _WORD.sub(lambda m: (_WORDS | _SHORT)[m[0]], text)
    if "." not in text:
        return text
    text = _STREET.sub(lambda m: _STREETS[m[1]], text)
    text = _ABBREVIATION.sub(_abbreviation, text)
    return _INITIALS.sub(_initials, text)


def say_comparisons(text: str) -> str:
    """`text` with the signs that stand right before a number in words: "about", "at least"."""
    if _BEFORE_NUMBERS.search(text):
        for pattern, words in _SIGNED:
            text = pattern.sub(words, text)
    return text


def say_signs(text: str) -> str:
    """Signs that a person says, in words; markup and ornaments are left for the final clean-up."""
    if not _SIGN.search(text):
        return text
    for pattern, words in _FIXED:
        text = pattern.sub(words, text)
    return text


def _abbreviation(match: re.Match[str]) -> str:
    name = match["name"]
    after = match.string[match.end() :].lstrip()
    known = name.lower()
    if known in AT_END:
        said = AT_END[known]
        if _ZONE.match(after):  # "10 a.m. EST"
            return said
        ends = not after or (after[0].isupper() and known not in ("jan", "feb", "aug", "sept"))
        return said + ("." if ends else "")
    if not ends_with_abbreviation(f"{name}.", after[:1]):
        return match[0]
    return BEFORE_MORE[known]


def _initials(match: re.Match[str]) -> str:
    after = match.string[match.end() :].lstrip()
    return spelled(match[1].replace(".", "")) + ("" if after else ".")
