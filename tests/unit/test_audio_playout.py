"""The playout buffer against a model of it, and from two threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from voicebot_local.audio.playout import Playout

CAPACITY = 40
FADE = 8


class PlayoutModel(RuleBasedStateMachine):
    """A reply is a list of samples; what is pulled is the list in order, and silence.

    While it is held, nothing is; while it is paused, only what fades out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout(CAPACITY, FADE)
        self.reply = 0
        self.open = self.held = self.paused = False
        self.loudness = FADE
        self.waiting: list[float] = []
        self.played = self.underrun = 0
        self.next_value = 1.0

    @rule(held=st.booleans())
    def begin(self, held: bool) -> None:
        self.reply += 1
        assert self.playout.begin(held=held) == self.reply
        self.open, self.waiting = True, []
        self.held, self.paused, self.loudness = held, False, FADE
        self.played = self.underrun = 0

    @rule(age=st.sampled_from([0, 0, 1]))
    def release(self, age: int) -> None:
        self.playout.release(self.reply - age)
        self.held = self.held and age != 0

    @rule(age=st.sampled_from([0, 0, 1]))
    def pause(self, age: int) -> None:
        self.playout.pause(self.reply - age)
        self.paused = self.paused or age == 0

    @rule(age=st.sampled_from([0, 0, 1]))
    def resume(self, age: int) -> None:
        self.playout.resume(self.reply - age)
        self.paused = self.paused and age != 0

    @rule(count=st.integers(0, 30), age=st.sampled_from([0, 0, 0, 1]))
    def write(self, count: int, age: int) -> None:
        samples = np.arange(self.next_value, self.next_value + count, dtype=np.float32)
        taken = self.open and age == 0
        if taken and count > CAPACITY - len(self.waiting):
            with pytest.raises(BufferError):
                self.playout.write(self.reply, samples)
            return
        self.playout.write(self.reply - age, samples)
        if taken:
            self.next_value += count
            self.waiting += samples.tolist()

    @rule(age=st.sampled_from([0, 0, 1]))
    def close(self, age: int) -> None:
        self.playout.close(self.reply - age)
        if age == 0:
            self.open = False

    @precondition(lambda self: self.reply)
    @rule()
    def flush(self) -> None:
        assert self.playout.flush() == self.played
        self.open, self.waiting = False, []
        self.held, self.paused, self.loudness = False, False, FADE

    @rule(count=st.integers(1, 25))
    def pull(self, count: int) -> None:
        block = self.playout.pull(count)
        most = 0 if self.held else min(count, self.loudness) if self.paused else count
        now, self.waiting = self.waiting[:most], self.waiting[most:]
        sound = [value * self.gain() for value in now]
        self.played += len(sound)
        if self.open and self.played and not self.paused:
            self.underrun += count - len(sound)
        assert block.samples.dtype == np.float32
        np.testing.assert_allclose(block.samples, sound + [0] * (count - len(sound)), rtol=1e-5)
        assert block.reply == self.reply
        assert block.reply_played == self.played
        assert block.underrun == self.underrun
        assert block.finished == (not self.open and not self.waiting and not self.held)

    def gain(self) -> float:
        """Of the next sample: half a step of the fade from where it is."""
        if self.paused:
            self.loudness -= 1
            return (self.loudness + 0.5) / FADE
        if self.loudness < FADE:
            self.loudness += 1
            return (self.loudness - 0.5) / FADE
        return 1.0

    @invariant()
    def room(self) -> None:
        assert self.playout.waiting == len(self.waiting)
        assert self.playout.space == CAPACITY - len(self.waiting)


PlayoutModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPlayoutModel = PlayoutModel.TestCase


def test_a_reply_waits_for_its_first_sound_without_an_underrun() -> None:
    playout = Playout(100)
    reply = playout.begin()
    assert playout.pull(10).underrun == 0
    playout.write(reply, np.ones(15, np.float32))
    playout.pull(10)
    assert playout.pull(10).underrun == 5
    playout.close(reply)
    assert playout.pull(10).underrun == 5


def test_a_pause_ends_with_the_very_next_sample() -> None:
    playout = Playout(1_000, fade=20)
    reply = playout.begin()
    playout.write(reply, np.ones(1_000, np.float32))
    pulled = [playout.pull(50)]
    playout.pause(reply)
    pulled += [playout.pull(50), playout.pull(50)]
    assert pulled[-1].reply_played == 70
    assert not pulled[-1].samples.any()
    assert pulled[-1].underrun == 0
    playout.resume(reply)
    pulled += [playout.pull(50)]
    assert pulled[-1].reply_played == 120
    sound = np.concatenate([block.samples for block in pulled])
    assert np.count_nonzero(sound) == 120, "none is left out and none is played twice"
    assert np.abs(np.diff(np.concatenate((sound[:70], sound[150:])))).max() < 0.06, "no click"


def test_a_held_reply_is_silent_until_it_is_released() -> None:
    playout = Playout(100)
    reply = playout.begin(held=True)
    playout.write(reply, np.ones(30, np.float32))
    playout.close(reply)
    block = playout.pull(10)
    assert (block.samples.any(), block.reply_played, block.finished) == (False, 0, False)
    playout.release(reply)
    assert playout.pull(30).samples.all()


def test_a_writer_and_a_clock_lose_nothing_between_them() -> None:
    playout, total = Playout(1_000), 20_000
    reply = playout.begin()
    pulled: list[np.ndarray] = []

    def clock() -> None:
        while True:
            block = playout.pull(64)
            pulled.append(block.samples[block.samples != 0])
            if block.finished:
                return

    thread = threading.Thread(target=clock)
    thread.start()
    sound, at = np.arange(1, total + 1, dtype=np.float32), 0
    while at < total:
        now = sound[at : at + min(playout.space, 500)]
        playout.write(reply, now)
        at += len(now)
    playout.close(reply)
    thread.join(timeout=30)
    assert not thread.is_alive()
    np.testing.assert_array_equal(np.concatenate(pulled), sound)
