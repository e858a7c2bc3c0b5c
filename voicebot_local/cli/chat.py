"""`voicebot-local chat`: the chat model alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Annotated

import typer
from anyio.from_thread import BlockingPortal, start_blocking_portal

from voicebot_local.cli.options import Backend, ConfigFile, say, tell
from voicebot_local.cli.run import persona_flag
from voicebot_local.cli.wording import BOT, YOU
from voicebot_local.config import load_config, system_prompt
from voicebot_local.errors import ProviderError
from voicebot_local.stages.chatting import Answer, Chat
from voicebot_local.stages.one import open_stage, prepared

EXAMPLES = """
Examples:
  voicebot-local chat
  voicebot-local chat --persona "You are a pirate."
  echo "What can you do?" | voicebot-local chat
"""


def chat(
    persona: Annotated[
        str | None,
        typer.Option(metavar="FILE|TEXT", help="Who the assistant is, in a file or in words."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a reply, nothing else.")
    ] = False,
    backend: Backend = "auto",
    config: ConfigFile = None,
) -> None:
    """Chat in writing. Only the chat model is loaded.

    Ctrl-C stops a reply, and at the prompt ends the chat, as Ctrl-D does.
    """
    flags = [] if persona is None else [("--persona", *persona_flag(persona))]
    settings = load_config(backend, config, flags)
    prompt = system_prompt(settings.persona)
    settings = prepared(settings, "chat")
    typed = sys.stdin.isatty() and not as_json
    interrupted = False
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_stage(settings, "chat", tell)) as model,
    ):
        if typed:
            say("Type, and press Enter; Ctrl-D ends.")
        talk = Chat(model, prompt)
        try:
            for line in _lines(typed):
                _turn(portal, talk, line, typed=typed, as_json=as_json)
        except KeyboardInterrupt:  # Raised again once the engine has ended.
            interrupted = True
    if interrupted:
        if typed:
            print()
        raise KeyboardInterrupt


def _lines(typed: bool) -> Iterator[str]:
    """What the user writes, until the end of it or Ctrl-C."""
    if typed:
        import readline  # noqa: F401 - input() lets lines be edited, and brings back earlier ones.
    try:
        while True:
            line = (input(f"{YOU}: ") if typed else _next_line()).strip()
            if line:
                yield line
    except EOFError:
        if typed:
            print()


def _next_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _turn(portal: BlockingPortal, talk: Chat, line: str, *, typed: bool, as_json: bool) -> None:
    """One turn, shown as it comes. Ctrl-C at a terminal stops the reply, elsewhere the program."""
    write: Callable[[str], None] = (lambda _: None) if as_json else _write
    if typed:
        _write(f"{BOT}: ")
    future: Future[Answer] = portal.start_task_soon(talk.reply, line, write)
    try:
        answer = future.result()
    except KeyboardInterrupt:
        future.cancel()
        wait([future])
        if not typed:
            raise
        _write(" … (stopped)\n")
        return
    except ProviderError as error:
        if not typed:
            raise
        say(f"! {error.message} {error.mend}".rstrip())
        return
    if as_json:
        _print_json(line, answer)
    else:
        _write("\n")


def _print_json(line: str, answer: Answer) -> None:
    first = None if answer.first_s is None else round(answer.first_s * 1000, 1)
    found = {"user": line, "assistant": answer.text, "first_text_ms": first}
    found["took_ms"] = round(answer.took_s * 1000, 1)
    print(json.dumps(found, ensure_ascii=False), flush=True)


def _write(text: str) -> None:
    print(text, end="", flush=True)
