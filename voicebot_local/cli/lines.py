"""The conversation as plain lines: what a pipe, a log file or a test sees."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from voicebot_local.cli.wording import device_line, trouble_line, turn_lines
from voicebot_local.events import EngineLoaded, Entry, SessionStarted, SpeechStarted, TurnDiscarded
from voicebot_local.metrics import TurnReport


class Lines:
    """Writes each finished turn, and what a person should know, and nothing that changes.

    `typed`: turns are typed, and where `echo` is off the terminal shows them already. `keys`: the
    user is heard after a key only, so it is shown when they are.
    """

    def __init__(
        self, out: TextIO, *, typed: bool = False, echo: bool = True, keys: bool = False
    ) -> None:
        self._out = out
        self._typed = typed
        self._echo = echo
        self._keys = keys

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        match entry.event:
            case EngineLoaded() as loaded:
                self.say(device_line(loaded))
            case SessionStarted(card=card):
                self.say("Type, and press Enter." if self._typed else f"Listening to {card}.")
            case SpeechStarted(part=0) if self._keys:
                self.say("(hearing you)")
            case TurnDiscarded(reason="no words"):
                self.say("(nothing was understood)")
            case event:
                if line := trouble_line(event):
                    self.say(line)

    def turn(self, report: TurnReport) -> None:
        """Write a turn that is over."""
        for line in turn_lines(report, user=self._echo):
            self.say(line)

    def say(self, line: str) -> None:
        """Write a line."""
        print(line, file=self._out, flush=True)
