"""Keeps sound libraries from writing to the terminal while they look for devices."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """What C libraries write to stderr in the block is dropped; with --debug it is shown.

    ALSA complains of each device that a configuration names and the machine lacks, in dozens of
    lines, and none of them is for a person. The whole process's stderr is concerned, so the block
    is short and nothing else is said in it.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        yield
        return
    try:
        kept = os.dup(STDERR)
    except OSError:  # There is no stderr to keep quiet.
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nothing)
