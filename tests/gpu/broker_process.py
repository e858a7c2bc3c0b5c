"""The real broker as a process, for tests and measurements."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
