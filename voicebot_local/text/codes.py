"""Numbers that name a thing and count nothing: rooms, roads, models, ports, ZIP codes."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import cardinal, digits, in_pairs, spelled, year

_PLACES = (
    "Room|Rm|Suite|Apartment|Unit|Highway|Hwy|Route|Interstate|Flight|flight|Boeing|Airbus"
    "|Form|form"
    "|Ports?|ports?(?: is| are| number)?"
    "|HTTP|HTTPS|[Ee]rror|[Ss]tatus|[Ss]tatus code|colon|Box|Xbox|Peugeot|Porsche"
    "|Studio|Gate|Bus|Ryzen|Radeon|GeForce|Snapdragon|Area|Pier|Channel"
)
_AFTER_NAME = re.compile(rf"\b({_PLACES}) #?(\d{{3,5}})([A-Z]?)(?![\w%]|[.,]\d)")
_APARTMENT = re.compile(r"\b(Apartment|Apt\.?|Unit|Suite|Room|Seat|Gate) #?(\d{1,4})-?([A-Z])\b")
_STREET_NAMES = (
    "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Parkway"
    "|Square"
)
_STREET = re.compile(
    rf"(?<![\w.,$#-])(\d{{3,5}})([A-Z]?)"
    rf"(?= (?:[NSEW]\.? )?(?:[A-Z][\w']+ |\d+(?:st|nd|rd|th) ){{1,3}}(?:{_STREET_NAMES})\b)"
)
_DIRECTION = re.compile(rf"\b((?:{_STREET_NAMES})\.?),? (NW|NE|SW|SE)\b")
_STREET_END = re.compile(r"(?<=[a-z] )(?:Ave|Blvd)(?=,|$)")
_STREET_SHORT = {"St": "Street", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Dr": "Drive"}
_DIRECTIONS = {"NW": "Northwest", "NE": "Northeast", "SW": "Southwest", "SE": "Southeast"}
_STATE_NAMES = (
    "AL=Alabama AK=Alaska AZ=Arizona AR=Arkansas CA=California CO=Colorado CT=Connecticut "
    "DE=Delaware FL=Florida GA=Georgia ID=Idaho IL=Illinois IA=Iowa KS=Kansas KY=Kentucky "
    "MD=Maryland MI=Michigan MN=Minnesota MO=Missouri MT=Montana NE=Nebraska NV=Nevada "
    "NH=New_Hampshire NJ=New_Jersey NM=New_Mexico NY=New_York NC=North_Carolina "
    "ND=North_Dakota RI=Rhode_Island SC=South_Carolina SD=South_Dakota TN=Tennessee TX=Texas "
    "UT=Utah VT=Vermont VA=Virginia WA=Washington WV=West_Virginia WI=Wisconsin WY=Wyoming "
    "DC=D_C HI=Hawaii IN=Indiana LA=Louisiana MA=Massachusetts ME=Maine MS=Mississippi "
    "OH=Ohio OK=Oklahoma OR=Oregon PA=Pennsylvania"
)
_STATES = dict(pair.split("=") for pair in _STATE_NAMES.split())
# Without a ZIP code behind them these are words, or other acronyms.
_OTHER_WORDS = frozenset({"HI", "IN", "LA", "MA", "ME", "MS", "OH", "OK", "OR", "PA", "AI", "ID"})
_STATE = re.compile(
    rf"(?<=[a-z], )({'|'.join(_STATES)})\b(?: (\d{{5}})(?:-(\d{{4}}))?(?!\d))?(?!\w|\.\w)"
)
_EMERGENCY = re.compile(
    r"\b((?:[Cc]all|[Dd]ial|[Tt]ext|[Rr]ing)(?:ing|ed)? )(\d{3})(?![\w-]|[.,]\d)"
)
_EXTENSION = re.compile(r"\b[Ee]xt(?:ension|\.)? ?(\d{2,6})\b")
_ISBN = re.compile(r"\b(I ?S ?[BS] ?N)(?:-1[03])?:? ?((?:\d[\d -]{7,18})[\dX])\b")
_NINE_ELEVEN = re.compile(r"(?<![\w/.])9/11(?![\w/])")
_PENSION = re.compile(r"\b401\(?k\)?(?!\w)")
_WIRELESS = re.compile(r"\b802\.11([a-z]{0,2})\b")
_GPT = re.compile(r"\bGPT-(\d)o(?!\w)")
_LINES = re.compile(
    r"(?<![\w.,])(240|360|480|540|576|720|1080|1440|2160|4320)([pi])(?:(\d\d))?(?!\w)"
)
_SCREEN = re.compile(r"(?<![\w.,])([1-9]\d{2,3}) ?[x×] ?([1-9]\d{2,3})( ?px)?(?![\w]|[.,]\d| ?=)")
_PORTS = re.compile(r"(?<![\w.,:])(\d{4,5}):(\d{2,5})(?![\w:.])")
_ELEMENTS = r"(?:[HCONSPKFI]|Na|Cl|Ca|Mg|Fe|Cu|Zn|Al|Si|Mn|Ag|Li)"
_COMPOUND = re.compile(rf"\b(?=[A-Za-z]+\d)(?:{_ELEMENTS}\d{{0,2}}){{2,}}\b")
_ELEMENT = re.compile(rf"({_ELEMENTS})(\d*)")
_LETTER_A = re.compile(r"(?<![\w.,-])A(\d{1,2})(?![\w.,]\d|\w)")
_PLURAL = re.compile(r"(?<![\w.,])(MP|[A-Z]-?|)(?:(\d{1,2})|(7[0-8]7))s\b(?<!\d0s)")
_STATUS = re.compile(
    r"(?<![\w.,])([1-5]0\d)(?=(?:s|\b) (?:error|page|status|response|code|Not Found)\b)"
)
_JET = re.compile(r"(?<=\b[Aa] )(7[0-8]7)(?=\b(?!,\d|\.\d))")
_VERSE = re.compile(
    r"\b(Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Samuel|Kings|Chronicles|Psalms?|Proverbs|Isaiah"
    r"|Jeremiah|Ezekiel|Daniel|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians"
    r"|Philippians|Hebrews|James|Peter|Revelation) (\d{1,3}):(\d{1,3})(?![\d:])"
)
_MODEL = re.compile(
    r"(?<![\w.,$])([A-Z]{1,5}[ -]?|[A-Z][a-z]{2,9}-|i[3579]-)([1-9]\d{2,4})([A-Za-z]{0,2})"
    r"(?![\w%°]|[.,]\d|:\d|-\d| (?:million|billion|percent|people)\b)"
)
_NO_MODEL = re.compile(
    r"(?:OF|IN|TO|AT|BY|IS|ARE|OR|AND|THE|FOR|WITH|ALL|ONLY|OVER|JUST|HAS|NO|US|MY|WE|BE|DO|GO|HE|ME"
    r"|SO|UP|AN|AS|IF|ON|HI|OH|OK|PM|USD|EUR|GBP|CHF|JPY|CAD|AUD|[A-Z]) "
)
_SERIES = frozenset({"RTX", "GTX", "AES", "SHA", "ISO", "RFC", "NGC", "HTTP", "MATH"})


def say_codes(text: str) -> str:
    """`text` with such numbers in words, as people read them out; no other number is touched."""
    text = _NINE_ELEVEN.sub("nine eleven", text)
    text = _PENSION.sub("four oh one K", text)
    text = _WIRELESS.sub(lambda m: f"eight oh two dot eleven {spelled(m[1].upper())}", text)
    text = _GPT.sub(r"G P T-\1 O", text)
    text = _ISBN.sub(_isbn, text)
    text = _STATE.sub(_state, text)
    text = _APARTMENT.sub(lambda m: f"{m[1]} {in_pairs(m[2])} {m[3]}", text)
    text = _AFTER_NAME.sub(lambda m: f"{m[1]} {in_pairs(m[2])} {m[3]}", text)
    text = _STREET.sub(lambda m: f"{in_pairs(m[1])} {m[2]}", text)
    text = _EMERGENCY.sub(lambda m: m[1] + digits(m[2]), text)
    text = _EXTENSION.sub(lambda m: f"extension {digits(m[1])}", text)
    text = _VERSE.sub(lambda m: f"{m[1]} {cardinal(m[2])} {cardinal(m[3])}", text)
    text = _LINES.sub(_lines, text)
    text = _SCREEN.sub(_screen, text)
    text = _STATUS.sub(lambda m: in_pairs(m[1]), text)
    text = _JET.sub(lambda m: in_pairs(m[1]), text)
    text = _PORTS.sub(lambda m: f"{in_pairs(m[1])} to {in_pairs(m[2])}", text)
    text = _COMPOUND.sub(lambda m: _ELEMENT.sub(_element, m[0]), text)
    text = _LETTER_A.sub(lambda m: f"A-{cardinal(m[1])}", text)
    text = _PLURAL.sub(_several, text)
    return _MODEL.sub(_model, text)


def say_directions(text: str) -> str:
    """`text` with the quarter of the town behind a street in full: "Avenue Northwest"."""
    text = _STREET_END.sub(lambda m: _STREET_SHORT[m[0]], text)
    return _DIRECTION.sub(_direction, text)


def _direction(match: re.Match[str]) -> str:
    street = match[1].rstrip(".")
    return f"{_STREET_SHORT.get(street, street)} {_DIRECTIONS[match[2]]}"


def _state(match: re.Match[str]) -> str:
    state, code, more = match[1], match[2], match[3]
    if state in _OTHER_WORDS and not code:
        return match[0]
    said = [_STATES[state].replace("_", " "), *(digits(part) for part in (code, more) if part)]
    return " ".join(said)


def _isbn(match: re.Match[str]) -> str:
    groups = [
        " ".join([digits(group), "X" * group.count("X")]) for group in re.split("[ -]", match[2])
    ]
    return f"{' '.join(match[1].replace(' ', ''))} {', '.join(group.strip() for group in groups)}"


def _lines(match: re.Match[str]) -> str:
    return f"{in_pairs(match[1])} {match[2].upper()} {cardinal(match[3]) if match[3] else ''}"


def _element(match: re.Match[str]) -> str:
    return f" {' '.join(match[1].upper())} {match[2]}"


def _screen(match: re.Match[str]) -> str:
    said = f"{in_pairs(match[1])} by {in_pairs(match[2])}"
    return f"{said} pixels" if match[3] else said


def _plural(said: str) -> str:
    if said.endswith("y"):
        return f"{said[:-1]}ies"
    return f"{said}es" if said.endswith("x") else f"{said}s"


def _several(match: re.Match[str]) -> str:
    letters, number, jet = match.groups()
    if not letters and not jet:
        return match[0]
    said = _plural(in_pairs(number or jet))
    return f"{' '.join(letters.rstrip('-'))} {said}"


def _model(match: re.Match[str]) -> str:
    name, number, letters = match.groups()
    plural = letters == "s" and (len(number) > 3 or not name.endswith(" "))
    counted = not plural and letters and letters[0] in "kKMBmbst" and name[-1] in " -"
    if (counted or _NO_MODEL.fullmatch(name)) and not name.startswith("i"):
        return match[0]
    spaced = name.endswith(" ")
    if spaced and len(name) > 3 and len(number) != 4 and name.strip() not in _SERIES:
        return match[0]
    said = year(number) if len(number) == 4 and number[:2] in ("19", "20") else in_pairs(number)
    if len(name) == 3 and spaced:  # a flight
        name = spelled(name.strip())
    if plural:
        said, letters = _plural(said), ""
    tie = "-" if name == "A" else " "
    return f"{name.rstrip(' -')}{tie}{said} {letters.upper()}".rstrip() + " "
