"""A sound server of the test's own, with a loudspeaker and a microphone that are only wires."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("pulseaudio", "pacat", "parecord")
READY_S = 10.0
ALSA = """
</usr/share/alsa/alsa.conf>
pcm.testmic { type pulse device "mouth.monitor" hint { show on description "testmic" } }
pcm.testspeaker { type pulse device "ear" hint { show on description "testspeaker" } }
"""
SINK = "module-null-sink sink_name={} rate=48000 norewinds=1"
"""Without norewinds a monitor hears silence where the sink took back what it had been given."""


def missing() -> str:
    """What this machine lacks for it, or ""."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return f"{', '.join(lacking)} not found (Debian: pulseaudio libasound2-plugins)" * bool(lacking)


class Pulse:
    """The server. What is played into the sink `mouth` is what the microphone hears; what the
    loudspeaker is given goes to the sink `ear`."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "native"
        self._log = directory / "server.log"
        self._server: subprocess.Popen[bytes] | None = None
        (directory / "asound.conf").write_text(ALSA)
        self.environment = os.environ | {
            "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(directory / "asound.conf"),
        }

    def start(self) -> None:
        """Start the server with both devices plugged in."""
        modules = (
            f"module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            SINK.format("ear"),
            SINK.format("mouth"),
        )
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        options += [part for module in modules for part in ("-L", module)]
        self._socket.unlink(missing_ok=True)
        with self._log.open("w") as log:
            self._server = subprocess.Popen(
                ["pulseaudio", *options],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_S
        while not self._socket.exists():
            assert self._server.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the sound server does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill the server: its devices are gone, whoever uses them."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(timeout=30)
            self._server = None

    def speak(self, recording: Path) -> None:
        """Play a recording to the microphone; returns when it is over."""
        subprocess.run(
            ["pacat", "--file-format=wav", "-d", "mouth", str(recording)],
            env=self.environment,
            check=True,
            timeout=60,
        )

    @contextmanager
    def listening(self, file: Path) -> Iterator[None]:
        """Record what the loudspeaker plays into `file`."""
        command = ["parecord", "-d", "ear.monitor", "--file-format=wav", str(file)]
        with subprocess.Popen(command, env=self.environment) as recorder:
            try:
                yield
            finally:
                recorder.terminate()


@contextmanager
def sound_server(directory: Path) -> Iterator[Pulse]:
    """A running server; it ends with the block."""
    pulse = Pulse(directory)
    try:
        pulse.start()
        yield pulse
    finally:
        pulse.stop()
