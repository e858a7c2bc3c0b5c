"""Smart Turn v3: a model that hears whether somebody has finished speaking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import numpy as np

from voicebot_local.audio.whisper_mel import BANDS, FRAMES, SECONDS, log_mel
from voicebot_local.errors import ModelError
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples
from voicebot_local.turns.end_of_turn import SMART_TURN

MEND = "Get it again with `voicebot-local models download smart-turn`, or move it away."


class SmartTurn:
    """The ONNX model on one thread of the processor; a `TurnDetector`."""

    name = SMART_TURN
    samples = SECONDS * RECOGNIZER_RATE

    def __init__(self, path: Path) -> None:
        """Raises ModelError where the file is missing, damaged, or another model."""
        if not path.is_file():
            raise ModelError(f"The Smart Turn model {path} is missing.", MEND)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions have no base but this one.
            raise ModelError(f"{path} cannot be read: {_said(error)}.", MEND) from error
        (first, *more), outputs = self._session.get_inputs(), self._session.get_outputs()
        if more or list(first.shape[1:]) != [BANDS, FRAMES] or len(outputs) != 1:
            raise ModelError(
                f"{path} is no Smart Turn v3 model: it takes {first.name} {first.shape}.", MEND
            )
        self._input = first.name
        # The first score takes longer than the others.
        self.probability(np.zeros(0, np.float32))

    async def score(self, samples: Samples) -> float:
        """See `TurnDetector`. Computes in a thread; cancelling waits until that has ended. Raises
        ModelError."""
        return await anyio.to_thread.run_sync(self.probability, samples)

    def probability(self, samples: Samples) -> float:
        """How likely the speaker of the last 8 s of 16 kHz `samples` has finished. Blocking. Raises
        ModelError."""
        features = log_mel(samples)[np.newaxis]
        try:
            (scores,) = self._session.run(None, {self._input: features})
        except Exception as error:  # As above.
            raise ModelError(f"Smart Turn failed: {_said(error)}.", MEND) from error
        return float(np.asarray(scores).reshape(-1)[0])


def _said(error: Exception) -> str:
    """The first line of a message that may be a page."""
    return str(error).partition("\n")[0].removesuffix(".")
