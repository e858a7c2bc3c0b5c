"""What stands in code and in talk about computers: options, file names, keys, calls."""

from __future__ import annotations

import re

_SPELLED_ENDINGS = (
    "md|html|htm|css|js|jsx|ts|tsx|mjs|csv|tsv|pdf|png|jpg|svg|txt|sh|cpp|cc|hpp|xml|sql|yml|php|exe"
    "|xlsx|xls|docx|pptx|rs|rb|kt|cs|mp|gguf|ipynb|ini|dll|gz|db|srt|vtt|ps|mkv|mov|flac|avi|dmg|deb|rpm"
)
_ENDING = re.compile(rf"(?<=[\w)*])\.({_SPELLED_ENDINGS})(\d?)(?![\w-]|\.\w|/)")
_BARE_ENDING = re.compile(rf"(?<![^\s('\"`])\.({_SPELLED_ENDINGS})(\d?)(?![\w-]|\.\w)")
_DOT_FILE = re.compile(r"(?<![^\s('\"`/])\.(?=[a-z]{2})")
_LONG_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?![\w-])", re.IGNORECASE)
_SHORT_OPTION = re.compile(r"(?<![^\s`'\"(\[])(?<![=+*/<>,] )-([A-Za-z]{1,2})(?![\w'.-]\w|\w)")
_NEGATIVE_LETTER = re.compile(r"(?<=[=+*/<>^])( ?)-(?=[A-Za-z]\b)|(?<=\()()-(?=[a-z] [±+*/-])")
_KEY = (
    "Ctrl|Control|Cmd|Command|Alt|Shift|Option|Opt|Win|Windows|Super|Fn|Tab|Esc|Enter|Return|Space|Del"
    "|Delete|Backspace|Home|End|PgUp|PgDn|F1[0-2]|F[1-9]|[A-Z]|\\d|[a-z](?![\\w'])"
)
_MODIFIER = "Ctrl|Control|Cmd|Command|Alt|Shift|Option|Opt|Win|Super|Fn"
_KEYS = re.compile(rf"\b(?:{_MODIFIER})(?: ?\+ ?(?:{_KEY})(?!\w)|-(?:[A-Z]|{_MODIFIER})(?!\w))+")
_KEY_NAMES = {
    "ctrl": "control", "cmd": "command", "opt": "option", "win": "windows", "esc": "escape",
    "del": "delete", "pgup": "page up", "pgdn": "page down",
}  # fmt: skip
_DRIVE = re.compile(r"\b([A-Z]):\\(?=[\w%])([\w%.-]*(?:\\[\w%.-]+)*)")
_NO_ARGUMENTS = re.compile(r"(?<=\w)\(\)")
_BIG_O = re.compile(r"\b(O|Θ|Ω|[fghP])('?)\((?=[^()\s])([^()\n]{1,20})\)(?!\w)")
_CALLABLE = {
    "sqrt": "the square root of", "log": "log of", "ln": "natural log of",
    "exp": "E to the power of",
    "sin": "sine of", "cos": "cosine of", "tan": "tangent of", "abs": "the absolute value of",
}  # fmt: skip
_FUNCTION = re.compile(rf"\b({'|'.join(_CALLABLE)})\(([^()\n]{{1,20}})\)(?!\w)")
_LOG_BASE = re.compile(r"\blog_?(\d{1,2})\(([^()\n]{1,20})\)")
_FACTORIAL = re.compile(r"(?<![\w.,])(\d{1,3}|[nk])!(?=\s*[=+*/×·)-])")
_LETTER_MINUS = re.compile(r"(?<![\w.'-])([a-z])-(?=\d{1,3}\b(?!-|\.\d))")
_PRODUCT = re.compile(
    r"(?<![\w'-])(?<!\d )(?![ckmnd]m)([a-z])([a-df-hj-np-tvx-z])(?=\^|²)|(?<== )m([acgvx])(?![\w'])"
)
_FACTOR = re.compile(r"(?<![\w'.-])([abckm])([xyt])(?=\s?[+=^]\s?[\w(])")
_AFTER_FACTOR = re.compile(r"(?<=\d)(ac|ab|bc|xy|xz|yz)\b")
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "ε": "epsilon",
    "θ": "theta",
    "λ": "lambda", "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "Σ": "sigma", "τ": "tau",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Ω": "omega", "∑": "sum", "∏": "product",
    "∫": "the integral of", "∂": "partial", "∈": "in", "∀": "for all", "∃": "there exists",
    "¬": "not", "∧": "and", "∨": "or", "∪": "union", "∩": "intersection",
    "⊂": "is a subset of", "∴": "therefore",
}  # fmt: skip
_GREEK_LETTER = re.compile(rf"(?<![Ͱ-Ͽἀ-῿])([{''.join(_GREEK)}])(?![Ͱ-Ͽἀ-῿])")
_HAS_GREEK = re.compile(f"[{''.join(_GREEK)}]")


def say_technical(text: str) -> str:
    """`text` with options, endings of files, keys and calls of functions as a programmer reads
    them; digits are left to be said."""
    if "+" in text or "-" in text:
        text = _KEYS.sub(_keys, text)
        text = _LONG_OPTION.sub(lambda m: f" dash dash {m[1].replace('-', ' ')} ", text)
        text = _NEGATIVE_LETTER.sub(" minus ", text)
        text = _SHORT_OPTION.sub(r" dash \1 ", text)
        text = _LETTER_MINUS.sub(r"\1 minus ", text)
    if "." in text:
        text = _ENDING.sub(_ending, text)
        text = _BARE_ENDING.sub(_ending, text)
        text = _DOT_FILE.sub("dot ", text)
    if "(" in text:
        text = _NO_ARGUMENTS.sub("", text)
        text = _LOG_BASE.sub(r"log base \1 of \2 ", text)
        text = _FUNCTION.sub(lambda m: f"{_CALLABLE[m[1]]} {m[2]} ", text)
        text = _BIG_O.sub(lambda m: f"{m[1]}{' prime' if m[2] else ''} of {m[3]} ", text)
    if "!" in text:
        text = _FACTORIAL.sub(r"\1 factorial", text)
    if ":\\" in text:
        text = _DRIVE.sub(_drive, text)
    if "^" in text or "=" in text or "+" in text:
        text = _FACTOR.sub(r"\1 \2", text)
        text = _AFTER_FACTOR.sub(lambda m: " " + " ".join(m[1]), text)
        text = _PRODUCT.sub(lambda m: f"m {m[3]}" if m[3] else f"{m[1]} {m[2]}", text)
    return text


def say_greek(text: str) -> str:
    """`text` with single Greek letters by name; Greek words stay."""
    return (
        _GREEK_LETTER.sub(lambda m: f" {_GREEK[m[1]]} ", text) if _HAS_GREEK.search(text) else text
    )


def _ending(match: re.Match[str]) -> str:
    return f" dot {' '.join(match[1].upper())} {match[2]}".rstrip()


def _keys(match: re.Match[str]) -> str:
    keys = re.split(r" ?\+ ?|-", match[0])
    return " ".join(_KEY_NAMES.get(key.lower(), key.lower() if key[1:] else key) for key in keys)


def _drive(match: re.Match[str]) -> str:
    parts = [part for part in match[2].split("\\") if part]
    return " backslash ".join([f"{match[1]} colon", *parts])
