"""A Hugging Face hub on this machine: what its client asks when it looks up and fetches files.

Large files are answered as the real one does: a redirect to a store of blobs, with the checksum in
the headers. Faults happen once each, in order, to the first request whose path has their `at`.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

COMMIT = "a" * 40
LARGE = 1000
"""Files of so many bytes or more are in the store of blobs."""
TOKEN = "hf_secret"


@dataclass(frozen=True)
class Fault:
    """`at` is a part of a path. "cut" ends the connection after `after` bytes, "reset" does so
    rudely; "ignore range" answers with the whole file; "content" with other bytes."""

    at: str
    what: Literal["cut", "reset", "status", "ignore range", "content", "stall"]
    after: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Hub:
    """What the hub has: files by repository. `gated` repositories want the token."""

    repos: dict[str, dict[str, bytes]]
    commit: str = COMMIT
    gated: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    pace_s: float = 0.0
    """Between pieces of 64 KiB."""
    seen: list[str] = field(default_factory=list)
    """Method, path and range of each request."""
    served: int = 0
    """Bytes of files that were sent, or are just being sent."""
    endpoint: str = ""
    store: str = ""
    """Where the blobs are: another host, which is not to see the token."""
    tokens_at_store: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.at in path:
                    self.faults.remove(fault)
                    return fault
        return None

    @contextmanager
    def serve(self) -> Iterator[Hub]:
        """Run it for the block, at `endpoint`."""

        class Handler(_Handler):
            hub = self

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        self.store = f"http://localhost:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.hub
        self._serves = False
        path = urlsplit(self.path).path
        with hub.lock:
            hub.seen.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        fault = hub.fault(path)
        if fault is not None and fault.what == "status":
            self._error(fault.status, fault.headers)
            return
        if fault is not None and fault.what == "stall":
            time.sleep(30)
            return
        parts = path.strip("/").split("/")
        if parts[0] == "blobs":
            if token := self.headers.get("Authorization"):
                hub.tokens_at_store.append(token)
            self._blob(parts[1], fault)
        elif parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[4:])
        elif len(parts) > 4 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), fault)
        else:
            self._error(404)

    def _info(self, repo: str, rest: list[str]) -> None:
        if self._refused(repo, rest[1] if len(rest) > 1 else "main"):
            return
        files = self.hub.repos[repo]
        siblings = [_sibling(name, content) for name, content in files.items()]
        info = {"id": repo, "sha": self.hub.commit, "private": False, "gated": False, "tags": []}
        tree = [{"type": "file", "path": s["rfilename"], **s} for s in siblings]
        body = tree if rest[:1] == ["tree"] else {**info, "siblings": siblings}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, repo: str, revision: str, name: str, fault: Fault | None) -> None:
        if self._refused(repo, revision):
            return
        if repo in self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._error(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask for access"})
            return
        content = self.hub.repos[repo].get(name)
        headers = {"X-Repo-Commit": self.hub.commit}
        if content is None:
            self._error(404, headers | {"X-Error-Code": "EntryNotFound"})
        elif len(content) < LARGE:
            self._content(content, headers | {"ETag": f'"{git_sha1(content)}"'}, fault)
        else:
            digest = hashlib.sha256(content).hexdigest()
            headers["X-Linked-Size"] = str(len(content))
            headers["X-Linked-ETag"] = f'"{digest}"'
            headers["Location"] = f"{self.hub.store}/blobs/{digest}"
            self._send(302, b"", headers)

    def _blob(self, digest: str, fault: Fault | None) -> None:
        for files in self.hub.repos.values():
            for content in files.values():
                if hashlib.sha256(content).hexdigest() == digest:
                    self._content(content, {"ETag": f'"{digest}"'}, fault)
                    return
        self._error(404)

    def _content(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        what = fault.what if fault else ""
        if what == "content":
            content = bytes(len(content))
        start, status = 0, 200
        if (wanted := self.headers.get("Range")) and what != "ignore range":
            start = int(wanted.removeprefix("bytes=").split("-")[0] or 0)
            if start >= len(content):
                self._error(416)
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        most = fault.after if fault and what in ("cut", "reset") else len(content)
        self._serves = True
        self._send(status, content[start:], headers | {"Accept-Ranges": "bytes"}, most)
        if fault and what in ("cut", "reset"):
            self.close_connection = True
            if what == "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

    def _refused(self, repo: str, revision: str) -> bool:
        if repo not in self.hub.repos:
            self._error(401, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", self.hub.commit):
            self._error(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return False
        return True

    def _error(self, status: int, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"{}", headers or {})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], most: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = body if most is None else body[:most]
        try:
            for first in range(0, len(sent), 65536):
                piece = sent[first : first + 65536]
                if self._serves:
                    with self.hub.lock:
                        self.hub.served += len(piece)
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(self.hub.pace_s)
        except OSError:
            self.close_connection = True  # The client has gone, as some tests want it to.


def git_sha1(content: bytes) -> str:
    """The identifier that git gives to a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sibling(name: str, content: bytes) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": name, "size": len(content)}
    if len(content) < LARGE:
        return found | {"blobId": git_sha1(content)}
    lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return found | {"blobId": "b" * 40, "lfs": lfs}
