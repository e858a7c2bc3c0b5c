"""What pydantic finds wrong with a configuration, said so that a person can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from voicebot_local.errors import ConfigError


def explain(
    error: ValidationError, root: type[BaseModel], origins: Mapping[str, str]
) -> ConfigError:
    """The first thing that is wrong, with the place, the key, and what is allowed there.

    `origins` says for each dotted key which file or flag set it.
    """
    return explain_all(error, root, origins)[0]


def explain_all(
    error: ValidationError, root: type[BaseModel], origins: Mapping[str, str]
) -> list[ConfigError]:
    """Everything that is wrong, misspelt keys first; as `explain`."""
    found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    return [_explained(each, root, origins) for each in found]


def _explained(first: Any, root: type[BaseModel], origins: Mapping[str, str]) -> ConfigError:
    key, model = _follow(root, first["loc"])
    dotted = ".".join(key)
    place = origins.get(dotted) or origins.get(key[0], "the configuration")
    if first["type"] == "extra_forbidden":
        message = f"{place}: {_shown(key)} is no key of this configuration."
        return ConfigError(message, _nearest(key, model, root))
    if first["type"] == "missing":
        return ConfigError(f"{place}: {_shown(key)} is missing.", _described(model, key[-1]))
    if first["type"].startswith("union_tag"):
        allowed = first.get("ctx", {}).get("expected_tags", "")
        given = first.get("ctx", {}).get("tag", "missing")
        return ConfigError(
            f"{place}: {_shown((*key, 'provider'))} is {given!r}.", f"It is one of: {allowed}."
        )
    if first["type"] in ("model_type", "model_attributes_type", "dict_type"):
        message = f"{place}: {_shown(key)} is {first['input']!r}, but it is a section."
        return ConfigError(message, f"Write [{_shown(key)}], and its keys on the lines below.")
    problem = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if isinstance(first["input"], dict):
        return ConfigError(f"{place}: {_shown(key)}: {problem}.")
    return ConfigError(
        f"{place}: {_shown(key)} is {first['input']!r}; it {problem}.", _described(model, key[-1])
    )


def _shown(key: tuple[str, ...]) -> str:
    return ".".join(key)


def _follow(root: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[tuple[str, ...], Any]:
    """The key that `loc` stands for, without the union tags that pydantic puts in between, and
    the model that the last part of it belongs to."""
    key: list[str] = []
    model = root
    choices: list[type[BaseModel]] = []
    for part in map(str, loc):
        tagged = [model for model in choices if _provider(model) == part]
        if tagged:
            model, choices = tagged[0], []
            continue
        if choices:
            model, choices = choices[0], []
        key.append(part)
        field = model.model_fields.get(part)
        if field is None:
            break
        choices = _models_in(field.annotation)
        if not choices:
            break
    return tuple(key), model


def _provider(model: type[BaseModel]) -> object:
    field = model.model_fields.get("provider")
    return field.default if field else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]


def _nearest(key: tuple[str, ...], model: type[BaseModel], root: type[BaseModel]) -> str:
    """The right name in the same section, else the section that has it, else all names."""
    close = difflib.get_close_matches(key[-1], model.model_fields, n=1)
    if close:
        return f"Did you mean {_shown((*key[:-1], close[0]))}?"
    if others := _other_providers(key, root):
        names = ", ".join(model.model_fields)
        return f"It is a key of {others}; {_provider(model)} has: {names}."
    for section, field in root.model_fields.items():
        for owner in _models_in(field.annotation):
            if close := difflib.get_close_matches(key[-1], owner.model_fields, n=1, cutoff=0.8):
                return f"Did you mean {section}.{close[0]}?"
    return f"Allowed here: {', '.join(model.model_fields)}."


def _other_providers(key: tuple[str, ...], root: type[BaseModel]) -> str:
    """Which other providers of the same section have the key."""
    field = root.model_fields.get(key[0])
    owners = _models_in(field.annotation) if field and len(key) == 2 else []
    return " and ".join(str(_provider(one)) for one in owners if key[1] in one.model_fields)


def _described(model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return field.description or "" if field else ""
