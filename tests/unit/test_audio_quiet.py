"""Sound libraries that write to the terminal while they look for devices."""

from __future__ import annotations

import logging
import os

import pytest

from voicebot_local.audio.quiet import quiet_libraries


def fail() -> None:
    with quiet_libraries():
        os.write(2, b"ALSA lib complains\n")
        raise RuntimeError


def test_what_a_library_writes_is_dropped_and_only_then(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    os.write(2, b"before\n")
    with pytest.raises(RuntimeError):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_with_debug_it_is_shown(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().err == "ALSA lib complains\n"
