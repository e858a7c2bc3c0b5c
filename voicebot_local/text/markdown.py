"""Takes the markup out of a reply and keeps what a person would read aloud."""

from __future__ import annotations

import html
import re

CODE_BLOCK = "a piece of code"
"""What is said in the place of a block of code: nobody wants to hear its brackets."""

_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*(?:\n.*?(?:\1|\Z)|.*?\1|\Z)", re.DOTALL)
_INLINE_CODE = re.compile(r"(`{1,2})([^`\n]+)\1")
_IMAGE_OR_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,300})\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])"
)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,20}\]:?")
_LINK_TARGET = re.compile(r"^[ \t]{0,3}\[[^\]\n]+\]:[ \t]+\S.*$", re.MULTILINE)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)?[^\s<>]+[.@][^\s<>]+)>")
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>", re.DOTALL)
_RULE = re.compile(r"^[ \t]*(?:(?:[-*_=][ \t]*){3,}|[|:\- \t]*-{2,}[|:\- \t]*)$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]*(?:>(?![\d=])[ \t]?)+", re.MULTILINE)
_CHECKBOX = re.compile(r"^([ \t]*[-*+•][ \t]+)\[[ xX]\][ \t]+", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*[-*+•◦▪‣–—][ \t]+", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\(?(\d{1,2})[.)][ \t]+", re.MULTILINE)
_STARS = re.compile(r"(\*{1,3})(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_UNDERSCORES = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", re.DOTALL)
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~", re.DOTALL)
_MARKED = re.compile(r"(?<![\w=])==(?=[^\s=])([^=\n]+)(?<=\S)==(?![\w=])")
_RAISED = re.compile(r"(?<=[\d)a-zA-Z])(?<![a-z]{2})<sup>(-?\w{1,3})</sup>")
_LOWERED = re.compile(r"(?<=\w)<sub>(\w{1,3})</sub>")
_CITATION = re.compile(
    r"(`[^`\n]+`)|(?<=[\w.,;:!?)])\s?(?:\[[1-9]\d?(?:[,–-]\s?\d{1,2})*\])+(?=[\s.,;:!?]|$)"
)
_ENDS = tuple(".!?:;,…。！？")
_MARKUP = re.compile(r"==|[`*_~<>\[\]|#&>\n\u2022]|^[ \t]*[-+–—\d(]")


def plain(text: str) -> str:
    """`text` without markdown and HTML, on one line, with the stops that lists and headings lack.

    Code blocks become `CODE_BLOCK`, links their text, table rows and list items plain phrases.
    Never raises; what only looks like markup may stay.
    """
    if not _MARKUP.search(text):
        return text
    text = _FENCE.sub(f"\n{CODE_BLOCK}\n", text)
    text = _LINK_TARGET.sub("", text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _RAISED.sub(r"^\1", text)
    text = _LOWERED.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = html.unescape(text)
    text = _FOOTNOTE.sub("", text)
    text = _CITATION.sub(lambda m: m[1] or "", text)
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    text = _INLINE_CODE.sub(r"\2", text)
    text = _RULE.sub("", text)
    text = _QUOTE.sub("", text)
    text = _CHECKBOX.sub(r"\1", text)
    text = "\n".join(_cells(line) for line in text.split("\n"))
    text = _lines(text)
    for emphasis in (_STARS, _UNDERSCORES):
        text = emphasis.sub(r"\2", text)
    return _STRUCK.sub(r"\1", _MARKED.sub(r"\1", text))


def _cells(line: str) -> str:
    """A row of a table as an enumeration; any other line as it is."""
    bare = line.strip()
    if bare.count("|") < 2 and not bare.startswith("|"):
        return line
    return ", ".join(cell for cell in (part.strip() for part in bare.split("|")) if cell)


def _lines(text: str) -> str:
    """The lines of `text` as one, each list item, heading and paragraph with a stop at its end."""
    said = ""
    item_before = False
    for line in re.split(r"\n", text):
        heading = _HEADING.match(line)
        bullet = _BULLET.match(line)
        number = _NUMBERED.match(line)
        item = bullet is not None and not heading
        bare = line.strip()
        if heading:
            bare = heading[1]
        elif bullet:
            bare = line[bullet.end() :].strip()
        elif number:
            bare = f"{number[1]}, {line[number.end() :].strip()}"
        if not bare:
            item_before = False
            said += "\n" if said and not said.endswith("\n") else ""
            continue
        if said:
            broken = said.endswith("\n") or heading or bullet or number
            said = _joined(said.rstrip(), "," if item and item_before else ".", bool(broken), bare)
        said += bare
        if heading:
            said += "" if bare.endswith(_ENDS) else "."
        item_before = item
    return said.rstrip()


def _joined(said: str, stop: str, broken: bool, following: str) -> str:
    if said.endswith(_ENDS):
        return said + " "
    if broken or not following[:1].islower():
        return said + stop + " "
    return said + " "
