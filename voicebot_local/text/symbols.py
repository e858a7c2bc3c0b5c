"""Signs, abbreviations, acronyms and Roman numerals in English words."""

from __future__ import annotations

import re

from voicebot_local.text.abbreviations import AT_END, BEFORE_MORE, ends_with_abbreviation
from voicebot_local.text.numbers import cardinal, ordinal

_FIXED = [
    (re.compile(r"\bC\+\+"), "C plus plus"),
    (re.compile(r"\b([CFGAD])#"), r"\1 sharp"),
    (re.compile(r"\bAT&T\b"), "A T and T"),
    (re.compile(r"\bCO2\b"), "C O 2"),
    (re.compile(r"\b[Mm][Pp]([34])\b"), r"M P \1"),
    (re.compile(r"\bIPv([46])\b"), r"I P version \1"),
    (re.compile(r"(?<![\w/])km/h\b"), "kilometers per hour"),
    (re.compile(r"(?<=\w)\^(?=[a-z]\b)"), " to the power of "),
    (re.compile(r"(?i)\band/or\b"), "and or"),
    (re.compile(r"(?i)(?<!\w)w/o\b"), "without"),
    (re.compile(r"(?i)(?<!\w)w/(?=\s|\w)"), "with "),
    (re.compile(r"(?i)(?<!\w)n/a\b"), "not applicable"),
    (re.compile(r"[<(-]-+>|[-=]+>|[→⇒⟶➔➜]"), " to "),
    (re.compile(r"<-+|[←⇐]"), " from "),
    (re.compile(r"!=|≠"), " is not equal to "),
    (re.compile(r"<=|≤"), " is at most "),
    (re.compile(r">=|≥"), " is at least "),
    (re.compile(r"=+"), " equals "),
    (re.compile(r"≈|(?<![\w~])~(?=\s?[\d$€£.])"), " about "),
    (re.compile(r"±|\+/-"), " plus or minus "),
    (re.compile(r"(?<=\S)\s+<\s+(?=\S)|(?<=\d)<(?=\d)|(?<!\S)<(?=\d)"), " is less than "),
    (re.compile(r"(?<=\S)\s+>\s+(?=\S)|(?<=\d)>(?=\d)|(?<!\S)>(?=\d)"), " is more than "),
    (re.compile(r"[×✕]|(?<=[\d)])\s*\*\s*(?=[\d(])"), " times "),
    (re.compile(r"÷|(?<=[\d)])\s+/\s+(?=[\d(])"), " divided by "),
    (re.compile(r"(?<!\w)#(?=\d)"), " number "),
    (re.compile(r"(?<!\w)#(?=[^\W\d_])"), " hashtag "),
    (re.compile(r"@(?=\w)|(?<=\w)\s+@\s+(?=\w)"), " at "),
    (re.compile(r"&+"), " and "),
    (re.compile(r"(?<=[\w)])\s*\+\s*(?=[\w(])|(?<!\S)\+(?=\d)"), " plus "),
    (re.compile(r"(?<=\d)\+"), " plus "),
    (re.compile("§+"), " section "),
    (re.compile("%"), " percent "),
    (re.compile("°"), " degrees "),
    (re.compile("∞"), " infinity "),
    (re.compile("√"), " the square root of "),
    (re.compile(r"(?<=[A-Z])/(?=[A-Z]{2})|(?<=[A-Z]{2})/(?=[A-Z])"), " "),
    (re.compile(r"(?<=[^\W\d_])/(?=[^\W\d_])"), " or "),
    (re.compile(r"(?<=\d)/(?=[^\W\d_])"), " per "),
]
_SIGN = re.compile(r"[#<>=≠≤≥≈~±×✕÷*@&+§%°∞√/→⇒⟶➔➜←⇐^]|->|CO2|[Pp][34v]")

_NAMES = sorted((BEFORE_MORE | AT_END).keys(), key=len, reverse=True)
_ABBREVIATION = re.compile(
    rf"(?<![\w.'])(?P<name>{'|'.join(re.escape(name) for name in _NAMES)})\.(?!\w|\.)",
    re.IGNORECASE,
)
_STREET = re.compile(r"(?<=[a-z] )(St|Dr)\.(?=\s*(?:[,;.)]|$|[a-z]))")
_STREETS = {"St": "Street", "Dr": "Drive"}
_INITIALS = re.compile(r"(?<![\w.])((?:[^\W\d_]\.){2,})(?!\w)")

_SPELLED = (
    "AI|API|APIs|ASR|ATM|CEO|CIA|CPU|DIY|DNA|EU|FAQ|FBI|GPU|IBM|ID|IDE|IDs|IO|IP|IQ|IRS|IT|LED|LLM"
    "|MIT|OK|OS|PIN|RNA|SQL|UFO|UI|UK|UN|URI|URL|US|USA|USB|UV|UX|VIP|VPN|YMCA|AC|DC|OCR|BBC|HIV"
)
_NOT_SPELLED = frozenset({"IT", "OK", "PIN", "US"})
_KNOWN = frozenset(_SPELLED.split("|")) - _NOT_SPELLED
_CAPITALS = re.compile(r"(?<![\w'])([A-Z]{2,6})(s?)(?![\w]|'[a-rt-z])")

_RULERS = (
    "Henry|Louis|Charles|George|Edward|William|Richard|James|Elizabeth|Mary|John Paul|Benedict|Pius"
    "|Napoleon|Philip|Francis|Frederick|Alexander|Nicholas|Catherine|Peter|Leo|Gregory|Ramses"
)
_REGNAL = re.compile(rf"\b({_RULERS}) ([IVX]{{2,6}}|V|X)(?!\w|\.\w)")
_COUNTED = re.compile(
    r"\b(World War|Chapter|Part|Volume|Act|Book|Phase|Level|Type|Class|Star Wars|Rocky|Super Bowl"
    r"|Final Fantasy|Section|Article|Grade|Stage) ([IVXL]{1,7})(?!\w|\.\w|\s+am\b)"
)
_ROMAN = re.compile(r"(?=[IVXL])(XL|L?X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}


def say_abbreviations(text: str) -> str:
    """Abbreviations with a full stop in full; the stop stays where it also ends the sentence."""
    if "." not in text:
        return text
    text = _STREET.sub(lambda m: _STREETS[m[1]], text)
    text = _ABBREVIATION.sub(_abbreviation, text)
    return _INITIALS.sub(_initials, text)


def say_signs(text: str) -> str:
    """Signs that a person says, in words; markup and ornaments are left for the final clean-up."""
    if not _SIGN.search(text):
        return text
    for pattern, words in _FIXED:
        text = pattern.sub(words, text)
    return text


def say_capitals(text: str) -> str:
    """Roman numerals as numbers, and acronyms that are said letter by letter as letters.

    Those are the well-known ones and all without a vowel (GPU, HTTP); other words in capitals are
    read as words (NASA, and "STOP" in a shout).
    """
    text = _REGNAL.sub(_regnal, text)
    text = _COUNTED.sub(_counted, text)
    return _CAPITALS.sub(_acronym, text)


def _abbreviation(match: re.Match[str]) -> str:
    name = match["name"]
    after = match.string[match.end() :].lstrip()
    known = name.lower()
    if known in AT_END:
        said = AT_END[known]
        ends = not after or (after[0].isupper() and known not in ("jan", "feb", "aug", "sept"))
        return said + ("." if ends else "")
    if not ends_with_abbreviation(f"{name}.", after[:1]):
        return match[0]
    return BEFORE_MORE[known]


def _initials(match: re.Match[str]) -> str:
    after = match.string[match.end() :].lstrip()
    return " ".join(match[1].replace(".", " ").split()) + ("" if after else ".")


def _acronym(match: re.Match[str]) -> str:
    word = match[1]
    if word not in _KNOWN and any(c in "AEIOUY" for c in word):
        return match[0]
    return " ".join(word) + match[2]


def _roman(numeral: str) -> int:
    if not _ROMAN.fullmatch(numeral):
        return 0
    values = [_ROMAN_VALUES[c] for c in numeral]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _regnal(match: re.Match[str]) -> str:
    number = _roman(match[2])
    return f"{match[1]} the {ordinal(number).capitalize()}" if number else match[0]


def _counted(match: re.Match[str]) -> str:
    number = _roman(match[2])
    return f"{match[1]} {cardinal(str(number)).capitalize()}" if number else match[0]
