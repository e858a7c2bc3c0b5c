"""Where things lie: profiles, examples, models, caches.

In a checkout they lie beside the package; an installed wheel carries them in `_data`, and what is
downloaded later goes to the user's data directory.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
IS_CHECKOUT = (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / "configs").is_dir()
CARRIED = CHECKOUT if IS_CHECKOUT else PACKAGE / "_data"
"""The directory that holds `configs`, `examples` and `models`, as they were shipped."""


def configs_dir() -> Path:
    """The profiles, one TOML file each."""
    return CARRIED / "configs"


def examples_dir() -> Path:
    """A few recordings, and in `conversation.toml` what to expect from them."""
    return CARRIED / "examples"


def models_dir() -> Path:
    """Where downloaded weights are kept: the directory that VOICEBOT_MODELS names, if it does."""
    if given := os.environ.get("VOICEBOT_MODELS", ""):
        return Path(given).expanduser().resolve()
    return CHECKOUT / "models" if IS_CHECKOUT else data_dir() / "models"


def model_path(path: Path) -> Path:
    """Where the model file or directory `path` of a configuration is.

    An absolute path stays, and `~` is the home directory. A relative one is looked for in
    `models_dir()`, then among the models that came with the package; where neither has it, the
    answer is its place in `models_dir()`, which is where a download would put it.
    """
    path = path.expanduser()
    if path.is_absolute():
        return path
    for directory in (models_dir(), CARRIED / "models"):
        if (directory / path).exists():
            return directory / path
    return models_dir() / path


def config_file() -> Path:
    """The user's own configuration, by the XDG rules; it may not exist."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "config.toml"


def data_dir() -> Path:
    """This user's data of this program, by the XDG rules; it may not exist yet."""
    return _xdg("XDG_DATA_HOME", ".local/share")


def voices_dir() -> Path:
    """The user's own voices, a recording each; it may not exist yet."""
    return data_dir() / "voices"


def own_voice(name: str) -> Path | None:
    """The recording of the user's own voice called `name`, in capitals or not, if there is one."""
    for recording in sorted(voices_dir().glob("*.wav")):
        if recording.stem.casefold() == name.casefold():
            return recording
    return None


def cache_dir() -> Path:
    """What can be computed again; it may not exist yet."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def _xdg(variable: str, fallback: str) -> Path:
    given = os.environ.get(variable, "")
    home = Path(given) if given.startswith("/") else Path.home() / fallback
    return home / "voicebot-local"
