"""A reply of OpenAI's chat completions as it comes, and the SDK's errors in our words."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from voicebot_local.errors import ProtocolViolation, ProviderError, ProviderTimeout
from voicebot_local.providers.base import TextDelta
from voicebot_local.providers.hosted import Busy, Service


@dataclass(slots=True)
class Use:
    """What a reply has used: as the service says at its end, until then as estimated."""

    input_tokens: int
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = True


class OpenAIReply:
    """The text of one reply, as it comes."""

    def __init__(self, service: Service, use: Use) -> None:
        self._service = service
        self._use = use
        self._stream: Any = None
        self._chunks: Any = None
        self._half = ""
        self._finished = False
        self.complete = False

    @property
    def asked(self) -> bool:
        """Whether the service has begun to answer, and so to bill."""
        return self._stream is not None

    def begin(self, stream: Any) -> None:
        """The service answers."""
        self._stream, self._chunks = stream, stream.__aiter__()

    async def close(self) -> None:
        """Nobody wants more."""
        if self._stream is not None:
            await self._stream.close()

    def __aiter__(self) -> OpenAIReply:
        return self

    async def __anext__(self) -> TextDelta:
        while not self.complete:
            chunk = await self._next_chunk()
            if chunk is None:
                self._end()
            elif text := self._take(chunk):
                return TextDelta(text)
        if self._half:
            self._half = ""
            return TextDelta("\N{REPLACEMENT CHARACTER}")
        raise StopAsyncIteration

    async def _next_chunk(self) -> Any:
        config = self._service.config
        try:
            with translated(self._service, ""), anyio.fail_after(config.timeout_s):
                return await anext(self._chunks, None)
        except TimeoutError:
            raise ProviderTimeout(
                self._service.provider,
                f"{self._service.name} stopped in the middle for {config.timeout_s:g} s.",
            ) from None

    def _end(self) -> None:
        if not self._finished:
            raise self._service.unavailable("broke off in the middle of the reply")
        self.complete = True

    def _take(self, chunk: Any) -> str:
        try:
            if usage := chunk.usage:
                self._take_usage(usage)
            if not chunk.choices:
                return ""
            choice = chunk.choices[0]
            text = choice.delta.content or ""
            self._finished = self._finished or choice.finish_reason is not None
        except (AttributeError, TypeError, IndexError, KeyError, ValueError):
            text = None
        if not isinstance(text, str):
            raise ProtocolViolation(
                self._service.provider, f"{self._service.name} sent a piece that is no reply's."
            )
        if text and self._use.estimated:
            self._use.output_tokens += 1  # A piece is a token, more or less.
        return self._whole(text)

    def _take_usage(self, usage: Any) -> None:
        details = getattr(usage, "prompt_tokens_details", None)
        self._use.input_tokens = int(usage.prompt_tokens)
        self._use.output_tokens = int(usage.completion_tokens)
        self._use.cached_tokens = int(getattr(details, "cached_tokens", 0) or 0)
        self._use.estimated = False

    def _whole(self, text: str) -> str:
        """`text` without half a character at its end, which goes before the next piece."""
        text = self._half + text
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        whole = text[: len(text) - len(self._half)]
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class translated:  # noqa: N801 - reads like a function
    """Errors of the SDK become ours, for the block."""

    def __init__(self, service: Service, model: str) -> None:
        self._service = service
        self._model = model

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            ours = self._ours(error)
            if ours is not None:
                raise ours from None

    def _ours(self, error: Exception) -> ProviderError | None:
        import httpx2
        import openai

        service = self._service
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return ProviderTimeout(
                service.provider,
                f"{service.name} ({service.config.host}) gave no answer for "
                f"{service.config.timeout_s:g} s.",
            )
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
            cause = error.__cause__ or error
            return service.unavailable(
                f"cannot be reached at {service.config.host}: "
                f"{service.clean(cause) or type(cause).__name__}",
                "Check the network, and `base_url` in the configuration.",
            )
        if isinstance(error, openai.APIError):
            return service.unavailable(f"reports an error: {service.clean(error.message)}")
        if isinstance(error, ValueError):  # No JSON.
            return ProtocolViolation(service.provider, f"{service.name} sent what is no JSON.")
        return None

    def _status(self, error: Any) -> ProviderError:
        service, status, code = self._service, error.status_code, getattr(error, "code", None)
        if status in (401, 403):
            return service.refused_key()
        if code == "insufficient_quota":
            return service.unavailable(
                "has no credit left on this account",
                f"Look at the account, at {service.config.key_page}",
                retryable=False,
            )
        if status == 429:
            return Busy.of(service, error.response.headers.get("retry-after"))
        if code == "model_not_found":
            return no_model(service, self._model, [])
        found = service.unavailable(
            f"answered with an error (HTTP {status}: {service.clean(_said(error))})",
            retryable=status >= 500,
        )
        found.status = status  # type: ignore[attr-defined]
        return found


def _said(error: Any) -> str:
    """What the service itself said; the SDK's own words around it help nobody."""
    body = error.body
    return str(body["message"]) if isinstance(body, dict) and "message" in body else error.message


def no_model(service: Service, model: str, names: Sequence[str]) -> ProviderError:
    """The service does not have the model; `names` are those it has."""
    close = difflib.get_close_matches(model, names, n=4, cutoff=0.3)
    return service.unavailable(
        f"has no model {model!r} for this account (models come and go)",
        "Set `model` in [chat]" + (f" to one of: {', '.join(close)}." if close else "."),
        retryable=False,
    )
