"""Push-to-talk: the key at the terminal, and what the turn machine makes of it."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import pytest

from tests.unit.test_turn_machine import Talk, replying, talk
from voicebot_local.errors import ConfigError
from voicebot_local.events import (
    PlayoutStarted,
    ReplyStopped,
    SpeechEnded,
    SpeechStarted,
    TalkPressed,
    TalkReleased,
    TurnCommitted,
    TurnDiscarded,
    TurnFinished,
)
from voicebot_local.talk_key import SpaceBar, TalkKeys, TypedLine
from voicebot_local.turns.settings import TurnSettings
from voicebot_local.turns.states import State

BY_KEY = TurnSettings(mode="push-to-talk")


def by_key() -> Talk:
    return talk(settings=BY_KEY)


def answered() -> Talk:
    """The user has pressed the key and said something; the reply is audible."""
    t = by_key()
    t.see(TalkPressed())
    t.speak(1)
    t.see(TalkPressed())
    t.final(1, 0, "hello")
    t.see(PlayoutStarted(1, 0, 0))
    return t


def test_without_the_key_nobody_is_heard() -> None:
    t = by_key()
    assert t.speak(5) + t.pause(5) == []


def test_the_key_again_ends_the_turn_at_once() -> None:
    t = by_key()
    assert t.see(TalkPressed()) == []
    assert [type(d) for d in t.speak(1)] == [SpeechStarted]
    assert [type(d) for d in t.see(TalkPressed())] == [SpeechEnded]
    assert t.final(1, 0, "hello") == [TurnCommitted(1, 0, "hello", 0)]


def test_letting_go_ends_the_turn_at_once() -> None:
    t = by_key()
    t.see(TalkPressed())
    t.speak(1)
    assert [type(d) for d in t.see(TalkReleased())] == [SpeechEnded]
    assert t.final(1, 0, "hello") == [TurnCommitted(1, 0, "hello", 0)]


def test_silence_ends_the_turn_as_well_and_the_key_has_to_be_pressed_anew() -> None:
    t = by_key()
    t.see(TalkPressed())
    t.speak(1)
    t.pause(3)
    assert TurnCommitted(1, 0, "hello", 0) in t.final(1, 0, "hello")
    t.see(PlayoutStarted(1, 0, 0))
    assert t.pause(1) + t.speak(3) == []


def test_a_press_just_after_silence_has_ended_the_turn_does_not_interrupt_the_reply() -> None:
    t = by_key()
    t.see(TalkPressed())
    t.speak(1)
    t.pause(1)
    t.final(1, 0, "hello")
    assert t.machine.state is State.REPLYING
    t.see(PlayoutStarted(1, 0, 0))
    t.pause(0.3)
    assert t.see(TalkPressed()) == []
    assert t.speak(1) == []
    assert t.see(TalkPressed())[0] == ReplyStopped(1, 0, "pressed")


def test_the_key_interrupts_a_reply_at_once() -> None:
    t = answered()
    assert t.speak(3) == []
    assert t.see(TalkPressed()) == [ReplyStopped(1, 0, "pressed"), TurnFinished(1, "interrupted")]
    (started,) = t.speak(0.5)
    assert isinstance(started, SpeechStarted)
    assert started.turn == 2


def test_a_press_without_words_ends_after_a_while() -> None:
    t = by_key()
    t.see(TalkPressed())
    assert not t.machine.quiet
    assert t.pause(BY_KEY.talk_wait_s + 0.5) + t.speak(2) == []
    assert t.machine.quiet or t.machine.state is State.IDLE


def test_a_key_without_understood_words_discards_the_turn() -> None:
    t = by_key()
    t.see(TalkPressed())
    t.speak(1)
    t.see(TalkReleased())
    assert t.final(1, 0, "") == [TurnDiscarded(1, "no words")]
    assert t.speak(1) == []
    t.see(TalkPressed())
    assert [type(d) for d in t.speak(1)] == [SpeechStarted]


def test_in_the_open_mode_the_key_stops_a_reply_and_takes_nothing_away() -> None:
    t = replying(audible=True)
    assert t.see(TalkPressed())[0] == ReplyStopped(1, 0, "pressed")
    assert [type(d) for d in t.speak(1)] == [SpeechStarted]
    t.see(TalkReleased())
    t.final(2, 0, "and then")
    assert t.machine.state is State.REPLYING


@dataclass
class Keyboard:
    """Feeds a SpaceBar with spaces at these times (s) and keeps what it says."""

    bar: SpaceBar = field(default_factory=SpaceBar)
    said: list[tuple[float, str]] = field(default_factory=list)

    def play(self, times: list[float]) -> list[tuple[float, str]]:
        for now, following in zip(times, [*times[1:], float("inf")], strict=True):
            if what := self.bar.space(now):
                self.said.append((now, what))
            due_s = self.bar.due_s
            if due_s is not None and now + due_s < following and (what := self.bar.quiet()):
                self.said.append((round(now + due_s, 3), what))
        return self.said


def test_taps_are_presses() -> None:
    assert Keyboard().play([0, 2, 10]) == [(0, "press"), (2, "press"), (10, "press")]


def test_a_quick_second_tap_is_a_press_a_moment_later() -> None:
    assert Keyboard().play([0, 0.5]) == [(0, "press"), (0.65, "press")]


@pytest.mark.parametrize(("first", "every"), [(0.25, 0.092), (0.5, 0.033), (0.66, 0.04)])
def test_holding_is_a_press_and_a_release(first: float, every: float) -> None:
    repeats = [first + number * every for number in range(20)]
    (pressed, one), (released, two) = Keyboard().play([0, *repeats])
    assert (pressed, one, two) == (0, "press", "release")
    assert released == pytest.approx(repeats[-1] + 0.15)


def test_holding_twice_in_a_row() -> None:
    once = [0, 0.5, 0.53, 0.56, 0.59]
    said = Keyboard().play([*once, *(2 + at for at in once)])
    assert [what for _, what in said] == ["press", "release", "press", "release"]


def test_a_line_is_edited() -> None:
    line = TypedLine()
    keys = "hex\x7fllo\x1b[D th\x15hi t\u00e9a\n"
    shown = [line.push(sign) for sign in keys]
    assert [each for _, each in shown if each] == ["hi t\u00e9a"]
    assert line.push("\n") == ("", None)


@dataclass
class Recorded:
    """Stands for the session."""

    did: list[str] = field(default_factory=list)
    ended: anyio.Event = field(default_factory=anyio.Event)

    def press(self) -> None:
        self.did.append("press")

    def release(self) -> None:
        self.did.append("release")

    def type(self, text: str) -> None:
        self.did.append(text)

    def end_input(self) -> None:
        self.ended.set()


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.anyio
async def test_the_keys_of_a_terminal(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    session, shown = Recorded(), io.StringIO()
    with os.fdopen(theirs, closefd=False) as keyboard:
        keys = TalkKeys(keyboard, shown)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keys.feed, session)
                await anyio.wait_all_tasks_blocked()
                assert not termios.tcgetattr(theirs)[3] & termios.ICANON
                os.write(ours, b" ")
                while session.did != ["press"]:
                    await anyio.sleep(0.01)
                os.write(ours, b"what is it\n\x04")
                await session.ended.wait()
    assert session.did == ["press", "what is it"]
    assert shown.getvalue() == "what is it\n"
    assert termios.tcgetattr(theirs) == before


def test_without_a_terminal_there_is_no_key() -> None:
    with pytest.raises(ConfigError, match="no terminal"):
        TalkKeys(io.StringIO(), io.StringIO())
