"""Abbreviations with a full stop: how to say them, and whether a sentence may end there."""

from __future__ import annotations

import re

# The value is what a person says; a stop after these never ends a sentence.
BEFORE_MORE = {
    "dr": "Doctor",
    "mr": "Mister",
    "mrs": "Missus",
    "ms": "Miz",
    "prof": "Professor",
    "st": "Saint",
    "gen": "General",
    "col": "Colonel",
    "capt": "Captain",
    "lt": "Lieutenant",
    "sgt": "Sergeant",
    "rev": "Reverend",
    "hon": "Honorable",
    "sen": "Senator",
    "rep": "Representative",
    "gov": "Governor",
    "pres": "President",
    "vs": "versus",
    "a.k.a": "also known as",
    "e.g": "for example",
    "eg": "for example",
    "i.e": "that is",
    "cf": "compare",
    "viz": "namely",
    "approx": "approximately",
    "ca": "about",
    "fig": "figure",
    "vol": "volume",
    "pp": "pages",
    "dept": "department",
    "est": "estimated",
    "incl": "including",
    "mt": "Mount",
    "ft": "Fort",
    "apt": "Apartment",
    "ste": "Suite",
    "sec": "Section",
    "ch": "Chapter",
    "tel": "telephone",
    "mon": "Monday",
    "tue": "Tuesday",
    "tues": "Tuesday",
    "thu": "Thursday",
    "thur": "Thursday",
    "thurs": "Thursday",
    "fri": "Friday",
    "no": "number",
    "nr": "number",
    "p": "page",
}
# These may be the last word of a sentence; it ends there if a capital letter follows.
AT_END = {
    "etc": "et cetera",
    "ph.d": "P H D",
    "jr": "Junior",
    "sr": "Senior",
    "inc": "Incorporated",
    "ltd": "Limited",
    "corp": "Corporation",
    "co": "Company",
    "bros": "Brothers",
    "al": "al",
    "a.m": "A-M",
    "p.m": "P M",
    "p.a": "per annum",
    "jan": "January",
    "feb": "February",
    "aug": "August",
    "sept": "September",
    "oct": "October",
    "nov": "November",
    "dec": "December",
    "ave": "Avenue",
    "blvd": "Boulevard",
    "rd": "Road",
    "min": "minutes",
    "max": "maximum",
}
# Ordinary words too: abbreviations only where a number follows.
_BEFORE_NUMBER = frozenset({"no", "nr", "p", "pp", "fig", "vol", "sec", "ch", "tel"})
_WORDS_TOO = frozenset(
    {"no", "fig", "gen", "rep", "col", "hon", "p", "ms", "est", "ca", "lt", "mon", "tel"}
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")


def ends_with_abbreviation(word: str, follows: str) -> bool:
    """Whether the full stop that ends `word` belongs to the word, and no sentence ends there.

    `follows`: the first character after the space behind it, "" at the end of the text.
    """
    bare = word.lstrip("\"'“‘«([{*_~")
    name = bare.removesuffix(".").lower()
    if name in _BEFORE_NUMBER:
        return follows.isdigit()
    if name in _WORDS_TOO:
        return bare[:1].isupper() or follows.islower() or follows.isdigit()
    if name in BEFORE_MORE:
        return True
    if name in AT_END:
        return not follows.isupper()
    return _INITIALS.fullmatch(bare) is not None


def is_abbreviation(word: str) -> bool:
    """Whether `word`, which ends with a full stop, may be an abbreviation."""
    name = word.removesuffix(".").lower()
    return name in BEFORE_MORE or name in AT_END or len(name) == 1
