"""The rooms that can be chosen, by name."""

from __future__ import annotations

from collections.abc import Sequence

from voicebot_local.bench.echo.room import Room
from voicebot_local.errors import ConfigError

ROOMS = {
    "desk": Room(clip_dbfs=-3, noise_dbfs=-60),
    "near": Room(delay_s=0.02, distance_m=0.2, clip_dbfs=-3, noise_dbfs=-60),
    "late": Room(delay_s=0.3, clip_dbfs=-3, noise_dbfs=-60),
    "hall": Room(rt60_s=0.6, distance_m=1.0, size_m=(7.0, 5.0, 3.0), clip_dbfs=-3, noise_dbfs=-60),
    "drift": Room(drift_ppm=50, clip_dbfs=-3, noise_dbfs=-60),
    "tinny": Room(rt60_s=0.5, delay_s=0.2, clip_dbfs=-9, noise_dbfs=-60),
}


def room_named(name: str) -> Room:
    """Raises ConfigError for a name that is not in ROOMS."""
    try:
        return ROOMS[name]
    except KeyError:
        raise ConfigError(
            f"There is no room {name!r}.", f"Choose among: {', '.join(ROOMS)}."
        ) from None


def chosen(names: Sequence[str]) -> dict[str, Room]:
    """These rooms, or all of them."""
    return {name: room_named(name) for name in names or ROOMS}
