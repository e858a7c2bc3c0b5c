"""Who gets the device next: the work that will be audibly late first.

A pure object: no clock, no I/O. Times are seconds on one monotonic clock that all processes share.

| work                                      | due                                             |
|-------------------------------------------|-------------------------------------------------|
| recognizer chunk                          | when the next chunk arrives; always goes first  |
| first clause of a reply, its first audio  | at once                                         |
| later audio                               | when what is buffered for playout has been heard|
| later text                                | when the synthesizer will have run out of it    |
| speculative work                          | never; only when nothing else waits             |
| a draft, a reply that stands still        | as above among themselves, after all others     |

The rule is that of VoxServe (arXiv 2602.00269): the first chunk is always critical, a later one
only when the playout buffer is about to run out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Tenant: TypeAlias = Literal["asr", "llm", "tts"]
TENANTS: tuple[Tenant, ...] = ("asr", "llm", "tts")
TENANT_OF: dict[str, Tenant] = {"recognizer": "asr", "chat": "llm", "synthesizer": "tts"}
"""The tenant that a stage of the conversation is."""
Policy: TypeAlias = Literal["slack", "fifo", "exclusive"]

MARGIN_S = 0.15
"""Audio and text are due this long before they run out: a few steps and their hand-overs (s)."""
KEEP_S = 0.005
"""A waiter takes the device from a running tenant only for this much less slack (s): no thrash."""
LONGEST_WAIT_S = 1.0
"""Who has waited this long for one step goes before all but recognizers, whatever is due (s)."""


@dataclass(frozen=True, slots=True)
class Request:
    """`client` wants the device for one step of `tenant`'s work, since `at`.

    `conversation` says whose playout its deadline follows. `period_s` is the length of the audio
    in a recognizer's chunk. `speculative` work may be thrown away, and nobody waits for it. A
    request that `unparks` is for the room as well, see `room.py`.
    """

    client: int
    tenant: Tenant
    at: float
    conversation: int = 0
    period_s: float = 0.0
    speculative: bool = False
    unparks: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a conversation's reply will be audibly late.

    `audio_until`: all audio that was made will have been heard; None before the first.
    `text_until`: the synthesizer will have run out of text; None before the first clause, and
    infinity once the text is complete. `speculative`: it may be thrown away, as all work of chat
    model and synthesizer for this conversation now.
    """

    audio_until: float | None = None
    text_until: float | None = None
    speculative: bool = False


class GpuQueue:
    """The requests that wait, and the rule that orders them.

    `policy`: "slack" is the rule above. The others are what it is compared with: "fifo" serves in
    order of arrival; "exclusive" lets a reply's text be finished before any of it is spoken, which
    is what a program that loads one model at a time does.
    """

    def __init__(self, policy: Policy = "slack") -> None:
        self._policy = policy
        self._waiting: dict[int, Request] = {}
        self._outlooks: dict[int, Outlook] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def urgent(self) -> bool:
        """True when somebody waits whose work is not speculative."""
        return any(not self._is_speculative(request) for request in self._waiting.values())

    def look_ahead(self, conversation: int, outlook: Outlook) -> None:
        """From now on the conversation's deadlines follow `outlook`."""
        self._outlooks[conversation] = outlook

    def add(self, request: Request) -> None:
        """`request` waits; it replaces an older one of the same client."""
        self._waiting[request.client] = request

    def remove(self, client: int) -> Request | None:
        """The client waits no longer. Returns its request, if it had one."""
        return self._waiting.pop(client, None)

    def next(self, now: float) -> Request | None:
        """The request that goes next; it still waits. None where nobody does."""
        return min(
            self._waiting.values(), key=lambda request: self._key(request, now), default=None
        )

    def due(self, request: Request) -> float:
        """When lateness becomes audible."""
        if request.tenant == "asr":
            return request.at + request.period_s
        if request.speculative:
            return math.inf
        outlook = self._outlooks.get(request.conversation, Outlook())
        until = outlook.audio_until if request.tenant == "tts" else outlook.text_until
        # What is late already is due at once, like all that is: on a card with too much to do,
        # a longer lateness must not starve first replies.
        return request.at if until is None else max(request.at, until - MARGIN_S)

    def yields(self, running: Request, now: float) -> bool:
        """Should `running`, which has the device, give it up after its present step?

        Its next step is a request made now. Only somebody who would be chosen before it takes the
        device away, and under "slack" only for a slack that is smaller by `KEEP_S`. A recognizer
        has done its chunk, and its next one is not there yet, so it yields to anybody.
        """
        first = self.next(now)
        if first is None:
            return False
        if running.tenant == "asr":
            return True
        again = replace(running, at=now)
        if self._policy == "slack" and self._rank(first, now) == self._rank(again, now):
            return self.due(first) < self.due(again) - KEEP_S
        return self._key(first, now) < self._key(again, now)

    def overtakes_at(self, now: float) -> float:
        """The next moment at which time alone may make `yields` true; infinity where it cannot."""
        moments = [
            moment
            for request in self._waiting.values()
            if not self._is_speculative(request)
            for moment in (self.due(request) + KEEP_S, request.at + LONGEST_WAIT_S)
        ]
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _is_speculative(self, request: Request) -> bool:
        outlook = self._outlooks.get(request.conversation)
        return request.speculative or (
            request.tenant != "asr" and outlook is not None and outlook.speculative
        )

    def _rank(self, request: Request, now: float) -> int:
        """Recognizers, who has waited too long, the others, speculation."""
        if request.tenant == "asr":
            return 0
        if self._is_speculative(request):
            return 3
        return 1 if now - request.at > LONGEST_WAIT_S else 2

    def _key(self, request: Request, now: float) -> tuple[float, float, float, int]:
        if self._policy == "fifo":
            return 0, 0, request.at, request.client
        if self._policy == "exclusive":
            return TENANTS.index(request.tenant), 0, request.at, request.client
        return self._rank(request, now), self.due(request), request.at, request.client
