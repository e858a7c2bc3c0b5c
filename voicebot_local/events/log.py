"""The log: every event gets its number and time, in one order; and its form as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from voicebot_local.events.decisions import Decision
from voicebot_local.events.observations import Observation
from voicebot_local.providers.base import Word

Event: TypeAlias = Observation | Decision

EVENTS: dict[str, type] = {kind.__name__: kind for kind in Event.__args__}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: `at` is in seconds since the log was opened."""

    seq: int
    at: float
    event: Event


Reader: TypeAlias = Callable[[Entry], None]


class EventLog:
    """Gives every event its number and time and hands it to the readers, in order.

    The log is the only place that reads the clock, and it keeps nothing itself, so it can run for
    days. A reader is called in the session's task and must not wait.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = clock()
        self._next = 0
        self._readers: list[Reader] = []

    def add_reader(self, reader: Reader) -> None:
        """From now on `reader` is called with each entry."""
        self._readers.append(reader)

    def since_start(self, moment: float) -> float:
        """A moment on the log's clock, in seconds since the log was opened."""
        return moment - self._start

    def append(self, event: Event) -> Entry:
        """Log `event` and return its entry."""
        entry = Entry(self._next, self._clock() - self._start, event)
        self._next += 1
        for reader in self._readers:
            reader(entry)
        return entry


def to_json(entry: Entry) -> dict[str, Any]:
    """The entry as a flat object: `seq`, `at`, `type`, and the event's fields."""
    fields = dataclasses.asdict(entry.event)
    return {"seq": entry.seq, "at": round(entry.at, 6), "type": type(entry.event).__name__} | fields


def from_json(line: dict[str, Any]) -> Entry:
    """The reverse of `to_json`. Raises ValueError for anything that is no entry of a log."""
    fields = dict(line)
    try:
        seq, at, kind = fields.pop("seq"), fields.pop("at"), EVENTS[fields.pop("type")]
        if "words" in fields:
            fields["words"] = tuple(Word(**word) for word in fields["words"])
        if "steps" in fields:
            fields["steps"] = tuple((kind, *times) for kind, *times in fields["steps"])
        return Entry(seq, at, kind(**fields))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry of an event log: {line!r:.200}") from error
