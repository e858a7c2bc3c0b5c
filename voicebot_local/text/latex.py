r"""Formulas in LaTeX as the plain signs and words that a person would write for them."""

from __future__ import annotations

import re

_SYMBOLS = {
    "times": "×", "cdot": "×", "ast": "×", "div": "÷", "pm": "±", "mp": "minus or plus", "le": "≤",
    "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "≈",
    "equiv": "is equivalent to", "to": "→", "rightarrow": "→", "Rightarrow": "implies",
    "implies": "implies", "iff": "if and only if", "infty": "infinity", "circ": "°",
    "degree": "°", "sum": "the sum of", "prod": "the product of", "int": "the integral of",
    "lim": "the limit of", "partial": "partial", "nabla": "nabla", "in": "in", "notin": "not in",
    "forall": "for all", "exists": "there exists", "subset": "is a subset of", "cup": "union",
    "cap": "intersection", "ldots": "and so on", "dots": "and so on", "cdots": "and so on",
    "ln": "natural log", "sin": "sine", "cos": "cosine", "tan": "tangent", "log": "log",
    "exp": "exp", "max": "max", "min": "min", "land": "and", "lor": "or", "lnot": "not",
    "propto": "is proportional to", "therefore": "therefore", "angle": "angle", "hbar": "h bar",
    "ll": "is much less than", "gg": "is much more than", "lt": "<", "gt": ">", "mid": "given",
    "quad": " ", "qquad": " ", "left": "", "right": "", "big": "", "Big": "", "displaystyle": "",
    "begin": "", "end": "", "limits": "", "varepsilon": "epsilon", "varphi": "phi", "ell": "L",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega"
)
_SYMBOLS.update((name, name) for name in _GREEK.split())
_WRAPPERS = (
    "text|textbf|textit|mathrm|mathbf|mathbb|mathcal|mathit|operatorname|boxed|vec|hat|bar|overline"
)

_BLOCK = re.compile(r"\$\$(.{1,600}?)\$\$|\\\[(.{1,600}?)\\\]|\\\((.{1,300}?)\\\)", re.DOTALL)
_INLINE = re.compile(r"(?<![\\\w$])\$(?! )([^$\n]{1,200}?)(?<![ \\])\$(?![\w$])")
_FORMULA = re.compile(r"[\\^_=<>]|\w\s?[+*/-]\s?\w|[A-Za-z]\w?'?|[A-Za-z]\([A-Za-z]\)|-?[\d.,]+")
_MONEY = re.compile(r"\d[\d.,]*\s*(?:[-–/]\s*|[a-zA-Z]{3}.*)?")
_ARGUMENT = r"\{([^{}]*)\}"
_WRAPPED = re.compile(rf"\\(?:{_WRAPPERS})\s?{_ARGUMENT}")
_FRACTION = re.compile(rf"\\[dtc]?frac\s?{_ARGUMENT}\s?{_ARGUMENT}")
_ROOT = re.compile(rf"\\sqrt\s?(?:\[(\w+)\])?\s?{_ARGUMENT}")
_LIMITS = re.compile(
    rf"\\(sum|prod|int)(?:\\limits)?_(?:{_ARGUMENT}|(\w))\^(?:{_ARGUMENT}|(\w|\\infty))"
)
_BELOW = re.compile(rf"\\(lim|max|min|sum)_{_ARGUMENT}")
_SUBSCRIPT = re.compile(rf"_(?:{_ARGUMENT}|(\w))")
_SUPERSCRIPT = re.compile(rf"\^{_ARGUMENT}")
_DEGREES = re.compile(r"\^\s?\{?\\circ\}?|\^°")
_COMMAND = re.compile(r"\\([A-Za-z]+)\s?")
_SPACE = re.compile(r"\\[,;:! ]|~|\\\\|(?<!\\)&")
_SPACES = re.compile(" {2,}")
_ESCAPED = re.compile(r"\\([%$#&_{}])")
_LETTERS = re.compile(
    rf"\\(?:{_WRAPPERS}|begin|end)\s?\{{[^{{}}]*\}}|\\[A-Za-z]+|(?<![A-Za-z])([a-zA-Z]{{2,3}})(?![A-Za-z(])"
)
_WORD_LIST = "sin cos tan log ln exp max min lim mod gcd if for and or is the of to in"
_WORDS = frozenset(_WORD_LIST.split())
_BARE = re.compile(
    r"\\(?:[dt]?frac|sqrt|text|times|cdot|leq?|geq?|neq?|approx|pm|div|infty|boxed)(?![A-Za-z])"
)


def say_latex(text: str) -> str:
    """`text` with its formulas in plain signs ("x^2 ≤ 5", "pi r^2"); money and Windows paths stay.

    What stands in dollar signs counts as a formula only if it looks like one.
    """
    if "\\" not in text and text.count("$") < 2:
        return text
    text = _BLOCK.sub(lambda m: f" {_formula(m[1] or m[2] or m[3])} ", text)
    text = _INLINE.sub(_inline, text)
    return _formula(text, letters=False) if _BARE.search(text) else text


def _inline(match: re.Match[str]) -> str:
    inside = match[1]
    if "\\" not in inside and (_FORMULA.search(inside) is None or _MONEY.fullmatch(inside)):
        return f" {inside} " if re.fullmatch(r"[\d.,]+", inside) else match[0]
    if "\\" not in inside and re.search(r"[A-Za-z]{4}", inside):
        return match[0]
    return f" {_formula(inside)} "


def _formula(text: str, *, letters: bool = True) -> str:
    text = _DEGREES.sub("°", text)
    if letters:
        text = _LETTERS.sub(lambda m: " ".join(m[1]) if m[1] and m[1] not in _WORDS else m[0], text)
    for _ in range(6):
        before = text
        text = _WRAPPED.sub(r" \1 ", text)
        text = _ROOT.sub(_root, text)
        text = _LIMITS.sub(_limits, text)
        text = _BELOW.sub(_below, text)
        text = _FRACTION.sub(_over, text)
        if letters:
            text = _SUPERSCRIPT.sub(_power, text)
            text = _SUBSCRIPT.sub(lambda m: f" {m[1] or m[2]} ", text)
        if text == before:
            break
    if letters:
        text = _SPACE.sub(" ", text)
    text = _COMMAND.sub(lambda m: f" {_SYMBOLS.get(m[1], m[1] if letters else m[0])} ", text)
    text = _ESCAPED.sub(r"\1", text)
    return _SPACES.sub(" ", text).replace(" °", "°").replace(" ^", "^")


def _root(match: re.Match[str]) -> str:
    kind = {None: "square", "2": "square", "3": "cube"}.get(match[1], f"{match[1]}th")
    return f" the {kind} root of {match[2]} "


def _limits(match: re.Match[str]) -> str:
    name = {"sum": "sum", "prod": "product", "int": "integral"}[match[1]]
    low, high = match[2] or match[3], match[4] or match[5]
    return f" the {name} from {low} to {high} of "


def _below(match: re.Match[str]) -> str:
    if match[1] == "lim":
        return f" the limit as {match[2].replace(chr(92) + 'to', ' goes to ')} of "
    return f" the {match[1]} over {match[2]} of "


def _over(match: re.Match[str]) -> str:
    above, below = match[1].strip(), match[2].strip()
    if above.isdigit() and below.isdigit():
        return f" {above}/{below} "
    return f" {above} over {below} "


def _power(match: re.Match[str]) -> str:
    power = match[1].strip()
    return f"^{power} " if re.fullmatch(r"-?\w{1,4}", power) else f" to the power of {power} "
