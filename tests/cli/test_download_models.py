"""scripts/download_models.py against a hub on this machine: licences, resuming, damage."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "download_models.py"
WEIGHTS = bytes(range(256)) * 40
COMMIT = "a" * 40
MANIFEST = """
[[model]]
name = "small"
role = "chat"
repo = "someone/small"
revision = "main"
directory = ""
files = ["small.gguf"]
sha256 = {{ "small.gguf" = "{digest}" }}
size_gb = 0.001
licence = "Apache-2.0"
licence_url = "https://example.org/apache"
agree = false
profiles = ["local"]
note = "for tests"

[[model]]
name = "strict"
role = "synthesizer"
repo = "someone/strict"
revision = "main"
directory = "strict"
files = ["config.json", "model.pth"]
size_gb = 0.001
licence = "Non-commercial"
licence_url = "https://example.org/nc"
agree = true
profiles = ["local"]
note = "for tests"
"""


class Hub(BaseHTTPRequestHandler):
    """The two answers of the Hugging Face hub that a download of a file needs."""

    content = WEIGHTS
    served: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if "/resolve/" not in self.path:
            self.send_error(404)
            return
        start = 0
        if given := self.headers.get("Range"):
            start = int(given.removeprefix("bytes=").split("-")[0] or 0)
        part = self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        if start:
            total = len(self.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if body:
            self.server.served.append(f"{self.path} from {start}")  # type: ignore[attr-defined]
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.served = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    (tmp_path / "manifest.toml").write_text(MANIFEST.format(digest=digest))
    return tmp_path


def download(
    hub: ThreadingHTTPServer, models: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(models / "hf-home"),
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--models", str(models), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_downloaded_before_the_licence_is_agreed_to(
    hub: ThreadingHTTPServer, models: Path
) -> None:
    done = download(hub, models)
    assert done.returncode == 1
    assert "Non-commercial" in done.stdout
    assert "strict needs your agreement" in done.stderr
    assert "--agree strict" in done.stderr
    assert hub.served == []  # type: ignore[attr-defined]


def test_a_profile_is_downloaded_once(hub: ThreadingHTTPServer, models: Path) -> None:
    done = download(hub, models, "--agree", "strict")
    assert done.returncode == 0, done.stderr
    for name in ("small.gguf", "strict/config.json", "strict/model.pth"):
        assert (models / name).read_bytes() == WEIGHTS
    served = list(hub.served)  # type: ignore[attr-defined]
    assert len(served) == 3
    again = download(hub, models)
    assert again.returncode == 0
    assert "already here" in again.stdout
    assert hub.served == served  # type: ignore[attr-defined]


def test_a_damaged_file_does_not_stay(
    hub: ThreadingHTTPServer, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "content", b"not the model")
    done = download(hub, models, "small")
    assert done.returncode == 1
    assert "arrived damaged" in done.stderr
    assert not (models / "small.gguf").exists()


def test_an_unknown_name_is_told_which_there_are(hub: ThreadingHTTPServer, models: Path) -> None:
    done = download(hub, models, "smal")
    assert done.returncode == 1
    assert "there are: small, strict" in done.stderr
