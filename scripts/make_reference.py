"""Write docs/configuration.md from the schema; a test holds the two together.

.venv/bin/python -m scripts.make_reference
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from voicebot_local.config import Config
from voicebot_local.paths import CHECKOUT

TARGET = CHECKOUT / "docs" / "configuration.md"
HEAD = """# Configuration

<!-- Written by scripts/make_reference.py from the schema; do not edit. -->

A configuration is laid together from the bottom up:

1. a **profile**, `configs/NAME.toml`: `starter`, `local`, `local-12gb` or `hosted`, by
   `--backend`. Every key stands there with a word on what it trades;
2. **your own file**, `~/.config/voicebot-local/config.toml` (`$XDG_CONFIG_HOME`), or the one
   that `--config FILE` names in its place. Only the keys that differ. What your own file says
   of `[recognizer]`, `[chat]` and `[synthesizer]` is for the `backend` that it names;
3. **variables** of the environment: `VOICEBOT_TURN_END_SILENCE_S=0.9` is `end_silence_s` in
   `[turn]`;
4. the **flags** of a command.

`voicebot-local config init` begins a file of your own, `config check` says everything that is
wrong with one, `config show` prints what counts and where each value comes from, `config path`
says where things are. A misspelt key is an error. `version = 1` may stand on top of a file; a
key that a later version renames is taken under its new name, and told.

Keys of hosted services are never part of a configuration: they are read from the environment,
or from a file `.env` in the current directory.

`backend` on top of a file chooses the profile: "starter", "local" or "hosted".
"""


TABLE = "| key | type | default | what it does |\n|---|---|---|---|\n"


def reference() -> str:
    """The whole page."""
    return HEAD + "".join(_section(name, field) for name, field in Config.model_fields.items())


def _section(name: str, field: FieldInfo) -> str:
    models = list(_models(field.annotation))
    if not models:
        return ""
    text = f"\n## [{name}]\n"
    for model in models:
        provider = model.model_fields.get("provider")
        if provider is not None:
            text += f'\n### provider = "{provider.default}"\n'
        text += (
            f"\n{_sentence(model)}\n\n| key | type | default | what it does |\n|---|---|---|---|\n"
        )
        for key, each in model.model_fields.items():
            if key != "provider":
                text += (
                    f"| `{key}` | {_type(each)} | {_default(each)} | {_cell(each.description)} |\n"
                )
    return text


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _type(field: FieldInfo) -> str:
    limits = []
    for one in field.metadata:
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if hasattr(one, name):
                limits.append(f"{sign} {getattr(one, name)}")
    return ", ".join([_named(field.annotation), *limits])


def _named(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_named(one) for one in arguments if one is not type(None))
    if origin in (tuple, list, typing.Sequence):
        return f"list of {_named(arguments[0])}"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}
    return names.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", ()):
        return "none" if value != "" else '`""`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())


if __name__ == "__main__":
    TARGET.write_text(reference(), "utf-8")
    print(f"{TARGET} is written.")
