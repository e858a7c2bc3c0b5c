"""The live display of a terminal: level, state, what is being said, and the turns that are over."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from voicebot_local.cli.view import Doing, View
from voicebot_local.cli.wording import (
    BOT,
    YOU,
    device_line,
    trouble_line,
    turn_lines,
)
from voicebot_local.events import EngineLoaded, Entry, VoiceActivity
from voicebot_local.metrics import TurnReport

REDRAW_S = 1 / 12
"""Drawing is the most costly thing here; the eye wants no more."""
BAR_CELLS = 16
STYLES: dict[Doing, str] = {
    "loading": "dim",
    "listening": "green",
    "hearing": "bold green",
    "thinking": "yellow",
    "speaking": "cyan",
    "over": "dim",
}


class Display:
    """Draws on `console` while it is entered. It has no clock and no task of its own: the entries
    of the log, which come with every window of audio, are what makes it move."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._view = View()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_at = -REDRAW_S
        self._doing: Doing = "loading"

    def __enter__(self) -> Display:
        self._live.start()
        self._draw(0.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log; redraw where the time has come."""
        self._view.apply(entry)
        match entry.event:
            case VoiceActivity():
                pass
            case EngineLoaded() as loaded:
                self.say(device_line(loaded))
            case event:
                if line := trouble_line(event):
                    self.say(line)
        changed = self._view.doing != self._doing
        if changed or entry.at - self._drawn_at >= REDRAW_S:
            self._draw(entry.at)

    def turn(self, report: TurnReport) -> None:
        """Leave a turn that is over above the live part."""
        for line in turn_lines(report):
            who, colon, words = line.partition(": ")
            if colon and who in (YOU, BOT):
                self._console.print(Text.assemble((f"{who}: ", "bold"), words))
            else:
                self._console.print(Text(line, style="dim"))

    def say(self, line: str) -> None:
        """Leave a line above the live part."""
        self._console.print(Text(line, style="red" if line.startswith("!") else "dim"))

    def _draw(self, at: float) -> None:
        self._drawn_at, self._doing = at, self._view.doing
        self._live.update(self._picture(at), refresh=True)

    def _picture(self, at: float) -> RenderableType:
        view = self._view
        cells = round(view.level * BAR_CELLS)
        bar = "█" * cells + "░" * (BAR_CELLS - cells)
        lines = [Text.assemble((f"● {view.doing:<10}", STYLES[view.doing]), (bar, "dim"))]
        if view.user:
            style = "italic" if view.doing == "hearing" else ""
            lines.append(Text.assemble((f"{YOU}: ", "bold"), (view.user, style)))
        spoken, rest = view.reply(at)
        if spoken or rest:
            gap = " " if spoken and rest else ""
            lines.append(Text.assemble((f"{BOT}: ", "bold"), spoken, gap, (rest, "dim")))
        return Group(*lines)
