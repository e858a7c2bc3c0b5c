"""Money, measures and percentages in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import NUMBER, cardinal, fraction, is_one, mixed
from voicebot_local.text.units import PER, UNIT, each, in_words

AMOUNT = (
    rf"(?:(?<![\w.)])(?P<minus>-))?(?<![\w.,])(?P<low>{NUMBER})(?![\d,]\d)"
    rf"(?:\s?[-–—]\s?(?P<high>{NUMBER}))?"
)
"""A number, perhaps negative, or a range of two."""

_SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "bn": "billion", "b": "billion", "B": "billion", "T": "trillion",
    "tn": "trillion",
}  # fmt: skip
_SCALE_WORDS = "thousand|million|billion|trillion"
_SCALE = rf"(?:(?P<scale>bn|mn|tn|[kKmMbBT])(?!\w)|[\s-](?P<word>{_SCALE_WORDS})\b)?"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₩": ("won", "won", "jeon", "jeon"),
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "JPY": ("yen", "yen", "sen", "sen"),
    "¢": ("cent", "cents", "", ""),
}
_SIGNS = "[$€£¥₹₽₩]"
_NAMES = "USD|EUR|GBP|CHF|JPY"
_COUNTRIES = {
    "US": "U S", "U.S.": "U S", "C": "Canadian", "CA": "Canadian", "A": "Australian",
    "AU": "Australian", "NZ": "New Zealand", "HK": "Hong Kong", "S": "Singapore",
}  # fmt: skip
_MONEY_BEFORE = re.compile(
    r"(?P<a>\b[Aa]n? )?(?:(?<!\w)(?P<minus_before>-))?"
    rf"(?:(?<!\w)(?P<country>{'|'.join(map(re.escape, _COUNTRIES))})(?=\$))?"
    rf"(?P<cur>{_SIGNS}|\b(?:{_NAMES})(?=\s?\d))\s?(?P<minus>-)?"
    rf"(?P<low>{NUMBER})(?:\s?[-–—]\s?(?:{_SIGNS})?(?P<high>{NUMBER}))?{_SCALE}{PER}"
)
_SAME_SCALE = re.compile(rf"({_SIGNS}{NUMBER})([kKMBT]|bn)\s?[-–—]\s?(?={_SIGNS}{NUMBER}\2(?!\w))")
_MONEY_AFTER = re.compile(rf"{AMOUNT}{_SCALE}\s?(?P<cur>{_SIGNS}|¢|(?:{_NAMES})\b)")
_DECIMAL_COMMA = re.compile(rf"\b(\d+),(\d\d)(?=\s?(?:{_SIGNS}|(?:{_NAMES})\b))")

_MEASURE = re.compile(
    rf"(?P<a>\b[Aa]n? )?{AMOUNT}(?P<gap>\s?-?){UNIT}(?![\w^]){PER}(?!/[A-Za-z])"
    r"(?:\.(?=\s[a-z(]))?(?P<noun> [a-z]{2,20})?"
)
_DIGIT = re.compile("[0-9]")
_MEASURED = frozenset(
    {
        "sprint",
        "race",
        "relay",
        "freestyle",
        "hurdles",
        "film",
        "lens",
        "camera",
        "laptop",
        "display",
        "screen",
    }
)
_NOT_MEASURED = frozenset(
    {"of", "in", "at", "and", "or", "to", "from", "by", "per", "is", "was", "for", "on", "with"}
)
_INCHES = re.compile(rf"(?<![\w.,'])({NUMBER})\"(?=([\s-]\w+)?)(?!\w)")
_SCIENTIFIC = re.compile(
    rf"(?<![\w.])(?P<minus>-)?(?:(?P<low>{NUMBER})(?:\s?[×x*·⋅]\s?10\^[{{(]?|[eE])|10\^[{{(]?)(?P<power>[+-]?\d{{1,3}})"
    rf"(?![\d.])[)}}]?(?:\s?{UNIT}(?![\w^]){PER})?"
)
_FRACTION_OF = re.compile(
    rf"(?<![\w./])(?:(?P<whole>\d+)\s)?(?P<above>\d{{1,2}})/(?P<below>\d{{1,2}})[\s-]?{UNIT}(?![\w^/])(?:\.(?=\s[a-z(]))?"
)
_PRESSURE = re.compile(r"(?<![\w./])(\d{2,3})/(\d{2,3})(?:\s?mm ?Hg\b|(?<=[5-9]\d)(?= blood))")
_SPACED_THOUSANDS = re.compile(
    r"(?<![\w.,+-])(?<!\d )[1-9]\d{0,2}(?:(?: \d{3}){2,4}|(?:\.\d{3}){2,4}|(?: 000)+)"
    r"(?!\d|[.,-]\d| \d)"
)
_FEET_AND_INCHES = re.compile(r"(?<![\w.])(\d{1,2})'\s?(\d{1,2})(?:\"|''|″|(?<=[4-7]'\d)\b)")
_FEET_THEN_INCHES = re.compile(
    r"(\d\s?ft\.?,?\s\d{1,2}\s?)in(?!\w|\.|\s+(?:the|a|an|this|that|my|your|his|her|our|their)\b)"
)
_POINTS_AND_COMMA = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+),(\d\d)(?!\d|[.,]\d)")
_SCALED = re.compile(
    rf"(?!\b[248]K\b|\b\d{{1,2}}K (?:run|race)\b){AMOUNT}\s?(?P<scale>bn|[kKMB])(?!\w)"
)


def say_quantities(text: str) -> str:
    """`text` with sums of money, measures and percentages in words."""
    if _DIGIT.search(text) is None:
        return text
    text = _SPACED_THOUSANDS.sub(lambda m: m[0].replace(" ", "").replace(".", ""), text)
    text = _POINTS_AND_COMMA.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _FEET_THEN_INCHES.sub(r"\1in.", text)
    text = _SAME_SCALE.sub(r"\1 – ", text)
    text = _SCIENTIFIC.sub(_scientific, text)
    text = _MONEY_BEFORE.sub(_money, text)
    text = _MONEY_AFTER.sub(_money, text)
    if text.count('"') == 1:  # two of them are quotation marks
        text = _INCHES.sub(_inches, text)
    text = _FEET_AND_INCHES.sub(lambda m: f" {cardinal(m[1])} foot {cardinal(m[2])} ", text)
    text = _PRESSURE.sub(
        lambda m: f" {cardinal(m[1])} over {cardinal(m[2])} millimeters of mercury ", text
    )
    text = _FRACTION_OF.sub(_fraction_of, text)
    text = _MEASURE.sub(_measure, text)
    return _SCALED.sub(lambda m: f" {amount(m)} {_SCALES[m['scale']]} ", text)


def amount(match: re.Match[str]) -> str:
    """The number or range that `AMOUNT` matched, in words."""
    said = cardinal(match["low"])
    if match["high"]:
        said += f" to {cardinal(match['high'])}"
    return f"minus {said}" if match["minus"] else said


def _singular(match: re.Match[str]) -> bool:
    return is_one(match["low"]) and not match["high"]


def _measure(match: re.Match[str]) -> str:
    """ "a five kilometer run", but "five kilometers"."""
    noun = (match["noun"] or "").strip()
    attribute = (match["a"] and noun and noun not in _NOT_MEASURED) or noun in _MEASURED
    one = bool(_singular(match) or "-" in match["gap"] or attribute)
    said = f"{amount(match)} {in_words(match['unit'], match['per'], one=one)}"
    return f"{match['a'] or ''} {said} {match['noun'] or ''}"


def _inches(match: re.Match[str]) -> str:
    noun = (match[2] or "").strip(" -")
    many = noun in _NOT_MEASURED | {"", "long", "tall", "wide", "deep", "thick", "x", "high"}
    return f" {cardinal(match[1])} {'inches' if many and not is_one(match[1]) else 'inch'} "


def _scientific(match: re.Match[str]) -> str:
    power = match["power"]
    said = f"{cardinal(match['low'])} times " if match["low"] else ""
    said += "ten to the power of "
    said += ("minus " if power[0] == "-" else "") + cardinal(str(int(power.lstrip("+-"))))
    if match["unit"]:
        said += f" {in_words(match['unit'], match['per'], one=False)}"
    return f" {'minus ' if match['minus'] else ''}{said} "


def _fraction_of(match: re.Match[str]) -> str:
    above, below = int(match["above"]), int(match["below"])
    if not 0 < above < below:
        return match[0]
    one = match["whole"] is None
    unit = in_words(match["unit"], None, one=one)
    said = fraction(above, below)
    if not one:
        return f" {mixed(match['whole'], above, below)} {unit} "
    return (
        f" {said} {unit} "
        if above == 1
        else f" {said} of {'an' if unit[0] in 'aeiou' else 'a'} {unit} "
    )


def _money(match: re.Match[str]) -> str:
    one, many, minor_one, minor_many = _CURRENCIES[match["cur"]]
    said_scale = _SCALES.get(match["scale"] or "", match["word"] or "")
    groups = match.groupdict()
    if attribute := groups.get("a"):  # "a five dollar bill"
        many, minor_many = one, minor_one
    if country := groups.get("country"):
        one, many = f"{_COUNTRIES[country]} {one}", f"{_COUNTRIES[country]} {many}"
    sign = "minus " if groups["minus"] or groups.get("minus_before") else ""
    before, after = f"{attribute or ''} {sign}", f"{each(groups.get('per'))} "
    whole, _, cents = match["low"].partition(".")
    if said_scale or match["high"] or len(cents) != 2 or not minor_one:
        low = cardinal(match["low"])
        high = f" to {cardinal(match['high'])}" if match["high"] else ""
        name = one if _singular(match) and not said_scale else many
        return f"{before}{low}{high} {said_scale} {name}{after}"
    parts = []
    if int(whole.replace(",", "")) or cents == "00":
        parts.append(f"{cardinal(whole)} {one if is_one(whole) else many}")
    if cents != "00":
        parts.append(f"{cardinal(str(int(cents)))} {minor_one if cents == '01' else minor_many}")
    return f"{before}{' and '.join(parts)}{after}"
