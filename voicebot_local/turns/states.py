"""The states of a conversation, and what leads from one to the next.

             ┌──────────────────────── speech ─────────────────────────┐
             ▼                                                         │
    idle ─speech─▶ hearing ─short silence─▶ pausing ─enough silence─▶ deciding ─words─▶ replying
      ▲            │  ▲  ▲                  │  drafts a reply         │                 │  │  ▲
      │            │  │  └──────speech──────┘                         │no words         │  │  │
      ├────────────│──│───────────────────────────────────────────────┘                 │  │  │
      ├────────────│──│────────────────────────────────── played ───────────────────────┘  │  │
      │            │  └──── speech before the reply is audible: the same turn ─────────────┤  │
      │            │                                                                       │  │
      │            └─ enough silence at once ─▶ deciding        speech over the reply ─────┘  │
      │                                                                 ▼                     │
      │               hearing ◀─ an interruption: a new turn ─ overlapping ─ nothing of that ─┘

Late words may show that the user is not done after all: from `deciding` back to `pausing`. The key
to talk stops a reply when it is pressed, and ends the user's turn when it is released; a typed turn
replaces what is going on. From `idle` the assistant may speak unasked, which is `replying` too.
Between two turns the conversation may be over: `ended`.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What the conversation is doing."""

    IDLE = "idle"
    """Nobody speaks, and nothing is being answered."""
    HEARING = "hearing"
    """The user speaks, and is being recognized."""
    PAUSING = "pausing"
    """The user is silent, and may be done: a reply is drafted meanwhile."""
    DECIDING = "deciding"
    """The user is done; a transcript is still to come."""
    REPLYING = "replying"
    """The reply is prepared and played."""
    OVERLAPPING = "overlapping"
    """The user makes a sound over the reply, which stands still."""
    ENDED = "ended"
    """The conversation is over; nothing is decided any more."""
