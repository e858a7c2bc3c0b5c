"""What a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from voicebot_local.errors import VoicebotError

Status = Literal["green", "yellow", "red"]
WORST: tuple[Status, ...] = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Result:
    """One line: green works, yellow works with a limit that a person should know, red does not.

    `summary` says what was found, `mend` what to do about it ("" where nothing need be done).
    `details` are the numbers behind it, for `--json`; `took_s` is how long the check took.
    """

    name: str
    status: Status
    summary: str
    mend: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    took_s: float = 0.0


def from_error(name: str, error: VoicebotError) -> Result:
    """A red line for an error of ours."""
    return Result(name, "red", error.message.rstrip("."), error.mend)


def worst(statuses: list[Status]) -> Status:
    """The worst of them, green where there are none."""
    return max(statuses, key=WORST.index, default="green")
