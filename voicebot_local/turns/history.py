"""Which part of a long conversation a chat model is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from voicebot_local.providers.base import Message

Count = Callable[[Message], int]


def fit(
    messages: Sequence[Message], count: Count, budget: int, keep: float = 0.75
) -> list[Message]:
    """The system message and as many of the newest whole turns as fit in `budget` tokens.

    A turn is a user message and what follows up to the next. When a turn makes the conversation
    longer than `budget`, the oldest turns go until it is at most `keep` of it, so that for several
    turns nothing goes and the beginning of the prompt stays as it was. That is decided turn by turn
    from the first message on, so the same beginning of a conversation is always cut alike; the
    function keeps no state.

    The last turn always stays. Where it does not fit, its first messages go; a message that is too
    long by itself loses its beginning, word by word, and a system message that leaves less than a
    quarter of the budget to the conversation loses its end.
    """
    system = [message for message in messages if message.role == "system"][:1]
    system = [_cut_to(message, count, budget - budget // 4, keep_end=False) for message in system]
    room = budget - sum(map(count, system))
    turns = _turns([message for message in messages if message.role != "system"])
    first = total = 0
    low = int(keep * budget) - (budget - room)
    sizes: list[int] = []
    for number, turn in enumerate(turns):
        # As when this turn's first message was the last one of all: its answer was not there yet.
        sizes.append(count(turn[0]))
        if total + sizes[number] > room:
            while first < number and total + sizes[number] > low:
                total -= sizes[first]
                first += 1
        sizes[number] += sum(map(count, turn[1:]))
        total += sizes[number]
    kept = [message for turn in turns[first:] for message in turn]
    if total > room:
        kept = _end_of_turn(kept, count, room)
    return [*system, *kept]


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """`messages` turn by turn; a greeting before the first user message is a turn of its own."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([message])
        else:
            turns[-1].append(message)
    return turns


def _end_of_turn(turn: Sequence[Message], count: Count, room: int) -> list[Message]:
    kept: list[Message] = []
    for message in reversed(turn):
        size = count(message)
        if size > room:
            return kept or [_cut_to(message, count, room, keep_end=True)]
        kept.insert(0, message)
        room -= size
    return kept


def _cut_to(message: Message, count: Count, room: int, *, keep_end: bool) -> Message:
    """`message` with as many of its words as fit in `room`, at least one.

    A single word that does not fit is cut inside.
    """
    if count(message) <= room:
        return message
    pieces = message.content.split(" ")
    glue = " "
    if len(pieces) == 1:
        pieces, glue = list(message.content), ""

    def shortened(number: int) -> Message:
        part = pieces[-number:] if keep_end else pieces[:number]
        return replace(message, content=glue.join(part))

    fits, too_many = 1, len(pieces)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if count(shortened(middle)) <= room:
            fits = middle
        else:
            too_many = middle
    cut = shortened(fits)
    if count(cut) > room and glue and len(cut.content) > 1:
        return _cut_to(cut, count, room, keep_end=keep_end)
    return cut
