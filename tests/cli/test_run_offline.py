"""The starter conversation with the network cut off: it needs none, and asks for none."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Done, converse, inputs, processes, question, read_log
from voicebot_local.config import load_config

STARTER = ("--backend", "starter", "--pace", "fast")
QUESTION, WORDS = question()
UNSHARE = ("unshare", "--user", "--map-root-user", "--net")
"""Runs a command with no network but a loopback that is down; it takes no privilege on most
systems, and containers may forbid it."""

WATCH = r"""
import os, socket, sys
def told(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        used, address = arguments[:2]
        if used.family != socket.AF_UNIX:
            note(f"{event} {address}")
    elif event.startswith("socket.get") and event != "socket.gethostname":
        note(f"{event} {arguments}")
def note(line):
    number = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(number, (line + "\n").encode())
    os.close(number)
sys.addaudithook(told)
note("watched")
"""
"""Becomes `sitecustomize`: in every Python process of the program, engines included, it writes down
each address that is used and each name that is asked for, loopback too."""


@functools.cache
def network_can_be_cut_off() -> bool:
    if shutil.which(UNSHARE[0]) is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def check(done: Done) -> None:
    assert done.code == 0, done.said
    assert [turn["user"] for turn in done.turns] == [WORDS]
    assert done.turns[0]["heard"] == done.turns[0]["assistant"] != ""


def test_no_address_is_used_and_no_name_is_asked_for(tmp_path: Path) -> None:
    """Holds on every system, and for what Python does; see below for all the rest."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    seen, events = tmp_path / "seen.txt", tmp_path / "e.jsonl"
    environment = {"SEEN": str(seen), "PYTHONPATH": str(tmp_path)}
    check(converse(*STARTER, *inputs(QUESTION), "--events", events, environment=environment))
    lines = seen.read_text().splitlines()
    asked = "import socket; socket.gethostbyname('localhost')"
    subprocess.run([sys.executable, "-c", asked], env=os.environ | environment, check=True)
    assert "localhost" in seen.read_text()  # So anything would have been seen.
    engines_and_program = len(set(processes(read_log(events)).values())) + 1
    assert lines.count("watched") >= engines_and_program == 4
    assert set(lines) == {"watched"}


@pytest.mark.skipif(
    not network_can_be_cut_off(), reason="this system lets nobody cut off the network"
)
def test_it_works_where_there_is_no_network() -> None:
    alone = subprocess.run(
        [*UNSHARE, sys.executable, "-c", "import socket; print(socket.if_nameindex())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout.count("lo") == alone.stdout.count("(") == 1
    check(converse(*STARTER, *inputs(QUESTION), within=UNSHARE))


def test_offline_is_what_one_gets_unless_one_says_otherwise() -> None:
    assert load_config("starter").session.offline
