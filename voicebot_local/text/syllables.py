"""How long a word takes to say, relative to the words around it."""

from __future__ import annotations

import re
import unicodedata

_VOWELS = "aeiouyæøœıаеёиоуыэюяіїєαεηιουω"
_GROUPS = re.compile(f"[{_VOWELS}]+")
# Neighbouring vowels that are said apart, and spellings that only look like that.
_APART = re.compile(r"i[aou](?!u)|ie[nt]|ie(?=r$)|uie|eo|(?<=[a-z]{2})ea$|eate|ua(?!r)|[aeo]ing|yi")
_TOGETHER = re.compile(r"[tcsx]io|gio|cia|tia|gu[aei]|people|friend|believe|piece|iew")
_SILENT = re.compile(r"(?<=[^aeiouy])(?:e|es|ed)$")
_SPOKEN_ENDING = re.compile(r"[td]ed$|(?:[sxz]|[cs]h|[cg])es$|[^aeiouyl]les?$|hundred$")
# A sign of these scripts is about one syllable: Hiragana, Katakana, Han, Hangul.
_LETTERS = re.compile(r"[^\W\d_]+")
_SIGNS = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")


def syllables(word: str) -> int:
    """The syllables of `word`, estimated by its spelling; at least 1, for any text.

    Meant for sharing out the time of a clause among its words, so it is exact for nothing. A digit
    counts two, a letter that is said by its name (GPU) one.
    """
    signs = len(_SIGNS.findall(unicodedata.normalize("NFC", word)))
    if signs:
        return signs
    # An accented last vowel is said, unlike a bare "e" (café, safe).
    decomposed = unicodedata.normalize("NFKD", word.replace("é", "ei").replace("É", "EI"))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c) and c not in "'’")
    count = 2 * sum(c.isdigit() for c in plain)
    for part in _LETTERS.findall(plain):
        count += _of_part(part)
    return max(1, count)


def _of_part(part: str) -> int:
    part_lower = part.lower().replace("qu", "q")
    groups = len(_GROUPS.findall(part_lower))
    if (part.isupper() and len(part) <= 4) or (not groups and part.isascii() and len(part) <= 4):
        return len(part) + 2 * part_lower.count("w")
    if not groups:
        return max(1, len(part) // 3)
    groups += len(_APART.findall(_TOGETHER.sub("-", part_lower)))
    if _SILENT.search(part_lower) and not _SPOKEN_ENDING.search(part_lower):
        groups -= 1
    return max(1, groups)
