"""The child process of a local engine: `python -m voicebot_local.engines.worker PARENT`.

Frames come in on standard input and go out on standard output; whatever libraries print goes to
standard error. PARENT is the process id to die with on Linux, or 0: the kernel then kills the child
even where an engine holds Python's global lock. It is 0 where the thread that started the child may
end before the program does, since the kernel means that thread. In every case the end of standard
input ends the child.
"""

from __future__ import annotations

import _thread
import ctypes
import logging
import os
import signal
import sys
import threading
from typing import Any

from voicebot_local.engines.protocol import Frame, FrameParser, encode
from voicebot_local.engines.serving import ClientGone, Desk, DeviceLost
from voicebot_local.errors import ProviderError
from voicebot_local.offline import forbid_network

EXIT_DEVICE_LOST = 70
EXIT_TERMINATED = 143
CLOSING_S = 2.0
"""How long an engine may take to end its step when the client is gone."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    frames_in, frames_out = _take_pipes()
    # Ctrl-C reaches every process of a terminal; the program decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    _die_with(int(sys.argv[1]))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")

    def emit(frame: Frame) -> None:
        try:
            rest = memoryview(encode(frame))
            while rest:
                rest = rest[os.write(frames_out, rest) :]
        except OSError as error:
            raise ClientGone from error

    desk = Desk(emit)
    threading.Thread(target=_read, args=(frames_in, desk), name="frames in", daemon=True).start()
    status = 0
    try:
        desk.serve()
    except ClientGone:
        pass
    except DeviceLost as lost:
        logging.getLogger(__name__).error("the device is lost: %s", lost)
        status = EXIT_DEVICE_LOST
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    # Taking an interpreter with torch apart takes seconds, and nothing is left to be saved: what an
    # engine must put in order, it does in `close`.
    logging.shutdown()
    os._exit(status)


def _take_pipes() -> tuple[int, int]:
    """Keep the pipes to ourselves: prints go to standard error, reads find nothing."""
    frames_in, frames_out = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return frames_in, frames_out


def _die_with(parent: int) -> None:
    if parent == 0 or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _read(frames_in: int, desk: Desk) -> None:
    """Runs in its own thread, and never waits for anything but the client."""
    try:
        parser = FrameParser("the program")
        while data := os.read(frames_in, 2**18):
            for frame in parser.feed(data):
                if frame.type == "load":
                    _prepare(frame.head)
                desk.put(frame)
    except ProviderError as violation:
        logging.getLogger(__name__).error("%s", violation)
    desk.close()
    if not desk.loaded:
        # A load is not made of steps. Interrupted like this, it still removes what it unpacked.
        _thread.interrupt_main(signal.SIGTERM)
    # The owner thread now ends its step and then the process; a stuck one must not outlive us.
    threading.Event().wait(CLOSING_S)
    os._exit(1)


def _prepare(head: dict[str, Any]) -> None:
    """Before the engine's libraries are imported."""
    sys.path += [path for path in head["sys_path"] if path not in sys.path]
    if head["offline"]:
        forbid_network()


if __name__ == "__main__":
    main()
