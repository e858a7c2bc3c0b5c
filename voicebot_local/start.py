"""From a configuration and the wishes of the command line to a conversation that runs."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, TextIO

import anyio

from voicebot_local import paths
from voicebot_local.audio.recorder import ReplyRecorder, SessionRecorder
from voicebot_local.audio.smart_turn import SmartTurn
from voicebot_local.cards import Card, choose_card
from voicebot_local.config import Config, require_stack, system_prompt
from voicebot_local.engines.client import EngineNotice, StepsDone
from voicebot_local.engines.tasks import owned_tasks
from voicebot_local.engines.wire import STAGE_NAMES
from voicebot_local.errors import InputError
from voicebot_local.events import (
    DeviceSteps,
    EngineLoaded,
    Entry,
    EventLog,
    MemoryPlanned,
    UsageReported,
)
from voicebot_local.events.file import EventsFile
from voicebot_local.gpu.memory import nvml_memory, unwatched
from voicebot_local.gpu.plan import Plan
from voicebot_local.gpu.planning import fitted, replanned
from voicebot_local.gpu.queue import TENANT_OF
from voicebot_local.gpu.supervisor import shared_device
from voicebot_local.gpu.swaps import remember
from voicebot_local.gpu.watch import INTERVAL_S, watch
from voicebot_local.history.keeping import Keeping, Target
from voicebot_local.history.store import database_path
from voicebot_local.metrics import TurnReport, TurnReports
from voicebot_local.offline import forbid_network
from voicebot_local.providers.registry import EngineOptions, Providers, choice, open_providers
from voicebot_local.session import BlockSink, Session, SessionSettings
from voicebot_local.stopping import Stop, stopping
from voicebot_local.talk_key import TalkKeys
from voicebot_local.turns.conversation import PastTurn
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.typing_in import TypedTurns
from voicebot_local.usage import Usage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for besides the configuration.

    `typed`: where turns are typed; `keys`: what reads the key to talk. `notices`: what the user
    should know first. `resumed`: the kept conversation that is taken up again, and goes on being
    kept; `past`: its turns.
    """

    recordings: tuple[Path, ...] = ()
    output: Path | None = None
    record: Path | None = None
    events: Path | None = None
    pace: Literal["realtime", "fast"] = "realtime"
    typed: TextIO | None = None
    keys: TalkKeys | None = None
    debug: bool = False
    notices: tuple[str, ...] = ()
    resumed: int | None = None
    past: tuple[PastTurn, ...] = ()


Beside = Callable[[Session], Coroutine[Any, Any, None]]
"""A task that goes on beside a session, until it is over."""


class Screen(Protocol):
    """Where a person sees the conversation; a context manager around it."""

    def __enter__(self) -> Screen: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log."""

    def turn(self, report: TurnReport) -> None:
        """Show a turn that is over."""

    def say(self, line: str) -> None:
        """Show a line for people."""


def hold_conversation(config: Config, options: Options, screen: Screen) -> None:
    """Hold a conversation until it ends.

    Everything that can be found wrong without loading a model is found first. Raises VoicebotError;
    KeyboardInterrupt after Ctrl-C, which ends the conversation at once and cleanly. A second
    Ctrl-C kills the program.
    """
    logging.basicConfig(level=logging.DEBUG if options.debug else logging.ERROR)
    if config.session.offline:
        forbid_network()
    system_prompt(config.persona)
    card = choose_card(config.audio, options.recordings, options.pace, typed=bool(options.typed))
    require_stack(config)
    config, plan = fitted(config)
    detector, detecting = _turn_detector(config)
    with ExitStack() as files:
        sinks, events = _open_files(options, card, files)
        log = EventLog(time.monotonic)
        log.add_reader(screen.entry)
        log.add_reader(TurnReports(screen.turn))
        if events is not None:
            log.add_reader(events)
        if config.session.save or options.resumed is not None:
            recording = options.record or card.record
            target = Target(database_path(), options.resumed, config.backend, recording)
            keeping = Keeping(target, screen.say)
            files.callback(lambda: screen.say(keeping.summary()))
            log.add_reader(files.enter_context(keeping))
        log.append(MemoryPlanned(plan.device, plan.free, plan.reserve, plan.needed))
        fitting = (f"To fit in the GPU's memory: {plan.changes}.",) if plan.changes else ()
        watching = unwatched() if plan.device == "GPU" else ""
        notices = (*options.notices, *card.notices, *fitting, detecting, watching)
        for notice in filter(None, notices):
            screen.say(notice)
        files.enter_context(screen)
        usage = Usage()
        log.add_reader(usage)
        settings = _session_settings(config, plan, options, card, detector)
        with stopping() as stop:
            anyio.run(
                _converse,
                _stack(config, plan, card, log, usage),
                lambda providers: Session(card.card, providers, log, settings, sinks),
                _beside(options, plan, log),
                screen,
                stop,
            )
            if summary := usage.summary():
                screen.say(summary)
        stop.raise_if_asked()


def _turn_detector(config: Config) -> tuple[SmartTurn | None, str]:
    """What judges the user's pauses, if it is there, and how to say that."""
    path = paths.model_path(config.turn.smart_turn)
    if not path.exists():
        return None, (
            "Silence and words decide when you are done. A model that also listens for it: "
            "voicebot-local models download smart-turn (9 MB)."
        )
    return SmartTurn(path), f"Smart Turn listens for the end of what you say ({path.name})."


def _open_files(
    options: Options, card: Card, files: ExitStack
) -> tuple[list[BlockSink], EventsFile | None]:
    """Open all that will be written, so that what cannot be is known now."""
    rate = card.card.rate
    sinks: list[BlockSink] = []
    record = options.record or card.record
    if record is not None:
        session = SessionRecorder(record, rate)
        files.callback(_finish, session)
        sinks.append(session)
    if options.output is not None:
        replies = ReplyRecorder(options.output, rate)
        files.callback(_finish, replies)
        sinks.append(replies)
    events = files.enter_context(EventsFile(options.events)) if options.events else None
    return sinks, events


def _finish(file: SessionRecorder | ReplyRecorder) -> None:
    """Close a recording. A disk that is full now is told, as one that was full before."""
    try:
        file.close()
    except InputError as error:
        logger.error("%s %s", error.message, error.mend)


async def _converse(
    stack: AbstractAsyncContextManager[Providers],
    begin: Callable[[Providers], Session],
    beside: Sequence[Beside],
    screen: Screen,
    stop: Stop,
) -> None:
    """Load the stack, and hold the session that `begin` makes of it, with tasks `beside` it."""
    with anyio.CancelScope() as scope:
        stop.cancels(scope)
        async with stack as providers:
            if late := [engine.spec for engine in providers.engines if not engine.is_loaded]:
                names = " and the ".join(STAGE_NAMES[spec.stage] for spec in late)
                screen.say(f"Speak already; the {names} will be ready in a moment.")
            session = begin(providers)
            async with owned_tasks() as tasks:
                for task in beside:
                    tasks.start_soon(task, session)
                await session.run()
                tasks.cancel_scope.cancel()


@asynccontextmanager
async def _stack(
    config: Config, plan: Plan, card: Card, log: EventLog, usage: Usage
) -> AsyncIterator[Providers]:
    """The three providers, sharing the device; what they tell goes to the log."""
    planned = {row.stage: row.need.total for row in plan.rows}
    if plan.parked:  # It is measured when it is loaded, and parked then.
        planned["synthesizer"] -= plan.engines.moving[1]

    def on_notice(notice: EngineNotice) -> None:
        # The turn machine does not decide on these, and they come before there is a session.
        if isinstance(notice, EngineLoaded):
            notice = replace(notice, planned_bytes=planned.get(notice.stage, 0))
            if notice.unpark_s:
                model = getattr(getattr(config, notice.stage), "model", Path())
                remember(model.name, plan.device, notice.unpark_s)
        if isinstance(notice, UsageReported):
            notice = usage.of_turn(notice)
        log.append(_timed(notice, log) if isinstance(notice, StepsDone) else notice)

    async with (
        shared_device(config.gpu, log, card.card.playout, card.card.rate) as broker,
        open_providers(
            choice(config.recognizer),
            choice(config.chat),
            choice(config.synthesizer),
            on_notice,
            EngineOptions(
                offline=config.session.offline,
                broker=broker,
                replan=partial(replanned, config) if _replans(plan) else None,
                parking=plan.parked,
                # Recordings wait, so that what is measured from them is not the loading.
                early=card.clock is None and not plan.parked,
            ),
        ) as providers,
    ):
        yield providers


def _beside(options: Options, plan: Plan, log: EventLog) -> list[Beside]:
    """What goes on beside the session: typing, the key to talk, an eye on the GPU's memory."""
    tasks: list[Beside] = []
    if plan.device == "GPU":
        swing = _swing(plan)
        tasks.append(lambda _: watch(nvml_memory, log.append, INTERVAL_S, swing))
    if options.typed is not None:
        typed = TypedTurns(options.typed)
        log.add_reader(typed.entry)
        tasks.append(typed.feed)
    if options.keys is not None:
        tasks.append(options.keys.feed)
    return tasks


def _session_settings(
    config: Config, plan: Plan, options: Options, card: Card, detector: SmartTurn | None
) -> SessionSettings:
    return SessionSettings(
        _turn_settings(config, plan),
        system_prompt(config.persona),
        config.backend,
        config.session.turns,
        clock=card.clock,
        turn_detector=detector,
        past=options.past,
        prompter=config.prompter,
        echo=config.echo.cancel == "on" or (config.echo.cancel == "auto" and card.echoes),
    )


def _turn_settings(config: Config, plan: Plan) -> TurnSettings:
    """As configured, but no drafts where each of them would move the weights there and back."""
    return config.turn.model_copy(update={"max_revisions": 0}) if plan.parked else config.turn


def _replans(plan: Plan) -> bool:
    """Whether what is free says what an engine may take; not while another's weights move."""
    return plan.device == "GPU" and not plan.parked


def _swing(plan: Plan) -> int | None:
    """How much less is free while the synthesizer is on the device than while the chat model is."""
    chat, voice = plan.engines.moving
    return max(0, voice - chat) if plan.parked else None


def _timed(done: StepsDone, log: EventLog) -> DeviceSteps:
    at = log.since_start
    steps = tuple(
        (kind, at(queued), at(begun), at(ended)) for kind, queued, begun, ended in done.steps
    )
    return DeviceSteps(TENANT_OF[done.stage], done.process, steps)
