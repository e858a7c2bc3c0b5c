"""llama.cpp's low-level interface, as far as it is needed: a model, its vocabulary, its samplers.

The only module besides `llama_context` that touches the library. It is imported in an engine's own
process: llama.cpp aborts its process on errors it does not expect.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

# A backtrace of an abort starts a debugger as a child process, where one is installed.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

import llama_cpp as native
from llama_cpp.llama_cpp import _lib as library

from voicebot_local.errors import ModelError, OutOfMemory, VoicebotError
from voicebot_local.providers.base import Steps
from voicebot_local.providers.llm.gguf_header import GgufHeader, read_header

_ERROR = 4
_GPU_TYPES = (1, 2)
_last_errors: deque[str] = deque(maxlen=4)


def _keep_errors(level: int, text: bytes, _: object) -> None:
    if level == _ERROR:
        line = text.decode(errors="replace").strip()
        if line:
            _last_errors.append(line)


# The library calls it for as long as the process lives, so the reference is never given up.
_log_callback = native.llama_log_callback(_keep_errors)


def quiet() -> None:
    """Keep llama.cpp's chatter off the terminal; its last errors are kept for `last_errors`."""
    native.llama_log_set(_log_callback, ctypes.c_void_p(0))


def last_errors() -> str:
    """What llama.cpp said went wrong, since it was last asked; "" where it said nothing."""
    said = "; ".join(_last_errors)
    _last_errors.clear()
    return said


def first_gpu() -> str:
    """The first GPU that llama.cpp was built for and finds, as "cuda:0 (NVIDIA ...)"; or ""."""
    if not native.llama_supports_gpu_offload():
        return ""
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    library.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    for text in (library.ggml_backend_dev_name, library.ggml_backend_dev_description):
        text.restype, text.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    for number in range(library.ggml_backend_dev_count()):
        device = library.ggml_backend_dev_get(number)
        if library.ggml_backend_dev_type(device) in _GPU_TYPES:
            name = (library.ggml_backend_dev_name(device) or b"").decode(errors="replace")
            said = (library.ggml_backend_dev_description(device) or b"").decode(errors="replace")
            return f"{'cuda:0' if name.startswith('CUDA') else name} ({said})"
    return ""


class Model:
    """A loaded model file and its vocabulary. `close` frees it; one thread owns it."""

    def __init__(self, path: Path, gpu_layers: int) -> None:
        """Check the file, then load it. Raises ModelError, or OutOfMemory where it does not fit."""
        self.header: GgufHeader = read_header(path)
        quiet()
        native.llama_backend_init()
        self._path = path
        self._params = native.llama_model_default_params()
        self._params.n_gpu_layers = gpu_layers
        self._words: Any = None
        self.handle: Any = self._load(self._params)
        self.vocab = native.llama_model_get_vocab(self.handle)
        self.size = native.llama_vocab_n_tokens(self.vocab)

    def close(self) -> None:
        for handle in (self.handle, self._words):
            if handle:
                native.llama_model_free(handle)

    def park(self) -> None:
        """Free the weights, not the vocabulary; no context of it may be open."""
        if not self._words:  # Another handle without weights, since the vocabulary goes with it.
            params = native.llama_model_default_params()
            params.vocab_only = True
            self._words = self._load(params)
            self.vocab = native.llama_model_get_vocab(self._words)
        native.llama_model_free(self.handle)
        self.handle = None

    def unpark(self, steps: Steps) -> None:
        """Load the weights again, a tensor or so in each step. What a step raises leaves them out.

        Raises ModelError, or OutOfMemory where they do not fit any more.
        """
        with _StepAfterStep(steps, "unpark") as moving:
            # The reference is kept while the library may call it.
            callback = native.llama_progress_callback(moving.next)
            self._params.progress_callback = callback
            try:
                self.handle = self._load(self._params)
            except VoicebotError:
                if moving.raised is not None:
                    raise moving.raised from None
                raise
            finally:
                self._params.progress_callback = native.llama_progress_callback()

    def _load(self, params: Any) -> Any:
        last_errors()
        handle = native.llama_model_load_from_file(os.fsencode(self._path), params)
        if not handle:
            raise _load_error(self._path, last_errors())
        return handle

    def tokens(self, text: str) -> list[int]:
        """`text` as tokens; control tokens in it count as such. A missing BOS token is added."""
        data = text.encode(errors="replace")
        bos = native.llama_vocab_bos(self.vocab)
        adds = native.llama_vocab_get_add_bos(self.vocab)
        add = bool(adds) and not (bos >= 0 and text.startswith(self.spelling(bos)))
        room = len(data) + 2
        while True:
            array = (native.llama_token * room)()
            found = native.llama_tokenize(self.vocab, data, len(data), array, room, add, True)
            if found >= 0:
                return list(array[:found])
            room = -found

    def piece(self, token: int, *, control: bool = False) -> bytes:
        """The bytes that `token` adds to a text, perhaps part of a character; none for a control
        token unless asked for."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            length = native.llama_token_to_piece(self.vocab, token, buffer, room, 0, control)
            if length >= 0:
                return buffer.raw[:length]
            room = -length

    def spelling(self, token: int) -> str:
        return self.piece(token, control=True).decode(errors="replace") if token >= 0 else ""

    def control_spellings(self) -> list[str]:
        """How the control tokens are written."""
        is_control, vocab = native.llama_vocab_is_control, self.vocab
        return [self.spelling(token) for token in range(self.size) if is_control(vocab, token)]

    def ends_reply(self, token: int) -> bool:
        return bool(native.llama_vocab_is_eog(self.vocab, token))


class _StepAfterStep:
    """A context in which `next` ends a step and begins the next, called by the library."""

    def __init__(self, steps: Steps, kind: str) -> None:
        self._steps = steps
        self._kind = kind
        self._step: AbstractContextManager[None] | None = None
        self.raised: BaseException | None = None

    def __enter__(self) -> _StepAfterStep:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def next(self, _progress: float, _data: object) -> bool:
        """Whether to go on. What a step raises is kept: it cannot pass through the library."""
        try:
            self._end()
            self._begin()
        except BaseException as error:
            self.raised = error
            return False
        return True

    def _begin(self) -> None:
        step = self._steps(self._kind)
        step.__enter__()
        self._step = step

    def _end(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)


class Sampler:
    """Draws tokens by llama.cpp's own chain of samplers. `close` frees it."""

    def __init__(self, temperature: float, top_k: int, top_p: float, seed: int) -> None:
        """At temperature 0 the likeliest token is taken, and the rest does not matter."""
        self._chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        links = (
            [
                native.llama_sampler_init_top_k(top_k),
                native.llama_sampler_init_top_p(top_p, 1),
                native.llama_sampler_init_temp(temperature),
                native.llama_sampler_init_dist(seed),
            ]
            if temperature > 0
            else [native.llama_sampler_init_greedy()]
        )
        for link in links:
            native.llama_sampler_chain_add(self._chain, link)

    def draw(self, context: object) -> int:
        """A token from the last position that was evaluated with logits."""
        return int(native.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        native.llama_sampler_free(self._chain)


def _load_error(path: Path, said: str) -> ModelError | OutOfMemory:
    if out_of_memory(said):
        return OutOfMemory(
            f"The chat model {path} does not fit in the memory that is free ({said}).",
            "Use a smaller model, fewer `gpu_layers`, or close what else uses the card.",
        )
    return ModelError(
        f"llama.cpp cannot load the chat model {path}: {said or 'it gives no reason'}.",
        "Use a GGUF chat model of an architecture that llama.cpp knows, and check its checksum.",
    )


def out_of_memory(said: str) -> bool:
    """Whether what llama.cpp said means that memory ran out."""
    signs = ("out of memory", "failed to allocate", "unable to allocate")
    return any(sign in said.lower() for sign in signs)
