"""A client of the broker for tests and measurements: steps at full tilt, and says when.

Its steps leave the processor alone, as work on a GPU does.

    python -m tests.gpu.lease_client SOCKET TENANT STEP_S [hang]

Writes "START END" in monotonic seconds for each step until its standard input ends. With `hang` its
tenth step never ends.
"""

from __future__ import annotations

import sys
import threading
from time import monotonic, sleep
from typing import cast

from voicebot_local.gpu.lease import DeviceLease
from voicebot_local.gpu.queue import Tenant

SWITCH_S = 0.0005
"""As in the engines' processes (s)."""


def main() -> None:
    address, tenant, step_s = sys.argv[1], cast(Tenant, sys.argv[2]), float(sys.argv[3])
    hangs = sys.argv[4:] == ["hang"]
    sys.setswitchinterval(SWITCH_S)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    lease = DeviceLease(address, tenant)
    lease.begin()
    steps = 0
    while not over.is_set():
        lease.acquire()
        start = monotonic()
        steps += 1
        sleep(1e6 if hangs and steps == 10 else step_s)
        end = monotonic()
        lease.release()
        sys.stdout.write(f"{start!r} {end!r}\n")
        sys.stdout.flush()
    lease.close()


if __name__ == "__main__":
    main()
