"""`voicebot-local models` as a person meets it: what it says, asks, exits with and leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.models.places import FILES, WEIGHTS, check_whole, hub, root
from tests.servers.hub import Fault, Hub
from voicebot_local.models.hub import Hub as HubSource

__all__ = ["hub", "root"]

ACCEPT = ("--accept", "speaker")


@pytest.fixture
def run(root: Path, program: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `voicebot-local models …` here; its exit code, stdout and stderr."""
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = program("models", *arguments)
        return code, " ".join(out.split()), err

    yield run
    sys.stdin.close()


@pytest.fixture
def online(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub, where the program looks for it."""
    monkeypatch.setattr("voicebot_local.cli.models_download.Hub", lambda: HubSource(hub.endpoint))
    return hub


def test_list(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0
    assert "thinker chat" in out
    assert "Strictly Non-Commercial, asks for your agreement" in out
    assert "models download --profile local" in out


def test_list_as_json(run: Run, root: Path) -> None:
    (root / "thinker.gguf").write_bytes(WEIGHTS)
    code, out, _ = run("list", "--json")
    rows = [json.loads(line) for line in out.replace("} {", "}\n{").splitlines()]
    assert code == 0
    assert [(row["name"], row["here"]) for row in rows] == [
        ("thinker", "unchecked"),
        ("speaker", "no"),
    ]


def test_nothing_is_downloaded_before_the_licence_is_agreed_to(
    run: Run, online: Hub, root: Path
) -> None:
    code, out, err = run("download")
    assert code == 2
    assert "speaker: Strictly Non-Commercial Never for money." in out
    assert "Nobody can be asked here" in err
    assert "models download --accept speaker" in err
    assert online.seen == []
    assert not (root / "licences.json").exists()


def test_a_licence_is_asked_for_at_a_terminal(
    run: Run, online: Hub, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = ["", "yes"]
    monkeypatch.setattr("builtins.input", lambda _: answers.pop(0))
    code, _, err = run("download", "speaker")
    assert (code, online.seen) == (1, [])
    assert "Nothing was downloaded: speaker needs your agreement" in err
    code, out, _ = run("download", "speaker")
    assert code == 0
    assert "Agreed (asked)" in out
    assert json.loads((root / "licences.json").read_text())["agreed"]["speaker"]["how"] == "asked"


def test_a_licence_is_asked_for_once_and_again_when_it_changes(
    run: Run, online: Hub, root: Path
) -> None:
    assert run("download", *ACCEPT)[0] == 0
    said = json.loads((root / "licences.json").read_text())["agreed"]["speaker"]
    assert said["licence"] == "Strictly Non-Commercial"
    assert said["how"] == "--accept"
    assert time.strptime(said["date"], "%Y-%m-%d")
    assert run("remove", "--yes", "speaker")[0] == 0
    assert run("download", "speaker")[0] == 0
    text = (root / "manifest.toml").read_text()
    (root / "manifest.toml").write_text(text.replace("Strictly Non", "Very Strictly Non"))
    assert run("remove", "--yes", "speaker")[0] == 0
    assert run("download", "speaker")[0] == 2


def test_a_profile_is_downloaded_once(run: Run, online: Hub, root: Path) -> None:
    code, out, _ = run("download", "--profile", "local", *ACCEPT)
    assert code == 0
    check_whole(root)
    assert "speaker: 0.5 MB in 2 files from someone/speaker (Strictly Non-Commercial)" in out
    assert "model.pth: here, checksum right" in out
    assert "Next: voicebot-local doctor" in out
    seen = list(online.seen)
    code, out, _ = run("download")
    assert code == 0
    assert "thinker: already here speaker: already here" in out
    assert online.seen == seen
    assert run("verify")[0] == 0


def test_a_dry_run_says_sizes_and_leaves_nothing(run: Run, online: Hub, root: Path) -> None:
    code, out, _ = run("download", "--dry-run")
    assert code == 0
    assert "thinker: 0.5 MB in 1 file" in out
    assert "1.0 MB in all" in out
    assert "Nothing was downloaded" in out
    assert online.served == 0
    assert [path.name for path in root.iterdir()] == ["manifest.toml"]


def test_a_mirror_needs_no_network(run: Run, root: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    for path, content in FILES.items():
        (disk / path).parent.mkdir(parents=True, exist_ok=True)
        (disk / path).write_bytes(content)
    code, out, _ = run("download", "--from", disk, *ACCEPT)
    assert code == 0
    check_whole(root)
    assert "checksum recorded" in out


def test_damage_is_found_and_mended_with_the_command_that_is_told(
    run: Run, online: Hub, root: Path
) -> None:
    run("download", *ACCEPT)
    (root / "thinker.gguf").write_bytes(WEIGHTS[:-1] + b"?")
    code, out, err = run("verify")
    assert code == 1
    assert "damaged thinker.gguf: its checksum is another one" in out
    mend = err.strip().splitlines()[-1].partition("voicebot-local models ")[2].split()
    assert mend == ["download", "--again", "thinker"]
    assert run(*mend)[0] == 0
    check_whole(root)
    assert run("verify")[0] == 0


def test_verify_where_nothing_is(run: Run) -> None:
    code, _, err = run("verify", "thinker")
    assert code == 1
    assert "thinker is not here" in err
    assert "models download thinker" in err


def test_remove_asks_first(run: Run, online: Hub, root: Path) -> None:
    run("download", *ACCEPT)
    code, _, err = run("remove", "speaker")
    assert code == 2
    assert "models remove --yes speaker" in err
    (root / "mine.gguf").write_bytes(b"mine")
    assert run("remove", "--yes", "speaker", "thinker")[0] == 0
    assert not (root / "speaker").exists()
    assert not (root / "thinker.gguf").exists()
    assert (root / "mine.gguf").exists()
    part = root / ".downloads" / "0123-model.pth.part"
    part.write_bytes(b"half")
    assert run("remove", "--yes", "speaker")[1] == "speaker: not here"
    assert not part.exists()


def test_licences(run: Run, online: Hub) -> None:
    _, out, _ = run("licences")
    assert "speaker: Strictly Non-Commercial; wants your agreement" in out
    assert "thinker: Apache-2.0; no agreement needed" in out
    run("download", *ACCEPT)
    _, out, _ = run("licences", "speaker")
    assert "agreed on 2" in out
    assert "Never for money." in out


@pytest.mark.parametrize("command", ["download", "verify", "remove", "licences"])
def test_an_unknown_name_is_told_which_there_are(run: Run, command: str) -> None:
    code, _, err = run(command, "thinkr")
    assert code == 2
    assert "There are: thinker, speaker." in err


def test_a_profile_without_models(run: Run) -> None:
    code, _, err = run("download", "--profile", "starter")
    assert code == 2
    assert "the starter needs none" in err


def test_an_error_of_the_hub_is_one_sentence(run: Run, online: Hub) -> None:
    online.faults = [Fault("blobs", "content")]
    code, _, err = run("download", "thinker")
    assert code == 1
    assert err.splitlines()[0].startswith("voicebot-local: thinker.gguf arrived damaged")


def start(hub: Hub, root: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(root / "hf-home"),
        "VOICEBOT_MODELS": str(root),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "voicebot_local.cli", "models", "download", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def test_ctrl_c_keeps_what_has_arrived(hub: Hub, root: Path) -> None:
    hub.pace_s = 0.5
    with start(hub, root, "thinker") as program:
        wait_for(lambda: hub.served > 100_000)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert err == "Stopped. The same command goes on from here.\n"
    assert not (root / "thinker.gguf").exists()
    (part,) = (root / ".downloads").glob("*.part")
    arrived = part.stat().st_size
    assert 0 < arrived < len(WEIGHTS)
    assert WEIGHTS.startswith(part.read_bytes())
    hub.pace_s = 0
    with start(hub, root, "thinker") as program:
        out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert "are here already" in out
    assert hub.seen[-1].endswith(f"bytes={arrived}-")
    check_whole(root, "thinker.gguf")


def test_a_kill_leaves_no_half_file_and_is_gone_on_from(hub: Hub, root: Path) -> None:
    hub.pace_s = 0.5
    with start(hub, root, "thinker") as program:
        wait_for(lambda: hub.served > 100_000)
        program.kill()
    assert not (root / "thinker.gguf").exists()
    hub.pace_s = 0
    with start(hub, root, "thinker") as program:
        _, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    check_whole(root, "thinker.gguf")


def test_two_downloads_at_once_fetch_it_once(hub: Hub, root: Path) -> None:
    hub.pace_s = 0.5
    with start(hub, root, "thinker") as first:
        wait_for(lambda: hub.served > 0)
        with start(hub, root, "thinker") as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "Another download is running; waiting.\n"
            hub.pace_s = 0
            out, err = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), err
    assert "thinker: already here" in out
    assert hub.served == len(WEIGHTS)
    check_whole(root, "thinker.gguf")
