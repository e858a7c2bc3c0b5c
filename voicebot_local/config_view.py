"""The effective configuration for people and programs: each value, and where it comes from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from voicebot_local import paths
from voicebot_local.config import (
    STAGES,
    Config,
    Loaded,
    load,
    merge,
    missing_libraries,
    missing_models,
)
from voicebot_local.config_errors import explain_all
from voicebot_local.config_layers import VERSION, Layer, read_layer
from voicebot_local.errors import ConfigError
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.secrets import ENV_FILE, read_key

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the configuration: its dotted key, and the place that set it or DEFAULT."""

    key: str
    value: Any
    origin: str


def values(loaded: Loaded) -> Iterator[Value]:
    """Every value, in the order of the schema."""
    for name, section in loaded.config:
        if not isinstance(section, BaseModel):
            yield Value(name, section, loaded.origins.get(name, DEFAULT))
            continue
        for key, value in section:
            yield Value(f"{name}.{key}", value, loaded.origins.get(f"{name}.{key}", DEFAULT))


def as_toml(loaded: Loaded) -> str:
    """The effective configuration as a TOML file that gives it again, origins beside it."""
    lines: list[str] = []
    section = ""
    for each in values(loaded):
        above, _, key = each.key.rpartition(".")
        if above != section:
            lines += ["", f"[{above}]"]
            section = above
        text = _toml(each.value)
        setting = f"# {key} =" if text is None else f"{key} = {text}"
        place = f"# {short(each.origin)}"
        if "\n" in setting or len(setting) > 50:
            lines += [place, setting]
        else:
            lines.append(f"{setting:<38}  {place}")
    return "\n".join(lines) + "\n"


def as_json(loaded: Loaded) -> str:
    """The same as one JSON object: dotted key to value and origin."""
    found = {each.key: {"value": each.value, "from": each.origin} for each in values(loaded)}
    return json.dumps(found, ensure_ascii=False, indent=1, default=str)


def key_lines(config: Config) -> list[str]:
    """Whether the keys of hosted services are there; never what they are."""
    lines = []
    for stage in STAGES:
        section = getattr(config, stage)
        if isinstance(section, HostedConfig):
            lines.append(f"{section.key_variable} {_where(section.key_variable)}")
    return lines


def _where(variable: str) -> str:
    if os.environ.get(variable, "").strip():
        return "is set in the environment"
    return f"is set in {ENV_FILE}" if read_key(variable) else "is not set"


def short(place: str) -> str:
    """A place as people say it: a shipped profile by its name, files from here or from home."""
    here, home, profiles = f"{Path.cwd()}/", f"{Path.home()}/", f"{paths.configs_dir()}/"
    if place.startswith(profiles):
        return f"profile {place.removeprefix(profiles)}"
    if place.startswith(here):
        return place.removeprefix(here)
    return f"~/{place.removeprefix(home)}" if place.startswith(home) else place


def _toml(value: Any) -> str | None:
    """`value` as TOML writes it; None where there is none."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(filter(None, map(_toml, value)))}]"
    text = str(value)
    if "\n" in text:
        quoted = text.replace("\\", "\\\\").replace('"""', '""\\"')
        return f'"""\n{quoted}"""'
    return json.dumps(text, ensure_ascii=False)


def problems(backend: str, file: Path | None) -> list[ConfigError]:
    """Everything that is wrong with a configuration, with the place and the mend of each; none
    where it is right."""
    try:
        load(backend, file)
    except ConfigError as error:
        try:
            return _all_problems(backend, file) or [error]
        except ConfigError:  # It cannot be read at all, which the first error says.
            return [error]
    return []


def _all_problems(backend: str, file: Path | None) -> list[ConfigError]:
    """As `load` finds only the first: everything, on the ground of the profile that is meant."""
    own = file or paths.config_file()
    layers = [read_layer(own)] if own.is_file() else []
    meant = (
        str(layers[0].table.get("backend", backend)) if layers and backend == "auto" else backend
    )
    ground = paths.configs_dir() / f"{'starter' if meant == 'auto' else meant}.toml"
    if not ground.is_file():
        return []
    profile = read_layer(ground)
    merged, origins = merge(
        [profile, *layers, Layer("--backend", {"backend": profile.table["backend"]})]
    )
    try:
        Config.model_validate(merged)
    except ValidationError as error:
        return explain_all(error, Config, origins)
    return []


def lacking(config: Config) -> list[str]:
    """What a right configuration names and is not there: libraries, models, keys."""
    found = [f"The library of {name} is not installed." for name in missing_libraries(config)]
    found += [f"There is no model {path}." for path in missing_models(config)]
    return found + [f"{line}." for line in key_lines(config) if line.endswith("not set")]


def template(backend: str) -> str:
    """A file of one's own to begin with: the profile, with every value as a comment."""
    text = (paths.configs_dir() / f"{backend}.toml").read_text("utf-8")
    _, _, body = text.partition(f'backend = "{backend}"\n')
    head = (
        f"# Your own settings, on top of the profile {backend}. Take the # from the lines that\n"
        "# you change; `voicebot-local config check` says whether they are right.\n"
        f'version = {VERSION}\nbackend = "{backend}"\n'
    )
    return head + "\n".join(_commented(body.splitlines())) + "\n"


def _commented(lines: list[str]) -> Iterator[str]:
    """Values become comments; sections and comments stay."""
    inside = False
    for line in lines:
        begins = not inside and re.match(r"[a-z_]+ = ", line) is not None
        quotes = line.count('"""')
        yield f"# {line}".rstrip() if begins or inside else line
        if begins or inside:
            inside = inside != (quotes == 1)
