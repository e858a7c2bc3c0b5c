"""Writes a conversation the way a model was taught to read it: the template in its GGUF file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from voicebot_local.errors import ModelError, ProviderError
from voicebot_local.providers.base import Message

if TYPE_CHECKING:
    from jinja2 import Template

INTERRUPTED = " —"
"""Stands behind what was heard of a reply that the user cut off, as in a written dialogue."""

_PROBE = Message("system", "probe-of-the-system-message")
_USER, _ASSISTANT = Message("user", "probe-of-a-question"), Message("assistant", "probe-of-a-reply")

_GROWS = "probe-of-what-is-said-next"


class ChatTemplate:
    """Renders conversations as the prompt that a model expects.

    The template comes with a model file from elsewhere, so it runs in jinja's immutable sandbox:
    it can make text and nothing else. What a template refuses is arranged for it: a system message
    goes into the first user message, a greeting before the first user message is left out.
    """

    def __init__(self, source: str, tokens: Mapping[str, str], control: Sequence[str] = ()) -> None:
        """`tokens`: what the template calls `bos_token` and so on. `control`: spellings of control
        tokens; none of them can be smuggled in by what is said in a conversation.

        Raises ModelError where the template is no jinja or cannot render a plain conversation.
        """
        self._tokens = dict(tokens)
        spellings = sorted((text for text in control if text), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, spellings))) if spellings else None
        self._arrange: Callable[[list[Message]], list[Message]] = lambda messages: messages
        try:
            self._template = _compile(source)
            self._arrange = self._arrangement()
        except Exception as error:  # it is a program from elsewhere, and fails in any way it likes
            raise ModelError(
                f"The chat template of the model does not work: {_one_line(error)}.",
                "Use another GGUF file of this model.",
            ) from error

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for a reply to `messages`; its last line opens the assistant's message.

        Raises ProviderError where the template refuses them.
        """
        return self._rendered([self._harmless(message) for message in messages])

    def render_open(self, messages: Sequence[Message]) -> str:
        """The beginning of that prompt, up to the end of the last message, which may still grow.

        It is "" where the template does not say what was said as it was. Raises ProviderError.
        """
        said = [self._harmless(message) for message in messages]
        said[-1] = replace(said[-1], content=said[-1].content + _GROWS)
        return self._rendered(said).rpartition(_GROWS)[0]

    def _rendered(self, messages: Sequence[Message]) -> str:
        try:
            return self._render(self._arrange(prepare(messages)))
        except Exception as error:
            raise ProviderError(
                "llama_cpp",
                f"The model's chat template refuses this conversation: {_one_line(error)}.",
                retryable=False,
            ) from error

    def _harmless(self, message: Message) -> Message:
        if self._control is None:
            return message
        text = message.content
        while (without := self._control.sub("", text)) != text:
            text = without
        return replace(message, content=text)

    def _render(self, messages: Sequence[Message]) -> str:
        return self._template.render(
            messages=[{"role": m.role, "content": m.content} for m in messages],
            add_generation_prompt=True,
            enable_thinking=False,  # a spoken answer cannot wait for a page of thoughts
            tools=None,
            **self._tokens,
        )

    def _arrangement(self) -> Callable[[list[Message]], list[Message]]:
        """How messages must be arranged for this template."""
        if _USER.content not in self._render([_USER, _ASSISTANT, _USER]):
            raise ValueError("it leaves out what the user said")

        def takes(*messages: Message) -> bool:
            try:
                rendered = self._render(messages)
            except Exception:
                return False
            return all(message.content in rendered for message in messages)

        folds = not takes(_PROBE, _USER)
        first = [] if folds else [_PROBE]
        drops = not takes(*first, _ASSISTANT, _USER)

        def arrange(messages: list[Message]) -> list[Message]:
            system = [message for message in messages if message.role == "system"]
            rest = [message for message in messages if message.role != "system"]
            while drops and rest and rest[0].role == "assistant":
                rest = rest[1:]
            if folds and system and rest:
                text = f"{system[0].content}\n\n{rest[0].content}"
                return [replace(rest[0], content=text), *rest[1:]]
            return [*system, *rest]

        return arrange


def prepare(messages: Sequence[Message]) -> list[Message]:
    """`messages` with roles in turn, as templates want them: neighbours of one role become one.

    An interrupted reply is what was heard of it, with `INTERRUPTED` behind it.
    """
    prepared: list[Message] = []
    for message in messages:
        if message.interrupted:
            heard = message.content.rstrip()
            message = replace(message, content=f"{heard}{INTERRUPTED}".lstrip(), interrupted=False)
        if prepared and prepared[-1].role == message.role:
            both = f"{prepared[-1].content} {message.content}".strip()
            prepared[-1] = replace(prepared[-1], content=both)
        else:
            prepared.append(message)
    return prepared


def _compile(source: str) -> Template:
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks text for training; here it is only its content."""

        tags = {"generation"}  # noqa: RUF012 (declared so by jinja)

        def parse(self, parser: Any) -> Any:
            parser.stream.skip(1)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda layout: datetime.now().strftime(layout)
    return environment.from_string(source)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    """Like the `tojson` that templates are written for; jinja's own escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removesuffix(".") or type(error).__name__
