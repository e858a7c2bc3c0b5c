"""Lets torchaudio be imported beside a CPU build of torch.

PyPI's torchaudio is linked against CUDA, so on a torch without CUDA loading its extension raises
`OSError`, and NeMo's and Coqui's imports fail with it. What they use of it (resample,
MelSpectrogram) is plain torch and needs no extension.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

_EXTENSION = "torchaudio._extension"


def use_torchaudio_without_cuda() -> None:
    """Call before the first import of torchaudio. Does nothing where torch has CUDA."""
    import torch

    if torch.version.cuda is not None or _EXTENSION in sys.modules:
        return
    extension: Any = types.ModuleType(_EXTENSION)
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
    extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = _needs_cuda
    sys.modules[_EXTENSION] = extension


def _needs_cuda(function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(f"torchaudio's {function.__name__} needs a CUDA build of torch")

    return refuse
