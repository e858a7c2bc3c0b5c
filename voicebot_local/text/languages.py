"""Numbers and signs in the other languages, as far as num2words knows them."""

from __future__ import annotations

import re

from num2words import CONVERTER_CLASSES, num2words

_SIGNS = {
    "de": {"%": "Prozent", "&": "und", "+": "plus", "=": "gleich", "°": "Grad", "€": "Euro",
           "$": "Dollar", "£": "Pfund", "-": "minus", ".": "Punkt", "@": "at"},
    "fr": {"%": "pour cent", "&": "et", "+": "plus", "=": "égale", "°": "degrés", "€": "euros",
           "$": "dollars", "£": "livres", "-": "moins", ".": "point", "@": "arobase"},
    "es": {"%": "por ciento", "&": "y", "+": "más", "=": "igual a", "°": "grados", "€": "euros",
           "$": "dólares", "£": "libras", "-": "menos", ".": "punto", "@": "arroba"},
    "it": {"%": "per cento", "&": "e", "+": "più", "=": "uguale", "°": "gradi", "€": "euro",
           "$": "dollari", "£": "sterline", "-": "meno", ".": "punto", "@": "chiocciola"},
    "pt": {"%": "por cento", "&": "e", "+": "mais", "=": "igual a", "°": "graus", "€": "euros",
           "$": "dólares", "£": "libras", "-": "menos", ".": "ponto", "@": "arroba"},
    "nl": {"%": "procent", "&": "en", "+": "plus", "=": "is", "°": "graden", "€": "euro",
           "$": "dollar", "£": "pond", "-": "min", ".": "punt", "@": "apenstaartje"},
    "pl": {"%": "procent", "&": "i", "+": "plus", "=": "równa się", "°": "stopni", "€": "euro",
           "$": "dolarów", "£": "funtów", "-": "minus", ".": "kropka", "@": "małpa"},
}  # fmt: skip
_MONEY = re.compile(r"([€$£])\s?(\d[\d.,]*\d|\d)")
_NEGATIVE = re.compile(r"(?<![\w.,)-])-(?=\d)")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:([., \u00a0'])\d{3})(?:\1\d{3})*(?![\d])")
_NUMBER = re.compile(r"(\d+)(?:[.,](\d+))?")
_CLOCK = re.compile(r"(?<=\d):(?=\d\d)")
_POINT_LANGUAGES = frozenset({"ko", "he"})
_WITHOUT_SPACES = frozenset({"ja", "th"})
_LONGEST = 15


def knows(language: str) -> bool:
    """Whether numbers can be put in words of `language`."""
    return language in CONVERTER_CLASSES and language not in _WITHOUT_SPACES


def say_in(text: str, language: str) -> str:
    """`text` with signs and numbers in words of `language`, a code such as "de".

    Where num2words lacks the language, or it has no spaces between words, digits stay, for the
    synthesizer to read.
    """
    signs = _SIGNS.get(language, {})
    text = _CLOCK.sub(" ", _MONEY.sub(r"\2 \1", text)).replace("°C", "° Celsius")
    if "-" in signs:
        text = _NEGATIVE.sub(f" {signs['-']} ", text)
    for sign in "%&+=°€$£@":
        if sign in text:
            text = text.replace(sign, f" {signs.get(sign, '')} ")
    if not knows(language) or not any(c.isdigit() for c in text):
        return text
    text = _GROUPED.sub(lambda m: _ungrouped(m, language), text)
    return _NUMBER.sub(lambda m: f" {_number(m, language)} ", text)


def _ungrouped(match: re.Match[str], language: str) -> str:
    mark = match[1]
    if mark == ("." if language in _POINT_LANGUAGES else ",") and match[0].count(mark) == 1:
        return match[0]  # one mark of this kind is the decimal one
    return match[0].replace(mark, "")


def _number(match: re.Match[str], language: str) -> str:
    whole, fraction = match[1], match[2]
    if len(whole) > _LONGEST or (len(whole) > 1 and whole[0] == "0"):
        said = _digits(whole, language)
    else:
        said = _say(int(whole), language)
    if not fraction:
        return said
    # Between the point and the digits num2words knows the language's word for the point.
    try:
        point = str(num2words(1.5, lang=language)).split()[1]
    except (NotImplementedError, IndexError):
        point = ","
    return f"{said} {point} {_digits(fraction, language)}"


def _digits(text: str, language: str) -> str:
    return " ".join(_say(int(digit), language) for digit in text)


def _say(number: int, language: str) -> str:
    return str(num2words(number, lang=language))
