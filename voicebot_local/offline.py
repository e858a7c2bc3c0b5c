"""No network: after `forbid_network`, Python code of this process reaches this machine only."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from typing import Any

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TRAINER_TELEMETRY": "0",
    "WANDB_MODE": "disabled",
}
"""What libraries of models read to know that they must not ask the network."""


class NetworkForbidden(PermissionError):
    """The program is offline by its configuration, and something tried to reach the network.

    An OSError, since that is what callers of the socket functions are prepared for.
    """

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the network is off (offline = true), but something tried to reach {host}"
        )
        self.host = host


_forbidden = False


def forbid_network() -> None:
    """Refuse every name and address that is not this machine's own, from now on and for good.

    Refusal is a NetworkForbidden from the socket function. Loopback and Unix sockets work. Binding
    is left alone: it reaches nobody. Sockets that a native library opens without Python are
    out of its sight; the libraries that we use are told by environment variables, which child
    processes inherit.
    """
    global _forbidden
    os.environ.update(_QUIET)
    if not _forbidden:
        sys.addaudithook(_refuse)
        _forbidden = True


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    match event, arguments:
        case (("socket.connect" | "socket.sendto" | "socket.sendmsg"), (sock, address)):
            inet = sock.family in (socket.AF_INET, socket.AF_INET6)
            # A connected socket sends without an address.
            if inet and address is not None and not _is_ours(address[0]):
                raise NetworkForbidden(_shown(address[0]))
        case (("socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr"), (host, *_)):
            if not _is_ours(host):
                raise NetworkForbidden(_shown(host))
        case "socket.getnameinfo", (address, *_):
            if not _is_ours(address[0]):
                raise NetworkForbidden(_shown(address[0]))


def _shown(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def _is_ours(host: object) -> bool:
    """Whether this names the machine itself, without asking anyone."""
    if host is None or host in ("", b""):
        return True
    name = _shown(host).partition("%")[0].lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
