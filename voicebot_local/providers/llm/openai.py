"""OpenAI's chat completions as a chat model, and every server that speaks the same way.

Groq, vLLM, llama-server and others are reached by `base_url`; what only OpenAI understands is sent
to OpenAI only. One connection is kept warm over the conversation.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, ClassVar, Literal

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import Field

from voicebot_local.errors import ProviderError, ProviderTimeout
from voicebot_local.events import EngineLoaded, UsageReported
from voicebot_local.providers.base import Message, TextDelta
from voicebot_local.providers.hosted import BACKOFF_S, Busy, HostedConfig, Report, Service, Wakeup
from voicebot_local.providers.llm.chat_template import prepare
from voicebot_local.providers.llm.openai_reply import OpenAIReply, Use, no_model, translated

WARM_S = 50.0
"""An idle connection is used this often, so that it is there when a reply is wanted."""
CHARS_PER_TOKEN = 3
"""Fewer than in English text (about 4), so that what is estimated to fit does fit."""
_SHORT_WAIT_S = 2.0
"""A server that asks to wait no longer than this is asked again in the same turn."""
_CALM = ("openai", "httpx2", "httpcore2", "httpx", "httpcore")
logger = logging.getLogger(__name__)


class OpenAIConfig(HostedConfig):
    """Configuration of a chat model behind OpenAI's interface."""

    service: ClassVar[str] = "OpenAI"
    key_page: ClassVar[str] = "https://platform.openai.com/api-keys"

    provider: Literal["openai"] = "openai"
    base_url: str = Field(
        "https://api.openai.com/v1",
        description="The address of the service; Groq's is https://api.groq.com/openai/v1, "
        "llama-server's http://127.0.0.1:8080/v1.",
    )
    key_variable: str = Field(
        "OPENAI_API_KEY",
        description="The variable, of the environment or of .env, that holds the key.",
    )
    dialect: Literal["auto", "openai", "compatible"] = Field(
        "auto",
        description='Whether the server is OpenAI\'s own; "auto" goes by `base_url`. It decides '
        "which of two spellings of the same request is sent.",
    )
    model: str = Field("gpt-4.1", description="The model, by the service's name.")
    max_reply_tokens: int = Field(
        220, ge=8, le=4096, description="Where a reply is cut off, in tokens."
    )
    temperature: float = Field(
        0.4,
        ge=-1,
        le=2,
        description="How freely it chooses its words; -1 does not say, as models that reason want.",
    )
    reasoning_effort: Literal["", "none", "minimal", "low", "medium", "high"] = Field(
        "", description='How long a model that reasons does so; "" does not ask.'
    )
    context_tokens: int = Field(
        16_000,
        ge=512,
        description="How much of the conversation is sent, in tokens; all of it is billed.",
    )
    price_input: float = Field(
        2.0, ge=0, description="Price of a million tokens of input, in US dollars."
    )
    price_cached: float = Field(
        0.5, ge=0, description="Price of a million tokens of input that the service remembered."
    )
    price_output: float = Field(
        8.0, ge=0, description="Price of a million tokens of output, in US dollars."
    )

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own."""
        if self.dialect == "auto":
            return self.host.endswith("openai.com")
        return self.dialect == "openai"


class OpenAIChatModel:
    """A `ChatModel` behind OpenAI's interface. `run` keeps its connection warm.

    Leaving a reply drops its connection, which is how such a server learns of it; another is made
    at once. A request that failed before its first word is tried again where that can help.
    """

    def __init__(self, config: OpenAIConfig, report: Report) -> None:
        """Raises ConfigError where there is no key."""
        self._config = config
        self._report = report
        self._service = Service("chat", config.provider, config, config.key())
        self._client: Any = None
        self._warm = Wakeup()
        self._in_call = False

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect, then keep a connection warm until cancelled; `started` once it is.

        Raises the ProviderError of a first connection that fails.
        """
        # It takes a second, in which the other stages can connect.
        openai = await anyio.to_thread.run_sync(import_module, "openai")
        for name in _CALM:  # What they would write while debugging is the whole conversation.
            logging.getLogger(name).setLevel(logging.WARNING)
        config = self._config
        timeout = openai.Timeout(config.timeout_s, connect=config.connect_timeout_s)
        http = openai.DefaultAsyncHttpx2Client(
            limits=_limits(openai), timeout=timeout, trust_env=not config.is_here
        )
        async with openai.AsyncOpenAI(
            api_key=self._service.key.get_secret_value(),
            base_url=config.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        ) as client:
            self._client = client
            began = anyio.current_time()
            await self._patiently(self._check)
            _ = client.chat.completions  # Imported when first wanted, which takes its time.
            took_s = anyio.current_time() - began
            service = self._service
            self._report(EngineLoaded("chat", service.provider, service.device, took_s))
            task_status.started()
            while True:
                await self._warm.wait(WARM_S)
                if not self._in_call:
                    try:
                        await self._models()
                    except ProviderError as error:  # The next turn will say so, if it lasts.
                        logger.debug("warming failed: %s", error)

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[AsyncIterator[TextDelta]]:
        """See `ChatModel`."""
        if self._in_call:
            raise RuntimeError(f"{self._service.name} serves one call at a time")
        self._in_call = True
        room = self._config.context_tokens - self._config.max_reply_tokens
        fitting = fit(prepare(messages), room)
        use = Use(sum(_tokens(message) for message in fitting))
        reply = OpenAIReply(self._service, use)
        try:
            await self._patiently(lambda: self._ask(fitting, reply))
            yield reply
        finally:
            self._in_call = False
            with anyio.CancelScope(shield=True):
                await reply.close()
            if reply.asked:
                self._tell(use)
            if not reply.complete:
                self._warm.wake()

    async def prefill(self, messages: Sequence[Message]) -> None:
        """A service keeps what it has read by itself, and bills what it is sent."""

    async def _ask(self, messages: Sequence[Message], reply: OpenAIReply) -> None:
        config = self._config
        asked: dict[str, Any] = {
            "model": config.model,
            "messages": [{"role": it.role, "content": it.content} for it in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if config.is_openai:
            asked["max_completion_tokens"] = config.max_reply_tokens
            asked["stream_options"]["include_obfuscation"] = False
        else:
            asked["max_tokens"] = config.max_reply_tokens
        if config.temperature >= 0:
            asked["temperature"] = config.temperature
        if config.reasoning_effort:
            asked["reasoning_effort"] = config.reasoning_effort
        with translated(self._service, config.model):
            reply.begin(await self._client.chat.completions.create(**asked))

    async def _models(self) -> list[Any]:
        with translated(self._service, self._config.model):
            return list((await self._client.models.list()).data or ())

    async def _check(self) -> None:
        """Make the connection, and see that OpenAI has the model; others may have no list."""
        try:
            listed = await self._models()
        except ProviderError as error:
            if self._config.is_openai or getattr(error, "status", 0) not in (404, 405, 501):
                raise
            return
        names = [model.id for model in listed]
        if not self._config.is_openai or not names:
            return
        if self._config.model not in names:
            raise no_model(self._service, self._config.model, names)
        for model in listed:
            ends = getattr(model, "shutdown_date", None)
            if model.id == self._config.model and ends:
                logger.warning("OpenAI ends the model %s on %s.", model.id, ends)

    async def _patiently(self, attempt: Any) -> None:
        """Try again, with backoff, what failed in passing and has not begun to answer."""
        for wait_s in (*BACKOFF_S, None):
            try:
                await attempt()
                return
            except ProviderTimeout:
                raise
            except Busy as busy:
                if wait_s is None or busy.retry_after_s > _SHORT_WAIT_S:
                    raise
                await anyio.sleep(max(wait_s, busy.retry_after_s))
            except ProviderError as error:
                if wait_s is None or not error.retryable:
                    raise
                await anyio.sleep(wait_s)

    def _tell(self, use: Use) -> None:
        config = self._config
        fresh = use.input_tokens - use.cached_tokens
        cost = (
            fresh * config.price_input
            + use.cached_tokens * config.price_cached
            + use.output_tokens * config.price_output
        ) / 1e6
        self._report(
            UsageReported(
                "chat",
                config.provider,
                input_tokens=use.input_tokens,
                cached_tokens=use.cached_tokens,
                output_tokens=use.output_tokens,
                cost_usd=cost,
                estimated=use.estimated,
            )
        )


def fit(messages: Sequence[Message], tokens: int) -> list[Message]:
    """`messages` without the oldest whole turns, as far as the estimate needs it.

    The system message and the last user message stay.
    """
    system = [message for message in messages[:1] if message.role == "system"]
    rest = list(messages[len(system) :])
    room = tokens - sum(_tokens(message) for message in system)
    while len(rest) > 1 and sum(_tokens(message) for message in rest) > room:
        rest.pop(0)
        while len(rest) > 1 and rest[0].role != "user":
            rest.pop(0)
    return [*system, *rest]


def _tokens(message: Message) -> int:
    return 4 + len(message.content) // CHARS_PER_TOKEN


def _limits(openai: Any) -> Any:
    """The SDK's limits, but for idle connections: it gives them up after five seconds."""
    usual = openai.DEFAULT_CONNECTION_LIMITS
    return type(usual)(
        max_connections=usual.max_connections,
        max_keepalive_connections=usual.max_keepalive_connections,
        keepalive_expiry=4 * WARM_S,
    )
