"""Runs a conversation again from its event log, and shows where it would go differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voicebot_local.events import DECISIONS, Decision, Entry, TurnRecorded, TurnSpeculated
from voicebot_local.turns.machine import TurnMachine


def replay(
    entries: Iterable[Entry], machine: TurnMachine
) -> Iterator[tuple[Entry, list[Decision], list[Decision]]]:
    """Feed the log's observations to `machine`; yield each (observation, logged, made).

    `logged` are the decisions that follow the observation in the log, `made` those of `machine`.
    With the settings of the session that wrote the log they are the same everywhere.
    """
    observation: Entry | None = None
    logged: list[Decision] = []
    for entry in entries:
        if isinstance(entry.event, DECISIONS):
            logged.append(entry.event)  # type: ignore[arg-type]
            continue
        if isinstance(entry.event, TurnRecorded | TurnSpeculated):  # What decisions left behind.
            continue
        if observation is not None:
            yield observation, logged, machine.handle(observation.event)  # type: ignore[arg-type]
        observation, logged = entry, []
    if observation is not None:
        yield observation, logged, machine.handle(observation.event)  # type: ignore[arg-type]
