"""The Hugging Face hub, or a server like it at `HF_ENDPOINT`, through its own client.

The client knows the token (`HF_TOKEN`), proxies and certificates. Its download of a file begins
anew after an interruption, so the bytes are asked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from voicebot_local.errors import ModelError, first_line
from voicebot_local.models.manifest import Model
from voicebot_local.models.source import Cut, RemoteFile, Stream

TIMEOUT_S = 15.0
"""Longest wait for a connection, or for the next bytes."""
_LATER = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-")
_MIRROR = "or use a copy of the files on this machine: --from DIR"


class Hub:
    """A `Source` on the hub. `endpoint` is its address, by default what the client is set to."""

    def __init__(self, endpoint: str | None = None) -> None:
        import huggingface_hub  # Half a second, which only those pay who download.
        from huggingface_hub import constants

        self._client: Any = huggingface_hub
        # Its warnings would tear the progress bars; its errors are told in our words.
        self._client.logging.set_verbosity_error()
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")

    def look_up(self, model: Model, commit: str) -> tuple[RemoteFile, ...]:
        """See `Source`. Sizes and checksums are the hub's word."""
        api = self._client.HfApi(endpoint=self.endpoint)
        revision = commit or model.revision
        try:
            info = api.model_info(
                model.repo, revision=revision, files_metadata=True, timeout=TIMEOUT_S
            )
        except Exception as error:
            self._explain(error, model)
        there = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        if missing := [file for file in model.files if file not in there]:
            raise ModelError(
                f"{model.repo} has no file {', '.join(missing)} at {revision!r}.",
                f"Look what it is called now: {model.page}/tree/{revision}, and correct "
                "manifest.toml.",
            )
        return tuple(_remote(model, there[file], info.sha) for file in model.files)

    @contextmanager
    def open(self, file: RemoteFile, start: int) -> Iterator[Stream]:
        """See `Source`."""
        url = self._client.hf_hub_url(
            file.model.repo, file.file, revision=file.commit, endpoint=self.endpoint
        )
        # Without compression a position in the file is a position in the answer.
        headers = self._client.utils.build_hf_headers() | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self._client.get_session().stream(
                "GET", url, headers=headers, timeout=TIMEOUT_S
            ) as response:
                if response.status_code >= 400:
                    response.read()
                self._client.utils.hf_raise_for_status(response)
                # As it comes: pieces of a fixed size would lose what came of one before a cut.
                yield Stream(_begin(response), response.iter_raw())
        except (ModelError, Cut):
            raise
        except Exception as error:
            self._explain(error, file.model)

    def _explain(self, error: Exception, model: Model) -> NoReturn:
        """Say in our words what the client says in its own; what is no word of it is raised on."""
        import httpx2
        from huggingface_hub import errors

        if isinstance(error, errors.OfflineModeIsEnabled):
            raise ModelError(
                "The hub's client is told to stay offline by HF_HUB_OFFLINE.",
                f"Unset HF_HUB_OFFLINE, {_MIRROR}.",
            ) from None
        if isinstance(error, errors.HfHubHTTPError):
            self._explain_answer(error, model)
        if isinstance(error, httpx2.ProxyError):
            raise ModelError(
                f"The proxy does not let us reach {self.endpoint}: {error}.",
                f"Correct HTTPS_PROXY or HTTP_PROXY, {_MIRROR}.",
            ) from None
        if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
            raise ModelError(
                f"HF_ENDPOINT is {self.endpoint!r}, which is no address.",
                "It begins with https://; unset it for https://huggingface.co.",
            ) from None
        if isinstance(error, httpx2.TransportError):
            first = isinstance(error, httpx2.ConnectError | httpx2.TimeoutException)
            what = f"{self.endpoint} does not answer" if first else "the connection broke"
            raise Cut(f"{what} ({first_line(error)})") from None
        raise error

    def _explain_answer(self, error: Any, model: Model) -> NoReturn:
        from huggingface_hub import errors, get_token

        status = error.response.status_code
        if status in _LATER:
            wait_s = 0.0
            with suppress(ValueError):
                wait_s = max(0.0, float(error.response.headers.get("Retry-After", "0")))
            what = "has too many requests" if status == 429 else "is in trouble"
            raise Cut(f"{self.endpoint} {what} ({status})", wait_s) from None
        token = "HF_TOKEN" if get_token() else ""
        if isinstance(error, errors.GatedRepoError) or status == 403:
            mend = f"Ask for access at {model.page} with your account there"
            mend += "." if token else ", then `export HF_TOKEN=…` with a token of it."
            raise ModelError(f"{model.repo} is not open to everybody ({status}).", mend) from None
        if isinstance(error, errors.RevisionNotFoundError):
            raise ModelError(
                f"{model.repo} has no revision {model.revision!r} any more.",
                "Take its newest: voicebot-local models download --update " + model.name,
            ) from None
        if status == 401:
            mend = (
                "Make another token at https://huggingface.co/settings/tokens, or unset HF_TOKEN."
                if token
                else f"If {model.page} wants an account: `export HF_TOKEN=…` with a token of it."
            )
            said = "refuses the token in HF_TOKEN" if token else "wants to know who asks"
            raise ModelError(f"{self.endpoint} {said} for {model.repo} (401).", mend) from None
        if status == 404:
            raise ModelError(
                f"There is no {model.repo} at {self.endpoint}, or a file of it is gone (404).",
                f"See {model.page}; a mirror at HF_ENDPOINT may not have it.",
            ) from None
        raise ModelError(f"{self.endpoint} refuses {model.repo} ({status}).") from None


def _remote(model: Model, sibling: Any, commit: str) -> RemoteFile:
    """One file; what the manifest knows of it counts more than what the hub says."""
    sha256 = sibling.lfs.sha256 if sibling.lfs else ""
    known = model.sha256.get(sibling.rfilename, "")
    if known and sha256 and known != sha256:
        raise ModelError(
            f"{model.repo} has another {sibling.rfilename} than the one that manifest.toml names.",
            f"Its owner may have replaced it: see {model.page}. If that is so, correct `sha256`.",
        )
    return RemoteFile(
        model,
        sibling.rfilename,
        commit,
        size=sibling.size or 0,
        sha256=known or sha256,
        git_sha1="" if known or sha256 else sibling.blob_id or "",
        checked="manifest" if known else "hub",
    )


def _begin(response: Any) -> int:
    """With which byte the answer begins; a server may give all where a part was asked for."""
    match = _RANGE.match(response.headers.get("Content-Range", ""))
    return int(match[1]) if response.status_code == 206 and match else 0
