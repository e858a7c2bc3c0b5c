"""What the card played, on its way to the echo canceller."""

from __future__ import annotations

import numpy as np
import pytest

from voicebot_local.audio.far_end import FarEnd
from voicebot_local.audio.resample import Resampler
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples


class Keeper:
    """A canceller that changes nothing and keeps what it was given; it rests after a second."""

    delay = 0

    def __init__(self) -> None:
        self.played: list[Samples] = []
        self.calls: list[bool] = []
        self._silent = 0

    @property
    def awake(self) -> bool:
        return self._silent < RECOGNIZER_RATE

    def push(self, heard: Samples, played: Samples) -> Samples:
        self.calls.append(bool(played.any()))
        self._silent = 0 if played.any() else self._silent + len(played)
        self.played.append(played)
        return heard


def tone(count: int, rate: int) -> Samples:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_it_is_where_it_was_played_after_silence_that_was_not_computed(rate: int) -> None:
    sound = np.zeros(rate * 6, np.float32)
    sound[rate // 2 : rate] = tone(rate - rate // 2, rate)
    sound[4 * rate + 17 : 5 * rate] = tone(rate - 17, rate)
    keeper = Keeper()
    far, microphone = FarEnd(rate, keeper), Resampler(rate, RECOGNIZER_RATE)
    step = rate // 100
    for at in range(0, len(sound), 3 * step):
        for block in range(at, min(at + 3 * step, len(sound)), step):
            far.play(sound[block : block + step])
        far.cancel(microphone.push(sound[at : at + 3 * step]))
    played = np.concatenate(keeper.played)
    expected = Resampler(rate, RECOGNIZER_RATE).push(sound)
    assert len(played) == len(expected)
    assert np.abs(played - expected).max() < 1e-4


def test_the_samples_of_both_always_have_one_length() -> None:
    class Strict(Keeper):
        def push(self, heard: Samples, played: Samples) -> Samples:
            assert len(heard) == len(played)
            return super().push(heard, played)

    far, microphone = FarEnd(48_000, Strict()), Resampler(48_000, RECOGNIZER_RATE)
    sound = tone(48_000, 48_000)
    for at, count in ((0, 1), (1, 479), (480, 1000), (1480, 7), (1487, 40_000)):
        far.play(sound[at : at + count])
        far.cancel(microphone.push(sound[at : at + count]))
    for _ in range(200):
        far.play(np.zeros(480, np.float32))
        far.cancel(microphone.push(np.zeros(480, np.float32)))
