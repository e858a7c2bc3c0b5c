"""llama.cpp: a language model in a GGUF file, on this machine."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from voicebot_local.errors import ConfigError, ModelError, ProviderError
from voicebot_local.providers.base import EngineInfo, Message, ProviderConfig, Steps, TextDelta
from voicebot_local.providers.llm.chat_template import ChatTemplate
from voicebot_local.turns.history import fit

if TYPE_CHECKING:
    from voicebot_local.providers.llm.llama_library import Sampler

_MOST_THREADS = 8


class LlamaCppConfig(ProviderConfig):
    """How llama.cpp replies."""

    provider: Literal["llama_cpp"] = "llama_cpp"
    model: Path = Field(description="A GGUF file of a chat model; its chat template comes with it.")
    context_tokens: int = Field(
        4096,
        ge=256,
        description=(
            "How much of the conversation the model sees, in tokens (a token is about three "
            "quarters of a word). More takes more memory; what does not fit is forgotten, the "
            "oldest first, never the persona."
        ),
    )
    max_reply_tokens: int = Field(
        220, ge=1, description="Where a reply is cut off; 220 tokens are about a minute of speech."
    )
    temperature: float = Field(
        0.7, ge=0, le=2, description="How freely it chooses its words; 0 takes the likeliest."
    )
    top_p: float = Field(
        0.9, gt=0, le=1, description="Chooses among the likeliest tokens of this probability."
    )
    top_k: int = Field(40, ge=0, description="Chooses among this many tokens; 0 is all.")
    seed: int = Field(
        0, ge=0, lt=2**32, description="The same seed gives the same reply to the same talk."
    )
    gpu_layers: int = Field(
        -1, ge=-1, description="Layers of the model on the graphics card; -1 is all of them."
    )
    threads: int = Field(
        0, ge=0, description="Processor threads; 0 is one on a graphics card, else half the cores."
    )
    flash_attention: bool = Field(
        True, description="Attention that needs less memory; llama.cpp has it for most models."
    )
    kv_type: Literal["f16", "q8_0"] = Field(
        "f16",
        description=(
            "How the conversation is kept in memory. `q8_0` takes half of it, "
            "with a small loss of quality; it needs flash_attention."
        ),
    )
    batch_tokens: int = Field(
        128,
        ge=1,
        le=4096,
        description="How much it reads in one step, in tokens. Less lets others in sooner.",
    )

    shift: bool = Field(
        True,
        description=(
            "Where the oldest turns are forgotten, keep what was read of the others instead of "
            "reading it again, which takes a moment; they keep a trace of what was forgotten."
        ),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> LlamaCppConfig:
        if self.kv_type == "q8_0" and not self.flash_attention:
            raise ValueError('kv_type = "q8_0" needs flash_attention = true')
        if self.max_reply_tokens > self.context_tokens // 2:
            raise ValueError("max_reply_tokens may be half of context_tokens at the most")
        return self


class LlamaCppEngine:
    """The blocking chat model. One thread owns it; one `reply` at a time.

    What the model has read stays in memory from reply to reply, so a conversation that grows costs
    only what was added. Any step may raise, and a reply may be left half-way: the next one works.
    Raises ModelError where the file is no usable chat model, OutOfMemory where it does not fit.
    """

    info: EngineInfo

    def __init__(self, config: LlamaCppConfig) -> None:
        from voicebot_local.providers.llm.llama_context import Context, ContextOptions
        from voicebot_local.providers.llm.llama_library import Model, first_gpu, quiet

        quiet()
        gpu = first_gpu() if config.gpu_layers else ""
        self._config = config
        self._model = Model(config.model, config.gpu_layers if gpu else 0)
        header = self._model.header
        longest = header.context_length or config.context_tokens
        window = min(config.context_tokens, longest)
        on_gpu = bool(gpu) and (config.gpu_layers < 0 or config.gpu_layers > header.block_count)
        threads = config.threads or (1 if on_gpu else _threads())
        self._template = self._chat_template()
        self._counts: dict[str, int] = {}
        self._fixed, self._each = self._overheads()
        self._room = window - config.max_reply_tokens
        if self._room < self._fixed + 4 * self._each:
            raise ConfigError(
                f"max_reply_tokens = {config.max_reply_tokens} leaves {self._room} of the "
                f"{window} tokens that this model sees for the conversation, which is too little.",
                "Lower `max_reply_tokens`.",
            )
        self._context = Context(
            self._model,
            ContextOptions(
                tokens=window,
                slice=config.batch_tokens,
                threads=threads,
                flash_attention=config.flash_attention,
                kv_type=config.kv_type,
                moves=config.shift,
            ),
        )
        self._warm_up(whole=bool(gpu))
        self.info = EngineInfo(
            device=gpu or "cpu",
            details={
                "model": header.name or config.model.name,
                "architecture": header.architecture,
                "context_tokens": window,
                "threads": threads,
            },
        )

    def reply(self, messages: Sequence[Message], steps: Steps) -> Iterator[TextDelta]:
        """Reply to `messages`, with what fits of them; see `ChatEngine`.

        Ends at a token that ends a turn, after `max_reply_tokens`, or where the window is full.
        """
        tokens = self.prompt(messages)
        with closing(self._sampler()) as sampler:
            decoder = codecs.getincrementaldecoder("utf-8")("ignore")
            token = self._context.read(tokens, steps, sampler)
            for number in range(1, self._config.max_reply_tokens + 1):
                if self._model.ends_reply(token):
                    break
                text = decoder.decode(self._model.piece(token))
                if text:
                    yield TextDelta(text)
                if number == self._config.max_reply_tokens or self._context.full:
                    break
                token = self._context.read_next(token, steps, sampler)

    def prefill(self, messages: Sequence[Message], steps: Steps) -> None:
        """Read `messages` up to the end of the last one, which may grow; see `ChatModel`."""
        self._context.read_ahead(self._tokens(messages, self._template.render_open), steps)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens that a reply to `messages` begins from; they leave room for the reply."""
        return self._tokens(messages, self._template.render)

    def _tokens(
        self, messages: Sequence[Message], render: Callable[[Sequence[Message]], str]
    ) -> list[int]:
        said = [message for message in messages if message.role != "system"]
        if not said or said[-1].role != "user":
            raise ProviderError(
                "llama_cpp",
                "A reply needs a conversation that ends with the user.",
                retryable=False,
            )
        self._forget_counts(messages)
        budget = self._room - self._fixed
        while True:
            fitting = fit(messages, self._count, budget)
            tokens = self._model.tokens(render(fitting))
            if len(tokens) <= self._room:
                return tokens
            # Pieces counted one by one can be shorter than the whole.
            budget -= max(len(tokens) - self._room, 1 + budget // 20)
            if budget < 1:
                return tokens[-self._room :]

    def park(self, steps: Steps) -> None:
        """Free the weights; what was read is kept in the machine's memory until `unpark`."""
        with steps("park"):
            self._context.park()
            self._model.park()

    def unpark(self, steps: Steps) -> None:
        """Load the weights again, which the system mostly still has in memory, and what was read.

        Raises ModelError and OutOfMemory. What is raised leaves it parked.
        """
        self._model.unpark(steps)
        try:
            with steps("unpark"):
                self._context.unpark()
        except BaseException:
            self._model.park()
            raise

    def close(self) -> None:
        """Free the model and its memory; nothing may be called afterwards."""
        self._context.close()
        self._model.close()

    def _sampler(self) -> Sampler:
        from voicebot_local.providers.llm.llama_library import Sampler

        config = self._config
        return Sampler(config.temperature, config.top_k, config.top_p, config.seed)

    def _chat_template(self) -> ChatTemplate:
        source = self._model.header.chat_template
        if not source:
            raise ModelError(
                f"The model {self._config.model} has no chat template: it continues text, "
                "it does not chat.",
                'Use a chat model; its name mostly has "Instruct" or "Chat" in it.',
            )
        from llama_cpp import llama_vocab_bos, llama_vocab_eos

        model = self._model
        tokens = {
            "bos_token": model.spelling(llama_vocab_bos(model.vocab)),
            "eos_token": model.spelling(llama_vocab_eos(model.vocab)),
        }
        return ChatTemplate(source, tokens, model.control_spellings())

    def _overheads(self) -> tuple[int, int]:
        """Tokens that the template adds to every prompt, and to every message."""
        a, b = Message("user", "a"), Message("assistant", "b")
        one, three = (
            len(self._model.tokens(self._template.render(messages)))
            for messages in ([a], [a, b, a])
        )
        each = -(-(three - one) // 2)
        return max(0, one - each), each

    def _count(self, message: Message) -> int:
        count = self._counts.get(message.content)
        if count is None:
            count = self._counts[message.content] = len(self._model.tokens(message.content))
        return count + self._each

    def _forget_counts(self, messages: Sequence[Message]) -> None:
        """Keep the counts of the present conversation only."""
        present = {message.content for message in messages}
        self._counts = {text: n for text, n in self._counts.items() if text in present}

    def _warm_up(self, *, whole: bool) -> None:
        """Read a little and forget it, so that the first reply does not pay for first times.

        `whole`: read as much as a conversation can be. llama.cpp's scratch memory on a GPU grows
        with it and ends the process where it cannot, which is better now than in a conversation.
        """
        with closing(self._sampler()) as sampler:
            tokens = self._model.tokens(self._template.render([Message("user", "a")]))
            if whole:
                tokens *= -(-self._room // len(tokens))
            token = self._context.read(tokens[: self._room], lambda _: nullcontext(), sampler)
            self._context.read_next(token, lambda _: nullcontext(), sampler)
        self._context.clear()


def _threads() -> int:
    """Half the cores that this process may use: the others hear and speak at the same time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(_MOST_THREADS, (cores or 2) // 2))
