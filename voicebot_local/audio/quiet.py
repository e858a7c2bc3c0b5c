"""Keeps sound libraries from writing to the terminal."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
_ALSA = "libasound.so.2"
_ErrorHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)


def _say_nothing(*_: object) -> None:
    """What goes wrong comes back as an error code as well, and is told from there."""


_silent = _ErrorHandler(_say_nothing)
"""ALSA keeps its address, so it lives as long as the program."""


def silence_alsa() -> None:
    """ALSA writes no more to the terminal, where a line of its own tears up the display; with
    --debug it still does. Without effect where there is no ALSA."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    try:
        ctypes.CDLL(_ALSA).snd_lib_error_set_handler(_silent)
    except (OSError, AttributeError):
        logging.getLogger(__name__).debug("there is no ALSA", exc_info=True)


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
