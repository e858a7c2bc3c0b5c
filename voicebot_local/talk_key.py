"""The space bar as the key to talk, and lines that are typed beside it, at one terminal."""

from __future__ import annotations

import codecs
import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

import anyio

from voicebot_local.errors import ConfigError

READ_BYTES = 4096
FIRST_REPEAT_S = 0.75
"""A key that is held repeats after so long at the latest: 250 to 660 ms are usual."""
REPEAT_S = 0.15
"""And then this often at least: 30 to 92 ms are usual."""
LINE_END, BACKSPACE, END_OF_INPUT, CLEAR_LINE, ESCAPE = "\r\n", "\x7f\x08", "\x04", "\x15", "\x1b"


class Talkable(Protocol):
    """What the keys are for: a session."""

    def press(self) -> None: ...
    def release(self) -> None: ...
    def type(self, text: str) -> None: ...
    def end_input(self) -> None: ...


class SpaceBar:
    """Tells taps of a key from holding it; a terminal reports neither, only repeats. Pure.

    Each method takes the time in seconds and gives "press" or "release", or None. A tap is a
    press; holding is a press, and a release when the repeats have stopped.
    """

    def __init__(self) -> None:
        self._pressed_at: float | None = None
        self._last = 0.0
        self._doubtful = self._held = False

    @property
    def due_s(self) -> float | None:
        """After how long without a space `quiet` has something to say; None: never."""
        return REPEAT_S if self._doubtful or self._held else None

    def space(self, now: float) -> str | None:
        """A space came."""
        gap, self._last = now - self._last, now
        if self._held:
            return None
        if self._doubtful:
            self._doubtful, self._held = False, gap <= REPEAT_S
            return None if self._held else "press"
        if self._pressed_at is not None and now - self._pressed_at <= FIRST_REPEAT_S:
            self._doubtful = True  # Either the first repeat or a second tap; the next one tells.
            return None
        self._pressed_at = now
        return "press"

    def quiet(self) -> str | None:
        """No space came for `due_s`."""
        doubtful, held = self._doubtful, self._held
        self._doubtful = self._held = False
        self._pressed_at = None
        return "release" if held else "press" if doubtful else None


class TypedLine:
    """A line as it is typed where the terminal does not help: what to do, and what to show."""

    def __init__(self) -> None:
        self.text = ""
        self._escaped = False

    def push(self, sign: str) -> tuple[str, str | None]:
        """Take a character; give what the terminal is to show, and the line if it is complete."""
        if self._escaped or sign == ESCAPE:  # Arrows and the like: ESC [ … letter.
            self._escaped = sign == ESCAPE or not (sign.isalpha() or sign == "~")
            return "", None
        if sign in LINE_END:
            line, self.text = self.text.strip(), ""
            return "\n" if line else "", line or None
        if sign in BACKSPACE and self.text:
            self.text = self.text[:-1]
            return "\b \b", None
        if sign == CLEAR_LINE:
            shown, self.text = "\b \b" * len(self.text), ""
            return shown, None
        if sign.isprintable():
            self.text += sign
            return sign, None
        return "", None


class TalkKeys:
    """Hands the keys of a terminal to the session until the session or the input ends.

    A space where no line has begun is the key to talk; everything else makes a line, which is a
    turn. Raises ConfigError where `keyboard` is no terminal.
    """

    def __init__(self, keyboard: TextIO, shown: TextIO) -> None:
        if not keyboard.isatty():
            raise ConfigError(
                "--push-to-talk reads the space bar, and the input is no terminal.",
                "Start it in a terminal, or leave --push-to-talk out.",
            )
        self._keyboard, self._shown = keyboard, shown
        self._space, self._line = SpaceBar(), TypedLine()

    async def feed(self, session: Talkable) -> None:
        """Feed the session; the terminal is left as it was found."""
        descriptor = self._keyboard.fileno()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with _key_by_key(descriptor):
            while True:
                due_s = self._space.due_s
                with anyio.move_on_after(float("inf") if due_s is None else due_s) as waiting:
                    await anyio.wait_readable(descriptor)
                if waiting.cancelled_caught:
                    _tell(session, self._space.quiet())
                    continue
                data = os.read(descriptor, READ_BYTES)
                text = decoder.decode(data, final=not data)
                for sign in text.partition(END_OF_INPUT)[0]:
                    self._take(sign, session)
                if not data or END_OF_INPUT in text:
                    session.end_input()
                    return

    def _take(self, sign: str, session: Talkable) -> None:
        if sign == " " and not self._line.text:
            _tell(session, self._space.space(anyio.current_time()))
            return
        show, line = self._line.push(sign)
        self._shown.write(show)
        self._shown.flush()
        if line is not None:
            session.type(line)


def _tell(session: Talkable, what: str | None) -> None:
    if what == "press":
        session.press()
    elif what == "release":
        session.release()


@contextmanager
def _key_by_key(descriptor: int) -> Iterator[None]:
    """Each key comes at once and is not shown; Ctrl-C still interrupts."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
