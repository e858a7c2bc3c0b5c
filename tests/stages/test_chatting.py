"""`chat`: what the chat model is told of the conversation so far."""

from __future__ import annotations

import anyio
import pytest

from tests.session.scripted import ScriptChat
from voicebot_local.errors import ProviderError
from voicebot_local.providers.base import Message
from voicebot_local.stages.chatting import Chat

pytestmark = pytest.mark.anyio


async def test_the_conversation_is_remembered() -> None:
    model, shown = ScriptChat(["It is red.", "Yes, red."], 0), list[str]()
    talk = Chat(model, "Be brief.")
    answer = await talk.reply("Which colour?", shown.append)
    assert (answer.text, "".join(shown)) == ("It is red.", "It is red.")
    assert answer.first_s is not None
    assert answer.first_s <= answer.took_s
    await talk.reply("Red?", shown.append)
    assert model.asked[1] == [
        Message("system", "Be brief."),
        Message("user", "Which colour?"),
        Message("assistant", "It is red."),
        Message("user", "Red?"),
    ]


async def test_a_stopped_reply_is_remembered_as_far_as_it_was_shown() -> None:
    model, shown = ScriptChat(["one two three four", "fine"], 0.01), list[str]()
    talk = Chat(model, "")
    with anyio.CancelScope() as scope:

        def show(text: str) -> None:
            shown.append(text)
            if len(shown) == 2:
                scope.cancel()

        await talk.reply("Count.", show)
    assert shown == ["one", " two"]
    await talk.reply("Thanks.", shown.append)
    assert model.asked[1][1] == Message("assistant", "one two", interrupted=True)


async def test_a_reply_that_failed_is_forgotten() -> None:
    model = ScriptChat([ProviderError("x", "It broke."), "fine"], 0)
    talk = Chat(model, "")
    with pytest.raises(ProviderError):
        await talk.reply("Hello.", lambda _: None)
    await talk.reply("Hello again.", lambda _: None)
    assert model.asked[1] == [Message("user", "Hello again.")]
