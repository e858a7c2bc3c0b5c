"""Prompts: how conversations are arranged for a template, and that a template is only text."""

from __future__ import annotations

import pytest

from scripts.make_fixtures.chat.gguf_file import CHAT_TEMPLATE
from voicebot_local.errors import ModelError, ProviderError
from voicebot_local.providers.base import Message
from voicebot_local.providers.llm.chat_template import ChatTemplate, prepare

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Like Gemma's: no system message, roles strictly in turn.
STRICT = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}"
    "{% endfor %}[model]"
)
SILENT = "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }};{% endif %}{% endfor %}"

PERSONA = Message("system", "Be brief.")
HELLO = Message("user", "Hello")
HI = Message("assistant", "Hi")


def test_llama_3() -> None:
    template = ChatTemplate(CHAT_TEMPLATE, {"bos_token": "<|begin_of_text|>"})
    assert template.render([PERSONA, HELLO]) == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_chatml() -> None:
    assert ChatTemplate(CHATML, {}).render([PERSONA, HELLO, HI, HELLO]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_template_without_system_messages_gets_it_in_the_first_question() -> None:
    template = ChatTemplate(STRICT, {"bos_token": "^"})
    assert template.render([PERSONA, HELLO]) == "^[user]Be brief.\n\nHello[model]"
    assert ChatTemplate(SILENT, {}).render([PERSONA, HELLO]) == "Be brief.\n\nHello;"


def test_a_template_that_wants_the_user_first_does_not_see_a_greeting() -> None:
    template = ChatTemplate(STRICT, {"bos_token": "^"})
    assert template.render([HI, HELLO]) == "^[user]Hello[model]"
    assert template.render([PERSONA, HI, HELLO]) == "^[user]Be brief.\n\nHello[model]"
    assert ChatTemplate(SILENT, {}).render([HI, HELLO]) == "Hi;Hello;"


@pytest.mark.parametrize(
    ("messages", "prepared"),
    [
        ([], []),
        ([HELLO, HELLO], [Message("user", "Hello Hello")]),
        ([HELLO, Message("user", "")], [HELLO]),
        ([HELLO, HI, HI, HELLO], [HELLO, Message("assistant", "Hi Hi"), HELLO]),
        ([Message("assistant", "Once upon ", True)], [Message("assistant", "Once upon —")]),
        ([Message("assistant", "", True)], [Message("assistant", "—")]),
        (
            [Message("assistant", "Once", True), Message("assistant", "Yes")],
            [Message("assistant", "Once — Yes")],
        ),
    ],
)
def test_roles_take_turns(messages: list[Message], prepared: list[Message]) -> None:
    assert prepare(messages) == prepared


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ raise_exception.__globals__ }}",
        "{% set _ = messages.append(1) %}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{% include '/etc/passwd' %}",
        "{% for %}",
        "{{ messages[7].content }}",
        "{{ 1 + 'a' }}",
        "{{ raise_exception('never') }}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_that_reaches_out_or_fails_is_refused(source: str) -> None:
    with pytest.raises(ModelError, match="chat template of the model does not work"):
        ChatTemplate(source, {})


def test_a_template_that_fails_later_is_an_error_of_the_call() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% if m.content == 'no' %}{{ 1 / 0 }}{% endif %}"
    )
    template = ChatTemplate(source + "{% endfor %}", {})
    with pytest.raises(ProviderError, match="refuses this conversation: division by zero"):
        template.render([Message("user", "no")])


@pytest.mark.parametrize("source", [CHAT_TEMPLATE, CHATML, STRICT, SILENT])
@pytest.mark.parametrize("before", [[], [PERSONA], [HI], [PERSONA, HELLO, HI]])
def test_an_open_prompt_is_the_beginning_of_whatever_it_grows_to(
    source: str, before: list[Message]
) -> None:
    template = ChatTemplate(source, {"bos_token": "^"})
    for text in ("", "Tell", "Tell me"):
        begun = template.render_open([*before, Message("user", text)])
        assert begun.endswith(text)
        assert template.render([*before, Message("user", "Tell me a story")]).startswith(begun)


def test_an_open_prompt_of_a_template_that_changes_what_is_said_is_empty() -> None:
    source = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
    with pytest.raises(ModelError, match="leaves out"):
        ChatTemplate(source, {})
    source = "{% for m in messages %}{{ m.content | replace('said-next', '') }}{% endfor %}"
    assert ChatTemplate(source, {}).render_open([HELLO]) == ""


def test_what_is_said_cannot_hold_control_tokens() -> None:
    template = ChatTemplate(SILENT, {}, ["<|eot_id|>", "<s>"])
    said = Message("user", "a<|eot_<s>id|>b<s>")
    assert template.render([said]) == "ab;"


def test_extras_that_templates_use() -> None:
    source = (
        "{% generation %}{{ messages[0].content | tojson }}{% endgeneration %}"
        "{{ strftime_now('%Y') | length }}{% if enable_thinking %}<think>{% endif %}"
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{% break %}{% endfor %}"
    )
    assert ChatTemplate(source, {}).render([Message("user", "<é>")]) == '"<é>"4'
