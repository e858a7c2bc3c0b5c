"""The names of units of measure."""

from __future__ import annotations

import re

_NAMES = {
    "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "degrees C": ("degree Celsius", "degrees Celsius"),
    "degrees F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "mpg": ("mile per gallon", "miles per gallon"),
    "rpm": ("R P M", "R P M"), "bpm": ("beat per minute", "beats per minute"),
    "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "yds": ("yard", "yards"), "in.": ("inch", "inches"), "ly": ("light year", "light years"),
    "sq ft": ("square foot", "square feet"), "sq mi": ("square mile", "square miles"),
    "sq km": ("square kilometer", "square kilometers"), "sq m": ("square meter", "square meters"),
    "sq in": ("square inch", "square inches"), "cu ft": ("cubic foot", "cubic feet"),
    "ha": ("hectare", "hectares"), "mcg": ("microgram", "micrograms"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "fl oz": ("fluid ounce", "fluid ounces"), "fl. oz": ("fluid ounce", "fluid ounces"),
    "tsp": ("teaspoon", "teaspoons"), "tbsp": ("tablespoon", "tablespoons"),
    "pt": ("pint", "pints"), "qt": ("quart", "quarts"), "gal": ("gallon", "gallons"),
    "sec": ("second", "seconds"), "secs": ("second", "seconds"), "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"), "h": ("hour", "hours"), "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"), "yr": ("year", "years"), "yrs": ("year", "years"),
    "fps": ("frame per second", "frames per second"), "px": ("pixel", "pixels"),
    "dB": ("decibel", "decibels"), "dBA": ("decibel", "decibels"),
    "cal": ("calorie", "calories"), "kcal": ("kilocalorie", "kilocalories"),
    "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"),
    "KiB": ("kibibyte", "kibibytes"), "MiB": ("mebibyte", "mebibytes"),
    "GiB": ("gibibyte", "gibibytes"), "TiB": ("tebibyte", "tebibytes"),
    "psi": ("P S I", "P S I"), "dpi": ("D P I", "D P I"), "ppi": ("P P I", "P P I"),
    "hp": ("horsepower", "horsepower"), "BTU": ("B T U", "B T Us"), "cc": ("C C", "C Cs"),
    "ppm": ("part per million", "parts per million"), "bar": ("bar", "bars"),
    "mmHg": ("millimeter of mercury", "millimeters of mercury"),
    "mAh": ("milliamp hour", "milliamp hours"), "Ω": ("ohm", "ohms"), "kΩ": ("kilohm", "kilohms"),
    "AU": ("A-U", "A-U"), "MP": ("megapixel", "megapixels"), "TFLOPS": ("teraflops", "teraflops"),
    "tok": ("token", "tokens"), "req": ("request", "requests"),
}  # fmt: skip
_PREFIXES = {
    "n": "nano", "μ": "micro", "m": "milli", "c": "centi", "d": "deci", "h": "hecto", "k": "kilo",
    "K": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta",
}  # fmt: skip
# Only the prefixes that are in use with each, since the letters are words elsewhere.
_METRIC = {
    "m": ("meter", " n μ m c d k"), "g": ("gram", " n μ m k"), "L": ("liter", " μ m c d"),
    "l": ("liter", " m c d"), "s": ("second", " n μ m"), "B": ("byte", "M G T P"),
    "bps": ("bit per second", "k K M G T"), "Hz": ("hertz", " k M G T"),
    "W": ("watt", " m k M G T"),
    "Wh": ("watt hour", " k M G T"), "V": ("volt", " m k"), "A": ("amp", "μ m k"),
    "J": ("joule", " k M G"), "Pa": ("pascal", "h k M G"), "N": ("newton", "k M"),
    "eV": ("electron volt", " k M G T"), "mol": ("mole", " m"), "bit": ("bit", "k M G"),
}  # fmt: skip
for _symbol, (_name, _prefixes) in _METRIC.items():
    for _prefix in _prefixes.split(" "):
        _one = _PREFIXES.get(_prefix, "") + _name
        _many = _one if _one.endswith("hertz") else _one.replace("bit per", "bits per")
        _NAMES[_prefix + _symbol] = (
            _one,
            _many if _many != _one or "hertz" in _one else f"{_one}s",
        )
for _length in ("mm", "cm", "m", "km", "ft", "mi", "in", "yd"):
    _one, _many = _NAMES["in." if _length == "in" else _length]
    for _power, _name in (("2", "square"), ("3", "cubic")):
        _NAMES[f"{_length}^{_power}"] = (f"{_name} {_one}", f"{_name} {_many}")
        if _length not in ("ft", "in", "mi", "yd"):
            _NAMES[f"{_length}{_power}"] = _NAMES[f"{_length}^{_power}"]
# What stands behind the stroke of "km/h" and of "$9 / month".
_EACH = {
    "s": "second", "s^2": "second squared", "s2": "second squared", "mo": "month", "wk": "week",
    "d": "day", "in": "inch",
}  # fmt: skip
_EACH_WORDS = (
    "second|minute|hour|day|week|month|quarter|year|person|night|user|token|ounce|pound|gallon|mile"
    "|unit|item|seat|page|word|request|game|student|share|piece|cup|serving|sq ft|image|call"
)


def _either(symbols: list[str]) -> str:
    return "|".join(re.escape(symbol) for symbol in sorted(symbols, key=len, reverse=True))


UNIT = rf"(?P<unit>{_either(list(_NAMES))})"
"""The symbol of a unit, as `in_words` takes it; what follows it is the caller's to check."""
_SINGLE = [name for name in _NAMES if "%" not in name and "°" not in name and "/" not in name]
PER = rf"(?:\s?/\s?(?P<per>{_EACH_WORDS}|{_either([*_SINGLE, *_EACH])})(?![\w^]))?"
"""What may follow a unit or a sum of money: "/h", "/month"."""


def in_words(symbol: str, per: str | None, *, one: bool) -> str:
    """The name of the unit `symbol`, "kilometers per hour" for "km" per "h"."""
    return _NAMES[symbol][0 if one else 1] + each(per)


def each(per: str | None) -> str:
    """ " per hour" for "h"; "" for nothing."""
    if not per:
        return ""
    return f" per {_EACH.get(per) or _NAMES.get(per, (per,))[0]}"
