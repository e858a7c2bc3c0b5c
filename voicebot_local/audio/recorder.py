"""What a session leaves behind as sound: all of it on one clock, or the replies alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voicebot_local.audio.card import Block
from voicebot_local.audio.wav import WavWriter

GAP_S = 0.5
"""Silence between two replies in a file of replies."""


class SessionRecorder:
    """`--record`: two channels on the card's clock, left what was heard, right what was played.

    Samples that were lost are silence, so positions in the file are positions on the clock. Raises
    InputError like `WavWriter`: when made, and once when the file fails later.
    """

    def __init__(self, path: Path, rate: int) -> None:
        self._wav = WavWriter(path, rate, channels=2)

    def write(self, block: Block) -> None:
        if block.lost:
            silence = np.zeros(block.lost, np.float32)
            self._wav.write(silence, silence)
        self._wav.write(block.heard, block.played.samples)

    def close(self) -> None:
        self._wav.close()


class ReplyRecorder:
    """`--output`: the replies as they were played, one after the other, in one channel.

    A reply that was interrupted ends where it was; waiting for its audio is left out. Raises
    InputError like `WavWriter`.
    """

    def __init__(self, path: Path, rate: int) -> None:
        self._wav = WavWriter(path, rate, channels=1)
        self._gap = np.zeros(round(GAP_S * rate), np.float32)
        self._reply = self._played = 0

    def write(self, block: Block) -> None:
        played = block.played
        if played.reply != self._reply:
            if self._wav.frames_written and played.reply_played:
                self._wav.write(self._gap)
            self._reply, self._played = played.reply, 0
        if played.reply_played > self._played:
            self._wav.write(played.samples)
            self._played = played.reply_played

    def close(self) -> None:
        self._wav.close()
