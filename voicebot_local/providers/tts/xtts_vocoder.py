"""The vocoder of XTTS over latents that come one by one, each frame vocoded once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from voicebot_local.providers.base import Samples

CONTEXT_FRAMES = 14
"""Neighbours a vocoder frame depends on, each side: 3 for the first convolution, 1 for the first
upsampling, 60/8 + 60/64 + 60/128 + 60/256 for the residual blocks, under 1 for the rest: 13.4."""
UNSETTLED_FRAMES = 5
"""Frames at the end that still change when a latent follows: interpolation clamps there, first the
last 2 of 4 frames a latent, then as many again and one more, stretched by 160/147."""

_UNIT = 29
"""Windows are so many frames, or a multiple: on a GPU each new length has its kernels chosen anew.
Four of them are what 20 tokens need, the default; the last window may have five. Only a window that
begins where the piece does may have any length."""
_UNITS = 5


class WindowedVocoder:
    """The HiFi-GAN of XTTS over a growing number of latents, each frame vocoded once.

    `begin`, then `more` with all latents so far; the results, put together, are what the vocoder
    gives for all of them at once.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._hop = decoder.output_hop_length
        self._done = 0

    def begin(self) -> None:
        self._done = 0

    def warm(self, embedding: Any) -> None:
        """Run each of the usual lengths of a window once."""
        with torch.inference_mode():
            width = self._decoder.waveform_decoder.conv_pre.in_channels
            for units in range(1, _UNITS + 1):
                frames = torch.zeros(1, width, units * _UNIT, device=embedding.device)
                self._decoder.waveform_decoder(frames, g=embedding)

    def more(self, latents: Any, embedding: Any, *, last: bool) -> Samples:
        """What can be said for sure after `latents`, (n, width): float32 samples, 24 kHz.

        Audio comes 19 frames (203 ms) behind the latents unless this is the `last` call.
        Returns when the device is done.
        """
        with torch.inference_mode():
            frames = self._frames(latents)
            total = frames.shape[-1]
            end = total if last else total - CONTEXT_FRAMES - UNSETTLED_FRAMES
            if end <= self._done:
                return np.zeros(0, np.float32)
            right = min(total, end + CONTEXT_FRAMES)
            needed = right - max(0, self._done - CONTEXT_FRAMES)
            left = max(0, right - -(-needed // _UNIT) * _UNIT)
            wave = self._decoder.waveform_decoder(frames[..., left:right], g=embedding)[0, 0]
            wave = wave[(self._done - left) * self._hop : (end - left) * self._hop]
            self._done = end
            return np.asarray(wave.float().cpu().numpy())

    def _frames(self, latents: Any) -> Any:
        """Latents to vocoder frames, (1, width, frames).

        All latents each time: it costs little, and keeps the phase of the uneven ratio of rates.
        """
        decoder = self._decoder
        ratio = decoder.ar_mel_length_compression / decoder.output_hop_length
        frames = F.interpolate(latents.T[None], scale_factor=[ratio], mode="linear")
        if decoder.output_sample_rate != decoder.input_sample_rate:
            ratio = decoder.output_sample_rate / decoder.input_sample_rate
            frames = F.interpolate(frames, scale_factor=[ratio], mode="linear")
        return frames
