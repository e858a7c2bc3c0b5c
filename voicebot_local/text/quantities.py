"""Money, measures and percentages in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import NUMBER, cardinal, is_one

AMOUNT = (
    rf"(?:(?<![\w.)])(?P<minus>-))?(?<![\w.,])(?P<low>{NUMBER})(?![\d,]\d)"
    rf"(?:\s?[-–—]\s?(?P<high>{NUMBER}))?"
)
"""A number, perhaps negative, or a range of two."""

_SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "bn": "billion", "b": "billion", "B": "billion", "T": "trillion",
}  # fmt: skip
_SCALE_WORDS = "thousand|million|billion|trillion"
_SCALE = rf"(?:(?P<scale>bn|mn|[kKmMbBT])(?!\w)|\s(?P<word>{_SCALE_WORDS})\b)?"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₩": ("won", "won", "jeon", "jeon"),
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CHF": ("franc", "francs", "centime", "centimes"),
    "JPY": ("yen", "yen", "sen", "sen"),
    "¢": ("cent", "cents", "", ""),
}
_SIGNS = "[$€£¥₹₽₩]"
_NAMES = "USD|EUR|GBP|CHF|JPY"
_MONEY_BEFORE = re.compile(
    rf"(?:(?<!\w)(?P<minus_before>-))?(?:(?<!\w)(?:US|U\.S\.|CA|AU))?(?P<cur>{_SIGNS}|\b(?:{_NAMES})(?=\s?\d))\s?(?P<minus>-)?"
    rf"(?P<low>{NUMBER})(?:\s?[-–—]\s?(?:{_SIGNS})?(?P<high>{NUMBER}))?{_SCALE}"
)
_MONEY_AFTER = re.compile(rf"{AMOUNT}{_SCALE}\s?(?P<cur>{_SIGNS}|¢|(?:{_NAMES})\b)")
_DECIMAL_COMMA = re.compile(rf"\b(\d+),(\d\d)(?=\s?(?:{_SIGNS}|(?:{_NAMES})\b))")

_UNITS = {
    "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "m/s": ("meter per second", "meters per second"),
    "mm": ("millimeter", "millimeters"), "cm": ("centimeter", "centimeters"),
    "m": ("meter", "meters"), "km": ("kilometer", "kilometers"), "nm": ("nanometer", "nanometers"),
    "μm": ("micrometer", "micrometers"), "mi": ("mile", "miles"), "ft": ("foot", "feet"),
    "yd": ("yard", "yards"), "in.": ("inch", "inches"), "sq ft": ("square foot", "square feet"),
    "mg": ("milligram", "milligrams"), "g": ("gram", "grams"), "kg": ("kilogram", "kilograms"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"),
    "cl": ("centiliter", "centiliters"), "l": ("liter", "liters"), "L": ("liter", "liters"),
    "tsp": ("teaspoon", "teaspoons"), "tbsp": ("tablespoon", "tablespoons"),
    "ns": ("nanosecond", "nanoseconds"), "μs": ("microsecond", "microseconds"),
    "ms": ("millisecond", "milliseconds"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
    "min": ("minute", "minutes"), "h": ("hour", "hours"), "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"), "mins": ("minute", "minutes"), "secs": ("second", "seconds"),
    "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"), "KiB": ("kibibyte", "kibibytes"),
    "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"),
    "GB/s": ("gigabyte per second", "gigabytes per second"),
    "fps": ("frame per second", "frames per second"), "px": ("pixel", "pixels"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "dB": ("decibel", "decibels"),
    "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"), "MW": ("megawatt", "megawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"),
    "mA": ("milliampere", "milliamperes"), "mAh": ("milliampere hour", "milliampere hours"),
    "J": ("joule", "joules"), "kJ": ("kilojoule", "kilojoules"),
    "cal": ("calorie", "calories"), "kcal": ("kilocalorie", "kilocalories"),
    "ha": ("hectare", "hectares"), "Ω": ("ohm", "ohms"),
}  # fmt: skip
for _length in ("mm", "cm", "m", "km", "ft", "mi"):
    _one, _many = _UNITS[_length]
    for _power, _name in (("2", "square"), ("3", "cubic")):
        _UNITS[f"{_length}^{_power}"] = (f"{_name} {_one}", f"{_name} {_many}")
        if _length != "ft":
            _UNITS[f"{_length}{_power}"] = _UNITS[f"{_length}^{_power}"]
_ALTERNATIVES = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_MEASURE = re.compile(rf"{AMOUNT}(?P<gap>\s?-?)(?P<unit>{_ALTERNATIVES})(?![\w²³^]|/[A-Za-z])")
_FEET_AND_INCHES = re.compile(r"(?<![\w.])(\d{1,2})'\s?(\d{1,2})(?:\"|''|″)")
_FEET_THEN_INCHES = re.compile(
    r"(\d\s?ft\.?,?\s\d{1,2}\s?)in(?!\w|\.|\s+(?:the|a|an|this|that|my|your|his|her|our|their)\b)"
)
_POINTS_AND_COMMA = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+),(\d\d)(?!\d|[.,]\d)")
_SCALED = re.compile(rf"(?!\b[248]K\b){AMOUNT}\s?(?P<scale>bn|[kKMB])(?!\w)")


def say_quantities(text: str) -> str:
    """`text` with sums of money, measures and percentages in words."""
    text = _POINTS_AND_COMMA.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _FEET_THEN_INCHES.sub(r"\1in.", text)
    text = _MONEY_BEFORE.sub(_money, text)
    text = _MONEY_AFTER.sub(_money, text)
    text = _FEET_AND_INCHES.sub(lambda m: f" {cardinal(m[1])} foot {cardinal(m[2])} ", text)
    text = _MEASURE.sub(_measure, text)
    return _SCALED.sub(lambda m: f" {amount(m)} {_SCALES[m['scale']]} ", text)


def amount(match: re.Match[str]) -> str:
    """The number or range that `AMOUNT` matched, in words."""
    said = cardinal(match["low"])
    if match["high"]:
        said += f" to {cardinal(match['high'])}"
    return f"minus {said}" if match["minus"] else said


def _singular(match: re.Match[str]) -> bool:
    return is_one(match["low"]) and not match["high"]


def _measure(match: re.Match[str]) -> str:
    unit = _UNITS[match["unit"]]
    one = _singular(match) or "-" in match["gap"]
    return f" {amount(match)} {unit[0 if one else 1]} "


def _money(match: re.Match[str]) -> str:
    one, many, minor_one, minor_many = _CURRENCIES[match["cur"]]
    said_scale = _SCALES.get(match["scale"] or "", match["word"] or "")
    groups = match.groupdict()
    sign = "minus " if groups["minus"] or groups.get("minus_before") else ""
    whole, _, cents = match["low"].partition(".")
    if said_scale or match["high"] or len(cents) != 2 or not minor_one:
        low = cardinal(match["low"])
        high = f" to {cardinal(match['high'])}" if match["high"] else ""
        name = one if _singular(match) and not said_scale else many
        return f" {sign}{low}{high} {said_scale} {name} "
    parts = []
    if int(whole.replace(",", "")) or cents == "00":
        parts.append(f"{cardinal(whole)} {one if is_one(whole) else many}")
    if cents != "00":
        parts.append(f"{cardinal(str(int(cents)))} {minor_one if cents == '01' else minor_many}")
    return f" {sign}{' and '.join(parts)} "
