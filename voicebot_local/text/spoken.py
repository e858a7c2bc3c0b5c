"""What a person would say: written text as words that any synthesizer can read."""

from __future__ import annotations

import re
import unicodedata

from voicebot_local.text.abbreviations import is_abbreviation
from voicebot_local.text.addresses import say_addresses
from voicebot_local.text.capitals import say_capitals, say_letter_names
from voicebot_local.text.codes import say_codes, say_directions
from voicebot_local.text.dates import say_dates, say_day_names, say_lone_years
from voicebot_local.text.languages import knows, say_in
from voicebot_local.text.latex import say_latex
from voicebot_local.text.markdown import plain
from voicebot_local.text.numbers import ascii_digits
from voicebot_local.text.numerals import say_numerals, say_phones
from voicebot_local.text.quantities import say_quantities
from voicebot_local.text.symbols import say_abbreviations, say_comparisons, say_signs
from voicebot_local.text.technical import say_greek, say_technical
from voicebot_local.text.versions import say_versions

_MOST_PASSES = 6
_SIMPLE = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*(?:[,;:]? [A-Za-z]+(?:['-][A-Za-z]+)*)*[.!?,;:]?")
_SPELLED = re.compile(
    r"[A-Z]{2}|[a-z][A-Z]|[a-z] (?:A |[VXL]|I[VXI])|[A-Z][a-z]+ I\b"
    r"|\b(?:vs|etc|aka|nth|Mon|T(?:ues?|hu(?:rs?)?)|Fri|[Aa] (?:plus|minus|squared|equals))\b"
)
_BEFORE_NFKC = str.maketrans(
    {
        "º": "°", "−": "-", "‐": "-", "‑": "-", "‒": "–",
        "’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "`",
        "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅛": " 1/8", "⅜": " 3/8",
        "⅝": " 5/8", "⅞": " 7/8", "⁄": "/", "№": "number ", "™": "", "®": "", "µ": "μ",
    }
)  # fmt: skip
_FOR_PEOPLE = str.maketrans(dict.fromkeys('"“”„«»‹›『』「」《》〈〉', " "))
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
_RAISED = re.compile("[⁰¹²³⁴-⁹ⁿ⁺⁻]+")
_EMOTICON = re.compile(
    r"(?<!\S)(?:[:;=8xX]['^]?-?[)(DPpOo/|\]\[3*]+|<3|\^_*\^|[xX]D|¯\\?_\(ツ\)_/¯|[)(]-?[:;=])(?=$|[\s.,!?])"
)
_LONG_DASH = re.compile(r"\s*[—―]+\s*|\s+–+\s+|\s+-{1,3}\s+|(?<=\w)--+(?=\w)")
_BRACKET = re.compile(r"(?<=[\w.!?])\s*[(\[{]+\s*(?=\w)|\s*[)\]}]+\s*(?=\w)")
_KEPT = ".,!?;:'-。、؟،؛।¿¡\n"
_UNSAID_ASCII = re.compile(r"[^A-Za-z.,!?;:'\n -]")
_DIGIT = re.compile("[0-9]")
_PAUSES = re.compile(r"[.,!?;:](?:\s*[.,!?;:])+")
_LOOSE = re.compile(r"(?<![^\W\d_])['-]+|['-]+(?![^\W\d_])")
_DOT_INSIDE = re.compile(r"(?<=[^\W\d_])\.(?=[a-zà-ÿ])")
_NO_SPACE_AFTER = re.compile(r"(?<=[.,!?;:])(?=[^\W\d_])")
_WIDE_SPACE = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n(?: ?\n)+")
_SPACE_BEFORE = re.compile(r"\s+(?=[.,!?;:])")
_AT_START = re.compile(r"^[\s.,!?;:]+")
_DOT = {"en": " dot ", "de": " Punkt ", "fr": " point ", "es": " punto ", "it": " punto "}


def spoken(text: str, language: str = "en") -> str:
    """`text` as a person would say it; "" where there is nothing to say.

    Markdown, emoji and quotation marks go; links become their text, a block of code the words "a
    piece of code"; numbers, dates, times, money, units, signs, addresses and abbreviations become
    words; acronyms that are spelled come letter by letter ("G P U"), because synthesizers differ
    in guessing which those are. The result holds letters and plain punctuation only, no digit.
    Dates such as 3/4/2026 are read in the American order.

    `language` is a code such as "en", "de", "zh-cn". English is complete. In other languages
    numbers and a few signs are put in words; digits stay where num2words lacks the language.

    Idempotent, deterministic, and takes any text without raising.
    """
    if language == "en" and _is_simple(text):
        return text
    for _ in range(_MOST_PASSES):
        said = _pass(text, language)
        if said == text or (language == "en" and _is_simple(said)):
            return said
        text = said
    return text


def _is_simple(text: str) -> bool:
    """Whether `text` is plain words, without any that is said otherwise than it is written."""
    if _SIMPLE.fullmatch(text) is None or _SPELLED.search(text):
        return False
    last = text.rpartition(" ")[2]
    return not (last.endswith(".") and is_abbreviation(last))


def _pass(text: str, language: str) -> str:
    text = _KEYCAP.sub(" ", text.translate(_BEFORE_NFKC))
    text = _EMOTICON.sub(" ", text)
    if not text.isascii():
        text = _RAISED.sub(_power, text)
    text = unicodedata.normalize("NFKC", text)
    text = _EMPTY_LINES.sub("\n\n", _WIDE_SPACE.sub(" ", text))
    text = ascii_digits(text)
    if language == "en":
        text = _english(plain(say_latex(text)))
    else:
        text = say_in(say_addresses(plain(text)), language.split("-")[0])
    text = _clean(text, language)
    return say_letter_names(text) if language == "en" else text


def _english(text: str) -> str:
    text = say_technical(say_addresses(text))
    text = say_abbreviations(say_directions(text))
    text = say_day_names(text)
    if _DIGIT.search(text):
        text = say_dates(say_phones(say_codes(say_versions(text))))
        text = say_lone_years(say_quantities(say_comparisons(text)))
        text = say_signs(text)
        text = say_numerals(text)
    else:
        text = say_signs(text)
    return say_capitals(say_greek(text))


def _power(match: re.Match[str]) -> str:
    return "^" + unicodedata.normalize("NFKC", match[0]).replace("−", "-")


def _clean(text: str, language: str) -> str:
    text = _WIDE_SPACE.sub(" ", text.translate(_FOR_PEOPLE))
    text = _BRACKET.sub(", ", text)
    text = _LONG_DASH.sub(", ", text)
    text = text.replace("_", " ").replace("–", "-")
    digits_stay = language != "en" and not knows(language.split("-")[0])
    if text.isascii() and not digits_stay:
        text = _UNSAID_ASCII.sub(" ", text)
    else:
        text = "".join(c if _is_said(c, digits_stay) else " " for c in text)
    text = _LOOSE.sub(" ", text)
    text = _DOT_INSIDE.sub(_DOT.get(language, " "), text)
    text = " ".join(text.split())
    text = _SPACE_BEFORE.sub("", text)
    text = _PAUSES.sub(_one_pause, text)
    text = _NO_SPACE_AFTER.sub(" ", text)
    text = _AT_START.sub("", text)
    return text if any(c.isalnum() for c in text) else ""


def _is_said(char: str, digits_stay: bool) -> bool:
    if char in _KEPT or char == " ":
        return True
    category = unicodedata.category(char)
    if category[0] == "N":
        return digits_stay or char == "〇"
    if category[0] == "M":
        return category != "Me" and not 0xFE00 <= ord(char) <= 0xFE0F
    return category[0] == "L"


def _one_pause(match: re.Match[str]) -> str:
    marks = match[0]
    for strongest in "?!":
        if strongest in marks:
            return strongest
    if "..." in marks:
        return "..."
    return next(mark for mark in ".;:," if mark in marks)
