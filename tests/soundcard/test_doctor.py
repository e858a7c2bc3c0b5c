"""The doctor's chirp through the real sound-card code, over a wire of known loss.

Opt-in (`pytest --run-soundcard`): it needs PulseAudio.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soundcard.pulse import Pulse, sound_server

pytestmark = [pytest.mark.soundcard, pytest.mark.timeout(90)]
HALF_DB = -18.0
"""What PulseAudio makes of a volume of 50 %: its scale is cubic."""


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with sound_server(tmp_path) as server:
        yield server


def control(pulse: Pulse, *words: str) -> None:
    subprocess.run(["pactl", *words], env=pulse.environment, check=True, timeout=30)


def examine(pulse: Pulse) -> dict[str, dict[str, Any]]:
    devices = ("--input-device", "testmic", "--output-device", "testspeaker")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "voicebot_local.cli", "doctor"),
            *("--backend", "starter", "--json", *devices),
        ],
        env=pulse.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_the_loudspeaker_comes_back_through_a_wire(pulse: Pulse) -> None:
    control(pulse, "load-module", "module-loopback", "source=ear.monitor", "sink=mouth")
    control(pulse, "set-source-volume", "ear.monitor", "50%")
    found = examine(pulse)
    assert found["echo"]["details"]["return_db"] == pytest.approx(HALF_DB, abs=1.0)
    assert 0.01 < found["echo"]["details"]["round_trip_s"] < 1.0
    microphone = found["microphone"]
    assert microphone["details"]["measured_rate"] == pytest.approx(
        microphone["details"]["rate"], rel=0.03
    )
    # A wire is silent between sounds, as behind a noise gate.
    assert (microphone["status"], "noise gate" in microphone["mend"]) == ("yellow", True)


def test_a_microphone_that_nothing_reaches(pulse: Pulse) -> None:
    found = examine(pulse)
    assert (found["microphone"]["status"], "muted" in found["microphone"]["mend"]) == ("red", True)
    assert (found["echo"]["status"], "headset" in found["echo"]["mend"]) == ("yellow", True)
