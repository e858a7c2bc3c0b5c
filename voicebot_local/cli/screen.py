"""Which of the ways to show a conversation suits where it is shown."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from voicebot_local.cli.display import Display
from voicebot_local.cli.lines import Lines
from voicebot_local.metrics import TurnReport
from voicebot_local.start import Screen


def screen(*, as_json: bool, typed: bool, keys: bool, debug: bool) -> Screen:
    """JSON where asked for; a live display on a terminal; plain lines elsewhere.

    A live display and a line that is being typed (`typed`, or `keys` beside the key to talk) would
    tear each other up, and so would what engines write with --debug: they get lines.
    """
    if as_json:
        return JsonTurns(typed=typed)
    if sys.stdout.isatty() and not (typed or keys or debug):
        return Display(Console())
    echo = not (typed and sys.stdin.isatty())
    return Lines(sys.stdout, typed=typed, echo=echo, keys=keys)


class JsonTurns(Lines):
    """One JSON object a finished turn on stdout and nothing else there; the rest on stderr."""

    def __init__(self, *, typed: bool) -> None:
        super().__init__(sys.stderr, typed=typed)

    def turn(self, report: TurnReport) -> None:
        """Print a turn that is over."""
        print(json.dumps(report.to_json(), ensure_ascii=False), flush=True)
