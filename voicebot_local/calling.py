"""How this program was called, so that the commands it tells a person work when they are pasted."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "voicebot-local"


def called_as() -> str:
    """ "voicebot-local" where the shell finds it by that name, else the path it was called by."""
    given = Path(sys.argv[0])
    if given.name != NAME or shutil.which(NAME):
        return NAME
    return str(given)
