"""The real broker and its clients as processes, for tests and measurements."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep


@contextmanager
def broker_process(address: str, limit_s: float, kill_s: float) -> Iterator[subprocess.Popen[str]]:
    """A broker that serves at `address` for the block; see `voicebot_local/gpu/broker.py`."""
    Path(address).unlink(missing_ok=True)
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "voicebot_local.gpu.broker"),
            *(address, str(limit_s), str(kill_s)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.communicate()


class SteppingClient:
    """See `lease_client.py`; `steps` (start and end, monotonic seconds) grows while it runs."""

    def __init__(self, *arguments: str) -> None:
        self.steps: list[tuple[float, float]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.gpu.lease_client", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            start, end = line.split()
            self.steps.append((float(start), float(end)))

    def wait_for(self, steps: int, within_s: float = 20.0) -> None:
        """Until it has made so many more steps; raises AssertionError where it makes none."""
        wanted = len(self.steps) + steps
        for _ in range(round(within_s / 0.001)):
            if len(self.steps) >= wanted:
                return
            sleep(0.001)
        raise AssertionError("the client makes no steps")

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        """Let it end after its present step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
