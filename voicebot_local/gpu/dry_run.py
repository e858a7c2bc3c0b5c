"""Asks llama.cpp itself what a model would take, without loading it.

    python -m voicebot_local.gpu.dry_run MODEL SETTINGS

prints bytes for each kind of buffer as JSON; SETTINGS is JSON, too. A process of its own, since
llama.cpp aborts on what it does not expect, and since the interface that tells it is C++ and is
read as the pinned llama-cpp-python lays it out: `None` comes back where anything is not as it was.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voicebot_local.gpu.estimate_llm import LlmSettings

LIBRARY_VERSION = "0.3.36"
"""Of llama-cpp-python, whose structures are read here."""
LIMIT_S = 60.0

_BREAKDOWN = "_Z26llama_get_memory_breakdownPK13llama_context"
_KV_TYPES = {"f16": 1, "q8_0": 8}


@dataclass(frozen=True, slots=True)
class Buffers:
    """What llama.cpp would allocate of one kind of buffer ("CUDA0", "CPU", ...), in bytes."""

    kind: str
    model: int
    context: int
    compute: int


def dry_run(model: Path, settings: LlmSettings) -> list[Buffers] | None:
    """What llama.cpp would allocate for `model`, in all its kinds of buffers.

    Takes a second or less; blocks. None where llama.cpp or this version of it cannot say.
    """
    command = [sys.executable, "-m", __name__, os.fspath(model), json.dumps(asdict(settings))]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=LIMIT_S, check=True, stdin=subprocess.DEVNULL
        )
        return [Buffers(**one) for one in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def _measure(path: str, settings: LlmSettings) -> list[Buffers]:
    import llama_cpp as native
    from llama_cpp.llama_cpp import _lib as library

    if native.__version__ != LIBRARY_VERSION:
        raise SystemExit(f"llama-cpp-python {native.__version__} is not known here")
    silent = native.llama_log_callback(lambda *_: None)
    native.llama_log_set(silent, ctypes.c_void_p(0))
    native.llama_backend_init()
    about = native.llama_model_default_params()
    about.no_alloc = True
    about.load_mode = native.LLAMA_LOAD_MODE_NONE
    about.n_gpu_layers = settings.gpu_layers
    model = native.llama_model_load_from_file(os.fsencode(path), about)
    if not model:
        raise SystemExit("llama.cpp refuses the model")
    params = native.llama_context_default_params()
    params.n_ctx = settings.context_tokens
    params.n_batch = params.n_ubatch = settings.batch_tokens
    params.flash_attn_type = int(settings.flash_attention)
    params.type_k = params.type_v = _KV_TYPES[settings.kv_type]
    params.n_seq_max = params.n_outputs_max = 1
    params.offload_kqv = params.no_perf = params.swa_full = True
    context = native.llama_init_from_model(model, params)
    if not context:
        raise SystemExit("llama.cpp refuses the settings")
    return _breakdown(library, context)


def _breakdown(library: Any, context: Any) -> list[Buffers]:
    """A `std::map` of a buffer type to three sizes, returned through a hidden pointer."""
    library.ggml_backend_buft_name.restype = ctypes.c_char_p
    library.ggml_backend_buft_name.argtypes = [ctypes.c_void_p]
    ask = getattr(library, _BREAKDOWN)
    ask.restype, ask.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p]
    result = (ctypes.c_uint64 * 8)()
    ask(ctypes.addressof(result), ctypes.cast(context, ctypes.c_void_p))
    found: list[Buffers] = []

    def walk(node: int) -> None:  # Of libstdc++'s tree: colour, parent, left, right, key, values.
        if node:
            fields = (ctypes.c_uint64 * 8).from_address(node)
            walk(fields[2])
            kind = library.ggml_backend_buft_name(fields[4]).decode()
            found.append(Buffers(kind, fields[5], fields[6], fields[7]))
            walk(fields[3])

    walk(result[2])
    return found


def main() -> None:
    settings = LlmSettings(**json.loads(sys.argv[2]))
    json.dump([asdict(one) for one in _measure(sys.argv[1], settings)], sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # Taking the library apart may abort, and nothing is left to be saved.


if __name__ == "__main__":
    main()
