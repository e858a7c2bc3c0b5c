"""Web and mail addresses as a person reads them out."""

from __future__ import annotations

import re

_TLD = (
    "com|org|net|io|ai|dev|app|edu|gov|info|co|me|tv|uk|de|fr|es|it|nl|pl|ch|at|eu|us|ca|au|jp|cn"
    "|in|br|ru|se|no|fi|dk|pt|cz|be|ie|nz|xyz|tech|cloud|online|site|gg|ly"
)
_MAIL = re.compile(r"(?:mailto:)?\b([\w.+%-]{1,64})@((?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})\b")
_URL = re.compile(
    r"\b(?:https?|ftp|wss?)://([^\s<>\"'`]{1,2000})"
    rf"|\b(?<![@\w.])((?:www\.)?(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:{_TLD})\b(?![\w.]*@)"
    r"(?:[/?#][^\s<>\"'`]{0,500})?)",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"(?<!\S)(?=~/|\.[a-z]\w*/|\.{0,2}/[^\s/]+/)[~.]{0,2}(?:(?<=\.)[a-z]\w{0,40})?(?:/[A-Za-z0-9_.+-]{1,40}){1,8}/?(?!\S*/)"
)
_TRAILING = ".,;:!?)]}'*_~"
_SIGNS = {
    ".": " dot ", "/": " slash ", "-": " dash ", "_": " underscore ", "@": " at ", "+": " plus ",
    ":": " colon ", "=": " equals ", "~": " tilde ", "%": " percent ",
}  # fmt: skip
_LONGEST = 40
"""A path of more characters is left out: only the site is said."""


def say_addresses(text: str) -> str:
    """`text` with its mail addresses, URLs and paths of files put in words; digits in them are left
    to be said."""
    if "@" in text:
        text = _MAIL.sub(lambda m: f" {_spell(m[1])} at {_spell(m[2])} ", text)
    if "." in text or "://" in text:
        text = _URL.sub(_url, text)
    return _FILE.sub(_file, text) if "/" in text else text


def _file(match: re.Match[str]) -> str:
    path = match[0].rstrip(_TRAILING)
    after = match[0][len(path) :]
    return f" {_spell(path.rstrip('/'))}{after} "


def _url(match: re.Match[str]) -> str:
    whole = match[1] or match[2]
    address = whole.rstrip(_TRAILING)
    after = whole[len(address) :]
    address = address.removeprefix("www.")
    site, slash, path = address.partition("/")
    path = re.split(r"[?#]", path)[0].strip("/")
    site = re.split(r"[?#]", site)[0]
    if slash and path and len(path) <= _LONGEST:
        site = f"{site}/{path}"
    return f" {_spell(site)}{after} "


def _spell(address: str) -> str:
    said = "".join(_SIGNS.get(c, c) for c in address)
    return " ".join(re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", said).split())
