"""Licences that want a yes: what was agreed to, and when; `licences.json` beside the models."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voicebot_local.errors import ModelError
from voicebot_local.models.lock import write_whole
from voicebot_local.models.manifest import Model

FILE = "licences.json"


class Agreement(BaseModel):
    """Somebody said yes to `licence` on `date` (ISO), at the terminal or by `--accept`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    licence: str
    licence_url: str
    date: str
    how: str


class Agreements(BaseModel):
    """All of them, by the name of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agreed: dict[str, Agreement] = {}

    def covers(self, model: Model) -> bool:
        """Whether nothing need be asked: no agreement is wanted, or to this licence there was one.

        A licence that has changed its name or its place since wants to be agreed to again.
        """
        if not model.agree:
            return True
        said = self.agreed.get(model.name)
        return said is not None and (said.licence, said.licence_url) == (
            model.licence,
            model.licence_url,
        )


def read_agreements(root: Path) -> Agreements:
    """What was agreed to in the directory `root`. Raises ModelError."""
    file = root / FILE
    try:
        return Agreements.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Agreements()
    except (OSError, ValidationError) as error:
        raise ModelError(
            f"{file} cannot be read: it is damaged.", "Remove it; you are then asked again."
        ) from error


def record(root: Path, model: Model, date: str, how: str) -> None:
    """Keep that somebody agreed to the licence of `model` on `date`."""
    said = Agreement(licence=model.licence, licence_url=model.licence_url, date=date, how=how)
    agreed = {**read_agreements(root).agreed, model.name: said}
    write_whole(root / FILE, Agreements(agreed=agreed).model_dump(mode="json"))
