"""The keys of hosted services: whether they are there and, where that is wanted, accepted."""

from __future__ import annotations

import anyio

from voicebot_local.config import Config
from voicebot_local.doctor.result import Result, from_error
from voicebot_local.errors import VoicebotError
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.providers.registry import choice, open_provider

ANSWER_S = 10.0


def hosted_sections(config: Config) -> list[HostedConfig]:
    """The stages that work elsewhere."""
    sections = (config.recognizer, config.chat, config.synthesizer)
    return [section for section in sections if isinstance(section, HostedConfig)]


async def check_key(section: HostedConfig, *, offline: bool, online: bool) -> Result:
    """Whether a service can be used. With `online` it is connected to, which costs nothing or
    next to nothing; without, nothing leaves the machine."""
    name = section.service
    try:
        section.require(offline=offline)
    except VoicebotError as error:
        return from_error(name, error)
    if not online:
        return Result(name, "green", f"{section.key_variable} is set; --online tries it")
    try:
        began = anyio.current_time()
        with anyio.fail_after(ANSWER_S):
            async with open_provider(choice(section), lambda _: None):
                took_s = anyio.current_time() - began
    except TimeoutError:
        said = f"{section.host} did not answer in {ANSWER_S:g} s"
        return Result(name, "red", said, "Check the network, and base_url.")
    except VoicebotError as error:
        return from_error(name, error)
    except BaseExceptionGroup as group:
        ours, others = group.split(VoicebotError)
        if others is not None or ours is None:
            raise
        return from_error(name, _first(ours))
    said = f"{section.host} accepted {section.key_variable} in {took_s * 1000:.0f} ms"
    return Result(name, "green", said, "", {"connect_s": round(took_s, 3)})


def _first(group: BaseExceptionGroup[VoicebotError]) -> VoicebotError:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
