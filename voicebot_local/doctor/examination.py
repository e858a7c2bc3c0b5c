"""The checks in their order, each result as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from voicebot_local import paths
from voicebot_local.audio.device_card import DeviceCard
from voicebot_local.audio.quiet import quiet_libraries
from voicebot_local.config import Config, missing_libraries, missing_models
from voicebot_local.doctor.engines import LOAD_S, Engines, wants_gpu
from voicebot_local.doctor.files import check_disk, check_models
from voicebot_local.doctor.gpu import Machine, check_gpu, check_memory, look
from voicebot_local.doctor.keys import check_key, hosted_sections
from voicebot_local.doctor.packages import check_packages
from voicebot_local.doctor.result import Result, from_error
from voicebot_local.doctor.sound import described, judge_echo, judge_microphone, lacking, take
from voicebot_local.errors import VoicebotError
from voicebot_local.events import Stage
from voicebot_local.gpu.plan import Plan
from voicebot_local.gpu.planning import apply
from voicebot_local.models.manifest import read_manifest
from voicebot_local.providers.hosted import HostedConfig
from voicebot_local.providers.registry import Choice, EngineOptions, choice

ORDER: tuple[Stage, ...] = ("recognizer", "chat", "synthesizer")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants examined: with `online`, hosted services are asked; without `sound`
    nothing is played or recorded; engines get `wait_s` to be loaded and used."""

    online: bool = False
    sound: bool = True
    wait_s: float = LOAD_S


class Examination:
    """All checks of a configuration.

    `on_begin` is told what is looked at now, `on_result` gets each result. Both are called in the
    event loop. Nothing that goes wrong with the machine raises: it is a red line.
    """

    def __init__(
        self,
        config: Config,
        wishes: Wishes,
        on_begin: Callable[[str], None],
        on_result: Callable[[Result], None],
    ) -> None:
        self._config = config
        self._wishes = wishes
        self._on_begin = on_begin
        self._on_result = on_result

    async def run(self) -> None:
        """Everything, in order; engines last, for they keep the processor busy."""
        config = self._config
        self._quick("packages", lambda: check_packages(config))
        machine: list[Machine] = []
        choices = [
            choice(section)
            for stage in ORDER
            if not isinstance(section := getattr(config, stage), HostedConfig)
        ]
        wanted = any(wants_gpu(chosen) for chosen in choices)

        def gpu() -> Result:
            machine.append(look())
            return check_gpu(machine[0], wanted=wanted)

        self._quick("GPU", gpu)
        plans: list[Plan | None] = [None]
        if choices:
            self._quick("memory", lambda: self._memory(plans))
        root = paths.models_dir()
        self._quick("models", lambda: check_models(config, root, read_manifest()))
        self._quick("disk", lambda: check_disk(root))
        await self._sound()
        for section in hosted_sections(config):
            self._on_begin(section.service)
            offline = config.session.offline and not self._wishes.online
            began = time.monotonic()
            result = await check_key(section, offline=offline, online=self._wishes.online)
            self._on_result(replace(result, took_s=time.monotonic() - began))
        has_gpu = bool(machine) and machine[0].memory is not None
        await self._engines(choices, plans[0], has_gpu=has_gpu)

    def _memory(self, plans: list[Plan | None]) -> Result:
        result, plans[0] = check_memory(self._config)
        return result

    def _quick(self, name: str, check: Callable[[], Result]) -> None:
        self._on_begin(name)
        began = time.monotonic()
        try:
            result = check()
        except VoicebotError as error:
            result = from_error(name, error)
        self._on_result(replace(result, took_s=time.monotonic() - began))

    async def _sound(self) -> None:
        self._on_begin("sound")
        audio = self._config.audio
        began = time.monotonic()
        if missing := lacking(audio):
            self._on_result(missing)
            return
        try:
            with quiet_libraries():
                card = DeviceCard(audio.input_device or None, audio.output_device or None)
            if not self._wishes.sound:
                said = f"{described(card.plan)}, at {card.rate} Hz (not tried: --no-sound)"
                self._on_result(Result("sound", "green", said))
                return
            taken = await take(card, time.monotonic, play=True)
        except VoicebotError as error:
            self._on_result(from_error("sound", error))
            return
        microphone = judge_microphone(described(card.plan), taken)
        self._on_result(replace(microphone, took_s=time.monotonic() - began))
        self._on_result(judge_echo(taken))

    async def _engines(self, choices: list[Choice], plan: Plan | None, *, has_gpu: bool) -> None:
        config = self._config if plan is None else apply(self._config, plan)
        ready: list[Choice] = []
        for chosen in choices:
            stage = chosen.kind.stage
            if why := self._why_not(stage, plan):
                self._on_result(Result(stage, "red", f"{chosen.name} was not tried: {why}"))
            else:
                ready.append(choice(getattr(config, stage)))
        if not ready:
            return
        self._on_begin("loading " + ", ".join(chosen.name for chosen in ready))
        found: dict[Stage, Result] = {}

        def keep(stage: Stage, result: Result) -> None:
            found[stage] = result

        options = EngineOptions(offline=self._config.session.offline)
        # Where one of them only fits while another is parked, they come one after the other.
        groups = [[each] for each in ready] if plan is not None and plan.parked else [ready]
        for group in groups:
            limit_s = self._wishes.wait_s / len(groups)
            await Engines(group, options, has_gpu, keep, limit_s).check()
        for stage in ORDER:
            if stage in found:
                self._on_result(found[stage])

    def _why_not(self, stage: Stage, plan: Plan | None) -> str:
        if missing_libraries(self._config, [stage]):
            return "its library is missing"
        if missing_models(self._config, [stage]):
            return "its model is missing"
        if plan is None or not plan.fits:
            return "the models do not fit"
        return ""
