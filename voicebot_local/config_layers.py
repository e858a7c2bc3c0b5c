"""What a configuration is laid together from: files and variables, each value with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voicebot_local import paths
from voicebot_local.errors import ConfigError

VERSION = 1
"""Of the configuration's form; a file may say it as `version = 1`."""
RENAMED: Mapping[str, str] = {}
"""Dotted keys of older versions, and what they are called now: taken so, and told."""
REMOVED: Mapping[str, str] = {}
"""Dotted keys of older versions that are gone, and what to do instead."""
PREFIX = "VOICEBOT_"

_SECTION = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=\s*(.*)$""")


@dataclass(frozen=True, slots=True)
class Layer:
    """Some of the configuration, and what to call the place it comes from.

    `lines`: in a file, the line of each dotted key. `notes`: what its owner should know.
    """

    name: str
    table: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def place(self, key: str) -> str:
        """Where `key` is set: "FILE:LINE", or the name of a flag or a variable."""
        line = self.lines.get(key)
        return self.name if line is None else f"{self.name}:{line}"

    def without(self, sections: Collection[str]) -> Layer:
        """The layer without these sections."""
        table = {name: value for name, value in self.table.items() if name not in sections}
        return Layer(self.name, table, self.lines, self.notes)


def read_layer(file: Path) -> Layer:
    """The tables of a TOML file, of this version of the program or an older one.

    Raises ConfigError for a file that is missing, no TOML, or of a later version.
    """
    try:
        text = file.read_text("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration file {file}.", f"Profiles are in {paths.configs_dir()}."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}.", "Name a file that you may read."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text in UTF-8.", "Save it as UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(*_syntax(file, str(error))) from error
    lines = key_lines(text)
    _check_version(file, table.pop("version", VERSION))
    notes = list(_upgrade(file, table, lines))
    persona = table.get("persona")
    if isinstance(persona, dict) and isinstance(persona.get("file"), str):
        persona["file"] = str(file.parent / persona["file"])
    return Layer(str(file), table, lines, tuple(notes))


def _syntax(file: Path, message: str) -> tuple[str, str]:
    """`message` ends in "(at line 3, column 7)" or "(at end of document)"."""
    what, _, where = message.rpartition(" (at ")
    where = where.removesuffix(")")
    line = f":{where.split(',')[0].removeprefix('line ')}" if where.startswith("line") else ""
    return f"{file}{line}: this is no TOML: {what}.", 'A line is `key = value`; text is in "…".'


def _check_version(file: Path, version: object) -> None:
    if not isinstance(version, int) or version < 1:
        raise ConfigError(
            f"{file}: version is {version!r}, which no configuration has.",
            f"Write `version = {VERSION}`, or leave it out.",
        )
    if version > VERSION:
        raise ConfigError(
            f"{file} is of version {version}, and this program knows up to {VERSION}.",
            "Use a newer voicebot-local, or make a new file with `voicebot-local config init`.",
        )


def _upgrade(file: Path, table: dict[str, Any], lines: dict[str, int]) -> Iterator[str]:
    """Bring keys of older versions up to date, in place; says what was done."""
    for old in [*RENAMED, *REMOVED]:
        section, _, key = old.partition(".")
        inner = table.get(section)
        if not isinstance(inner, dict) or key not in inner:
            continue
        place = f"{file}:{lines[old]}" if old in lines else str(file)
        if old in REMOVED:
            raise ConfigError(f"{place}: {old} is gone since an older version.", REMOVED[old])
        new = RENAMED[old]
        new_section, _, new_key = new.partition(".")
        table.setdefault(new_section, {}).setdefault(new_key, inner.pop(key))
        lines.setdefault(new, lines.get(old, 0))
        yield f"{place}: {old} is called {new} now; it is taken as that."


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, on which each dotted key of a TOML text is set.

    Sections and plain keys, which is all that a configuration needs; a key that it does not find
    has no line, and that is all that goes wrong.
    """
    found: dict[str, int] = {}
    section, inside = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if match := _SECTION.match(line):
            section = f"{match[1]}."
            found.setdefault(match[1], number)
        elif match := _KEY.match(line):
            found[section + match[1].strip("\"'")] = number
            for quotes in ('"""', "'''"):
                if match[2].startswith(quotes) and quotes not in match[2][3:]:
                    inside = quotes
    return found


def environment_layers(environ: Mapping[str, str], sections: Collection[str]) -> list[Layer]:
    """What variables such as VOICEBOT_TURN_END_SILENCE_S=0.9 set, one layer each.

    A value is read as TOML where it is some, else it is text.
    """
    layers = []
    for variable in sorted(environ):
        section, _, key = variable.removeprefix(PREFIX).lower().partition("_")
        if variable.startswith(PREFIX) and section in sections and key:
            value = _value(environ[variable])
            layers.append(Layer(f"environment variable {variable}", {section: {key: value}}))
    return layers


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
