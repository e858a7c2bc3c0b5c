"""The network is refused in a process of its own: an audit hook cannot be taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_CHILD = r"""
import asyncio, json, os, socket, sys, urllib.request
from voicebot_local.offline import NetworkForbidden, forbid_network
forbid_network()
forbid_network()

has_ipv6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")

def udp(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", address)

def udp_msg(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendmsg([b"x"], [], 0, address)

def connect_ex(address):
    with socket.socket() as s:
        return s.connect_ex(address)

def echo(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        with socket.create_connection((host, server.getsockname()[1])) as client:
            client.sendall(b"x")

def unix():
    a, b = socket.socketpair()
    with a, b:
        a.sendall(b"x")
        assert b.recv(1) == b"x"

async def open_connection(host):
    await asyncio.open_connection(host, 80)

tries = {
    "name": lambda: socket.create_connection(("example.com", 80), 1),
    "bytes name": lambda: socket.getaddrinfo(b"example.com", 80),
    "gethostbyname": lambda: socket.gethostbyname("example.com"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
    "address": lambda: socket.create_connection(("192.0.2.1", 80), 1),
    "address 6": lambda: socket.create_connection(("2001:db8::1", 80), 1),
    "connect_ex": lambda: connect_ex(("192.0.2.1", 80)),
    "udp": lambda: udp(("192.0.2.1", 53)),
    "udp sendmsg": lambda: udp_msg(("192.0.2.1", 53)),
    "urllib": lambda: urllib.request.urlopen("http://192.0.2.1/", timeout=1),
    "asyncio": lambda: asyncio.run(open_connection("example.com")),
    "loopback": lambda: echo("127.0.0.1"),
    "localhost": lambda: echo("localhost"),
    "loopback 6": lambda: echo("::1") if has_ipv6 else None,
    "unix": unix,
    "udp loopback": lambda: udp(("127.0.0.1", 9)),
}
told = {}
for name, attempt in tries.items():
    try:
        attempt()
        told[name] = "reached"
    except NetworkForbidden as error:
        told[name] = f"refused {error.host}"
    except Exception as error:
        told[name] = "refused" if "network is off" in str(error) else repr(error)
told["env"] = os.environ["HF_HUB_OFFLINE"] + os.environ["TRANSFORMERS_OFFLINE"]
print(json.dumps(told))
"""

_EXPECTED = {
    "name": "refused example.com",
    "bytes name": "refused example.com",
    "gethostbyname": "refused example.com",
    "gethostbyaddr": "refused 192.0.2.1",
    "getnameinfo": "refused 192.0.2.1",
    "address": "refused 192.0.2.1",
    "address 6": "refused 2001:db8::1",
    "connect_ex": "refused 192.0.2.1",
    "udp": "refused 192.0.2.1",
    "udp sendmsg": "refused 192.0.2.1",
    "urllib": "refused",
    "asyncio": "refused example.com",
    "loopback": "reached",
    "localhost": "reached",
    "loopback 6": "reached",
    "unix": "reached",
    "udp loopback": "reached",
    "env": "11",
}


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("what", _EXPECTED)
def test_only_this_machine_is_reached(told: dict[str, str], what: str) -> None:
    assert told[what] == _EXPECTED[what]
