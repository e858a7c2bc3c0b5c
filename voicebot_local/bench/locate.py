"""Where in a session's recording each recording that was played lies, found by its sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voicebot_local.errors import InputError
from voicebot_local.providers.base import Samples

SNIPPET_S = 3.0
"""As much of a recording, from its loudest second on, is looked for."""
ALIKE = 0.5
"""Correlation from which on it is the same sound; another sentence gives less than 0.2."""


def locate(left: Samples, played: Sequence[Samples], rate: int) -> list[int]:
    """Where in `left` each of `played` begins, in samples; they follow each other in this order.

    Raises InputError where one of them is not there.
    """
    positions: list[int] = []
    since = 0
    for number, samples in enumerate(played, 1):
        place = _find(left[since:], samples, round(SNIPPET_S * rate))
        if place is None:
            raise InputError(
                f"Recording {number} of {len(played)} is not found in what the session heard.",
                "Run again; if it stays so, listen to the left channel of the session's recording.",
            )
        positions.append(since + place)
        since += place + len(samples)
    return positions


def _find(left: Samples, samples: Samples, length: int) -> int | None:
    if not len(samples) or not len(left):
        return None
    loudest = int(np.argmax(np.abs(samples)))
    offset = max(0, min(loudest - length // 4, len(samples) - length))
    snippet = samples[offset : offset + length].astype(np.float64)
    if len(left) < len(snippet):
        return None
    size = 1 << (len(left) + len(snippet) - 1).bit_length()
    spectrum = np.fft.rfft(left, size) * np.conj(np.fft.rfft(snippet, size))
    products = np.fft.irfft(spectrum, size)[: len(left) - len(snippet) + 1]
    # The same sentence may come twice: the first place that is alike, not the best of all.
    energy = np.cumsum(np.concatenate(([0.0], np.square(left, dtype=np.float64))))
    around = np.sqrt(np.maximum(energy[len(snippet) :] - energy[: -len(snippet)], 1e-9))
    alike = products / (around * max(float(np.linalg.norm(snippet)), 1e-9))
    good = np.flatnonzero(alike > max(ALIKE, 0.9 * float(alike.max(initial=0.0))))
    if not len(good):
        return None
    near = good[good < good[0] + length]
    return int(near[np.argmax(alike[near])]) - offset
