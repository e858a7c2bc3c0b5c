"""The event log and its form as JSON lines."""

from __future__ import annotations

import json

import pytest

from voicebot_local.events import (
    DECISIONS,
    EVENTS,
    Entry,
    EventLog,
    Transcribed,
    UserTyped,
    from_json,
    to_json,
)
from voicebot_local.providers.base import Word


def test_entries_are_numbered_and_timed_from_the_start() -> None:
    now = [5.0]
    log = EventLog(lambda: now[0])
    seen: list[Entry] = []
    log.add_reader(seen.append)
    log.append(UserTyped("a"))
    now[0] = 6.5
    log.append(UserTyped("b"))
    assert [(entry.seq, entry.at) for entry in seen] == [(0, 0.0), (1, 1.5)]


def test_json_and_back() -> None:
    event = Transcribed(1, 0, "hi", True, (Word("hi", 0.1, 0.2),), 0.9)
    entry = Entry(3, 1.25, event)
    assert from_json(json.loads(json.dumps(to_json(entry)))) == entry


@pytest.mark.parametrize(
    "line",
    [{}, {"seq": 1, "at": 0.0, "type": "Nonsense"}, {"seq": 1, "at": 0.0, "type": "UserTyped"}],
)
def test_what_is_no_entry_is_refused(line: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not an entry"):
        from_json(line)


def test_every_event_says_what_it_is() -> None:
    assert all(kind.__doc__ for kind in EVENTS.values())
    assert set(DECISIONS) < set(EVENTS.values())
