"""Acronyms and Roman numerals in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import cardinal, ordinal, spelled

_SPELLED_WORDS = (
    "AAA ABC ABV AC ACL AD ADHD AED AES AFK AGI AI AKA AM AMC AMD AOL AP APA API APK APR APY "
    "AR ASAP ASL ASR ATM ATV AUD AWS BBC BCE BMI BRB BYOB CBD CE CEO CEST CET CFO CI CIA CIO "
    "CLI CMO COO CPU CTO DC DIY DM DNA DOE DOJ ECB ECG EDM EDT EHR EKG EM EMS EOD EOF EP EPA "
    "EPS EQ ER ESA ESPN EST ETA ETF ETL EU EUR EV FAQ FBI FDA FM FY FYI GMO GNU GPA GPU HBO "
    "HDMI HIV HR IBM IBS ICBM ICU ID IDE IDK IEEE IMF IMHO IMO IO IOU IP IPA IPO IQ IRL IRS "
    "ISBN ISO ISP ISS IT IUD IV IVF KPI LA LED LLM LOL MBA MFA MIA MIT MLA MLB MRI NBA NGO "
    "NHL NLP NSA NY NYC NYPD OCD OCR OEM OMG OOP OS OT OTC OTP PR QA RIP RNA ROI SEO SQL SUV "
    "TBA TTYL UAE UAV UCLA UDP UFC UFO UHD UI UK UN UPS URI URL US USA USAF USB USC USDA USMC "
    "USPS USSR UTC UTF UTI UV UX VIP VPN WWE YMCA YTD"
)
_SPELLED = frozenset(_SPELLED_WORDS.split())
# In a shout these are the words; between small letters they are said letter by letter.
_WORDS_TOO = frozenset(
    {"US", "IT", "AM", "ID", "LA", "AD", "IV", "EM", "ER", "CE", "PR", "IO", "AR", "AC"}
)
_CAPITALS = re.compile(r"(?<![\w'])([A-Z]{2,6})(s?)(?![\w]|'[a-rt-zA-Z])")
_SHOUTED = re.compile(r"[A-Z]{2,}['-]?[A-Z]*\W+$")
_SHOUTED_NEXT = re.compile(r"\W+(?=[A-Z]*[AEIOUY])[A-Z]{2,}\b")

_RULERS = (
    "Henry|Louis|Charles|George|Edward|William|Richard|James|Elizabeth|Mary|John Paul|Benedict|Pius"
    "|Innocent|Clement|Urban|Julius|Paul|Ivan|Otto|Gustav|Ferdinand|Alfonso|Felipe|Juan Carlos"
    "|Wilhelm|Constantine|Cleopatra|Ptolemy|Thutmose|Darius|Mehmed|Selim|Leopold|Joseph"
    "|Victor Emmanuel"
    "|Margrethe|Haakon|Harald|Christian|Robert|David|Baldwin|Justinian|Theodosius|Xerxes|Cyrus"
    "|Napoleon|Philip|Francis|Frederick|Alexander|Nicholas|Catherine|Peter|Leo|Gregory|Ramses"
)
_REGNAL = re.compile(rf"\b({_RULERS}) ([IVX]{{2,6}}|V|X)(?!\w|\.\w)")
_COUNTED = re.compile(
    r"\b(World War|Chapter|Part|Volume|Act|Book|Phase|Level|Type|Class|Star Wars|Rocky|Super Bowl"
    r"|Final Fantasy|Section|Article|Grade|Stage|Episode|Apollo|Title|Table|Appendix|Figure|Scene"
    r"|Group|Category|Tier|Mark|Unit|Division|Schedule|Form|Rank|Amendment|Lesson|Step|Round|Season"
    r"|Gen) ([IVXL]{1,7})(?!\w|\.\w|\s+am\b)"
)
_TITLED = re.compile(
    r"\b((?:King|Queen|Pope|Emperor|Tsar|Czar|Sultan|Prince) [A-Z][a-z]+) ([IVX]{1,6})"
    r"(?![\w']|\.\w)"
)
_CENTURY = re.compile(r"\b([IVX]{1,5})(?= century)")
_WORLD_WAR = re.compile(r"\bWW(II?)(?!\w)")
_ROMAN = re.compile(r"(?=[IVXL])(XL|L?X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}


_COUNT = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|(?:twen|thir|for|fif|six"
    "|seven|eigh|nine)ty|hundred"
)
_ANY_A = re.compile(r"\b[Aa] ")
_LETTER_A = re.compile(
    r"(?<=\b[B-Z][ -])A (?=[a-z])"  # the C I A says
    r"|\bA (?=(?:plus|minus|sharp|flat)\b)"
    rf"|(?<=[a-z,] )A (?=(?:{_COUNT})\b)"  # the A three twenty
    r"|(?<=(?:[Pp]lan|[Tt]ype|rade) )A (?=[a-z])|(?<=(?:ption|tamin|titis) )A (?=[a-z])"
    r"|\b[Aa] (?=(?:squared|cubed|equals)\b)"
    r"|\ba (?=(?:plus|minus|times|over) [b-z]\b(?!'))"
)


def say_capitals(text: str) -> str:
    """Roman numerals as numbers, and acronyms that are said letter by letter as letters.

    Those are the well-known ones and all without a vowel (GPU, HTTP); other words in capitals are
    read as words (NASA, and "STOP" in a shout).
    """
    text = _WORLD_WAR.sub(lambda m: "World War " + ("Two" if m[1] == "II" else "One"), text)
    text = _CENTURY.sub(lambda m: ordinal(_roman(m[1])) if _roman(m[1]) else m[0], text)
    text = _TITLED.sub(_regnal, text)
    text = _REGNAL.sub(_regnal, text)
    text = _COUNTED.sub(_counted, text)
    return _CAPITALS.sub(_acronym, text)


def say_letter_names(text: str) -> str:
    """`text` with the letter A tied to the word behind it ("D N A-is"), where it is the name of the
    letter: by itself, synthesizers read it as in "a cat"."""
    return _LETTER_A.sub(lambda m: f"{m[0].strip()}-", text) if _ANY_A.search(text) else text


def _acronym(match: re.Match[str]) -> str:
    word = match[1]
    if word in _WORDS_TOO and _is_shouted(match):
        return match[0]
    if word not in _SPELLED and any(c in "AEIOUY" for c in word):
        return match[0]
    return spelled(word) + ("'s" if match[2] else "")


def _is_shouted(match: re.Match[str]) -> bool:
    """Whether a word in capitals stands next to this one."""
    for shout in (
        _SHOUTED.search(match.string, 0, match.start()),
        _SHOUTED_NEXT.match(match.string, match.end()),
    ):
        if (
            shout
            and shout[0].strip(" ,.;:!?-()/") not in _SPELLED
            and any(c in "AEIOUY" for c in shout[0])
        ):
            return True
    return False


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
