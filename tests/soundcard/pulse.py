"""A sound server of the test's own, with a loudspeaker and a microphone that are only wires."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("pulseaudio", "pactl", "pacat", "parecord")
READY_S = 10.0
ALSA = """
</usr/share/alsa/alsa.conf>
pcm.testmic {{ type pulse device "mouth.monitor" hint {{ show on description "testmic" }} }}
pcm.testspeaker {{ type pulse device "ear" hint {{ show on description "testspeaker" }} }}
"""


def missing() -> str:
    """What this machine lacks for it, or ""."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return f"{', '.join(lacking)} not found (Debian: pulseaudio libasound2-plugins)" * bool(lacking)


@dataclass
class Pulse:
    """The server. What is played into the sink `mouth` is what the microphone hears; what the
    loudspeaker is given goes to the sink `ear`."""

    environment: dict[str, str]
    modules: dict[str, str]

    def plug(self, sink: str) -> None:
        """Plug a device in."""
        # Without norewinds a monitor hears silence where the sink took back what it had been given.
        done = self._control(
            "load-module", "module-null-sink", f"sink_name={sink}", "rate=48000", "norewinds=1"
        )
        self.modules[sink] = done.strip()

    def unplug(self, sink: str) -> None:
        """Pull a device out, whoever uses it."""
        self._control("unload-module", self.modules.pop(sink))

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

    def _control(self, *arguments: str) -> str:
        return subprocess.run(
            ["pactl", *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout


@contextmanager
def sound_server(directory: Path) -> Iterator[Pulse]:
    """A running server with both devices plugged in; it ends with the block."""
    socket, config = directory / "native", directory / "asound.conf"
    config.write_text(ALSA.format())
    environment = os.environ | {
        "HOME": str(directory),
        "XDG_RUNTIME_DIR": str(directory),
        "PULSE_SERVER": f"unix:{socket}",
        "ALSA_CONFIG_PATH": str(config),
    }
    protocol = f"module-native-protocol-unix socket={socket} auth-anonymous=1"
    options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-L", protocol)
    with (directory / "server.log").open("w") as log:
        server = subprocess.Popen(
            ["pulseaudio", *options], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_S
        while not socket.exists():
            assert server.poll() is None, (directory / "server.log").read_text()
            assert time.monotonic() < deadline, "the sound server does not start"
            time.sleep(0.05)
        pulse = Pulse(environment, {})
        pulse.plug("ear")
        pulse.plug("mouth")
        yield pulse
    finally:
        server.terminate()
        server.wait(timeout=30)
