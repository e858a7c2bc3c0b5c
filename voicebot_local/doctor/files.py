"""The models of the configuration, and room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from voicebot_local import paths
from voicebot_local.calling import called_as
from voicebot_local.config import Config, missing_models, model_files
from voicebot_local.doctor.result import Result, from_error
from voicebot_local.errors import VoicebotError
from voicebot_local.models.check import how_to_get, require_whole
from voicebot_local.models.digest import digests
from voicebot_local.models.lock import LockedFile, read_lock
from voicebot_local.models.manifest import Manifest

READ_AT_MOST = 500_000_000
"""Checksums of so many bytes take a second or two; those of more are left to `models verify`."""
LEAST_FREE = 1_000_000_000
LOW_FREE = 5_000_000_000


def check_models(config: Config, root: Path, manifest: Manifest) -> Result:
    """Whether all models are here and whole."""
    needed = model_files(config)
    if not needed:
        return Result("models", "green", "none needed: all stages are hosted")
    if missing := missing_models(config):
        command = how_to_get(missing, root, manifest)
        names = ", ".join(path.name for path in missing)
        mend = command or "Correct their paths in the configuration."
        return Result("models", "red", f"missing: {names}", mend)
    try:
        require_whole(needed, root, manifest)
        recorded = _recorded(needed, root)
    except VoicebotError as error:
        return from_error("models", error)
    size = sum(file.size for file in recorded.values())
    details = {"files": [str(path) for path in needed], "recorded_bytes": size}
    if not recorded:
        came = all(path.is_relative_to(paths.CARRIED / "models" / "starter") for path in needed)
        how = "as they came with the program" if came else "of which no checksums are recorded"
        said = f"all {len(needed)} here, {how}"
        return Result("models", "green", said, "", details)
    if size > READ_AT_MOST:
        said = f"all here and of the right size; {called_as()} models verify reads them"
        return Result("models", "green", said, "", details)
    damaged = [path for path, file in recorded.items() if _differs(root / path, file)]
    if damaged:
        found = [manifest.at(root / path, root) for path in damaged]
        names = " ".join(dict.fromkeys(model.name for model in found if model))
        mend = f"{called_as()} models download --again {names}"
        return Result("models", "red", f"damaged: {', '.join(damaged)}", mend, details)
    return Result("models", "green", f"all here, {len(recorded)} checksums right", "", details)


def check_disk(
    root: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> Result:
    """Room where models go."""
    place = next(path for path in (root, *root.parents) if path.exists())
    left = free(place)
    said = f"{left / 1e9:.1f} GB free at {root}"
    mend = "Free some of it, or keep the models elsewhere: export VOICEBOT_MODELS=DIR."
    details = {"free_bytes": left}
    if left >= LOW_FREE:
        return Result("disk", "green", said, "", details)
    return Result("disk", "red" if left < LEAST_FREE else "yellow", said, mend, details)


def _recorded(needed: Iterable[Path], root: Path) -> dict[str, LockedFile]:
    """What the lock knows of the files that are needed."""
    inside = [path.relative_to(root) for path in needed if path.is_relative_to(root)]
    return {
        path: file
        for path, file in read_lock(root).files.items()
        if any(Path(path) == each or each in Path(path).parents for each in inside)
    }


def _differs(place: Path, file: LockedFile) -> bool:
    try:
        return digests(place).sha256 != file.sha256
    except OSError:
        return True
