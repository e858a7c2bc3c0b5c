"""The memory of a llama.cpp model: keys and values of the tokens that it has read."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp as native

from voicebot_local.errors import ModelError, OutOfMemory, ProviderError
from voicebot_local.providers.base import Steps
from voicebot_local.providers.llm.llama_library import (
    Model,
    Sampler,
    last_errors,
    out_of_memory,
)
from voicebot_local.providers.llm.reuse import common, reuse

_KV_TYPES = {"f16": 1, "q8_0": 8}
_LEAST_MOVED = 64
"""Tokens; to read fewer again takes hardly longer than to move them."""


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """Sizes and forms of a context: `tokens` it holds, `slice` it reads in one step."""

    tokens: int
    slice: int
    threads: int
    flash_attention: bool
    kv_type: str
    moves: bool = True
    """Whether tokens may move up where others before them go; see `reuse`."""


class Context:
    """What the model has read, kept equal to the tokens that are wanted: `read` them in steps.

    One thread owns it: two threads in one context abort the process. Whatever interrupts a call,
    between steps or in one, `read` works afterwards.
    """

    def __init__(self, model: Model, options: ContextOptions) -> None:
        """Raises OutOfMemory where it does not fit, ModelError where llama.cpp refuses it."""
        params = native.llama_context_default_params()
        params.n_ctx = options.tokens
        params.n_batch = params.n_ubatch = options.slice
        params.n_threads = params.n_threads_batch = options.threads
        params.flash_attn_type = int(options.flash_attention)
        params.type_k = params.type_v = _KV_TYPES[options.kv_type]
        params.n_seq_max = params.n_outputs_max = 1
        params.offload_kqv = params.no_perf = True
        params.swa_full = True  # a model with a sliding window could not be rolled back otherwise
        self._model, self._options, self._params = model, options, params
        self._parked: Any = None
        self._open()
        self.size = int(native.llama_n_ctx(self.handle))
        self._moves = options.moves and bool(native.llama_memory_can_shift(self._memory))
        self.moves = 0
        """How often tokens moved up instead of being read again."""
        self._slice = options.slice
        self._batch = native.llama_batch_init(options.slice, 0, 1)
        self._read: list[int] = []
        self._has_logits = False
        self._pending = False  # What moved is computed with the next batch only.

    def _open(self) -> None:
        last_errors()
        self.handle: Any = native.llama_init_from_model(self._model.handle, self._params)
        if not self.handle:
            raise _context_error(self._options, last_errors())
        self._memory = native.llama_get_memory(self.handle)

    def park(self) -> None:
        """Free the memory, keeping what it holds; before the model's weights are freed."""
        self._has_logits = False
        if self._pending:  # A state is saved without it: all is read anew.
            self.clear()
        size = native.llama_state_seq_get_size(self.handle, 0)
        self._parked = (ctypes.c_uint8 * size)()
        if native.llama_state_seq_get_data(self.handle, self._parked, size, 0) != size:
            self._read.clear()
        native.llama_free(self.handle)
        self.handle = None

    def unpark(self) -> None:
        """Have the memory again, with what it held. Raises OutOfMemory, and is still parked."""
        self._open()
        kept, self._parked = self._parked, None
        if not self._read or not native.llama_state_seq_set_data(self.handle, kept, len(kept), 0):
            self.clear()

    @property
    def read_tokens(self) -> tuple[int, ...]:
        """The tokens whose keys and values are in memory now."""
        return tuple(self._read)

    def close(self) -> None:
        native.llama_batch_free(self._batch)
        if self.handle:
            native.llama_free(self.handle)

    def read(self, tokens: Sequence[int], steps: Steps, sampler: Sampler) -> int:
        """Make the memory equal to `tokens` and draw the token that follows.

        What can be used again stays, see `reuse`; the rest is read anew, a slice in each step
        "prefill". Tokens must be one or more, and fit.
        """
        if not tokens or len(tokens) > self.size:
            raise ValueError(f"{len(tokens)} tokens for a context of {self.size}")
        self._arrange(tokens)
        if len(self._read) != len(tokens) or not self._has_logits:
            self._roll_back(min(len(self._read), len(tokens) - 1))  # its last token is read again
        following = -1
        for start in range(len(self._read), len(tokens), self._slice):
            part = tokens[start : start + self._slice]
            last = start + len(part) == len(tokens)
            with steps("prefill"):
                self._decode(part, logits=last)
                if last:
                    following = sampler.draw(self.handle)
                else:
                    native.llama_synchronize(self.handle)
        return following if following >= 0 else sampler.draw(self.handle)

    def read_ahead(self, tokens: Sequence[int], steps: Steps) -> None:
        """Make the memory begin with `tokens`, for a `read` of what they will have become.

        What was read behind them stays. A slice in each step "ahead"; tokens must fit.
        """
        if len(tokens) > self.size:
            raise ValueError(f"{len(tokens)} tokens for a context of {self.size}")
        if common(self._read, tokens) == len(tokens):
            return
        self._arrange(tokens)
        for start in range(len(self._read), len(tokens), self._slice):
            with steps("ahead"):
                self._decode(tokens[start : start + self._slice], logits=False)
                native.llama_synchronize(self.handle)

    def read_next(self, token: int, steps: Steps, sampler: Sampler) -> int:
        """Read one more token and draw the one that follows, in one step "token"."""
        with steps("token"):
            self._decode([token], logits=True)
            return sampler.draw(self.handle)

    @property
    def full(self) -> bool:
        """Whether there is no room for another token."""
        return len(self._read) >= self.size

    def clear(self) -> None:
        """Forget everything."""
        native.llama_memory_clear(self._memory, False)
        self._read.clear()
        self._has_logits = self._pending = False

    def _arrange(self, tokens: Sequence[int]) -> None:
        """Keep in memory what serves for `tokens`, at its new place where it moved."""
        use = reuse(self._read, tokens, _LEAST_MOVED if self._moves else 0)
        end = use.same + use.dropped
        self._roll_back(end + use.moved)
        if not use.dropped or not self._read:
            return
        native.llama_memory_seq_rm(self._memory, 0, use.same, end)
        native.llama_memory_seq_add(self._memory, 0, end, -1, -use.dropped)
        del self._read[use.same : end]
        self._has_logits = False
        self._pending = True
        self.moves += 1

    def _roll_back(self, length: int) -> None:
        if length == len(self._read):
            return
        self._has_logits = False
        if native.llama_memory_seq_rm(self._memory, 0, length, -1):
            del self._read[length:]
        else:  # a recurrent model cannot forget only the end
            self.clear()

    def _decode(self, tokens: Sequence[int], *, logits: bool) -> None:
        batch, start = self._batch, len(self._read)
        for at, token in enumerate(tokens):
            batch.token[at] = token
            batch.pos[at] = start + at
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = 0
            batch.logits[at] = 0
        batch.logits[len(tokens) - 1] = int(logits)
        batch.n_tokens = len(tokens)
        self._has_logits = False
        last_errors()
        code = native.llama_decode(self.handle, batch)
        if code:
            self.clear()  # a part of the batch may be in memory
            said = last_errors() or "it gives no reason"
            raise ProviderError(
                "llama_cpp", f"llama.cpp failed to read text (code {code}): {said}."
            )
        self._read += tokens
        self._has_logits = logits
        self._pending = False


def _context_error(options: ContextOptions, said: str) -> ModelError | OutOfMemory:
    if out_of_memory(said):
        return OutOfMemory(
            f"A conversation of {options.tokens} tokens does not fit in the free memory ({said}).",
            'Lower `context_tokens`, or set `kv_type = "q8_0"`.',
        )
    return ModelError(
        f"llama.cpp refuses this model with these settings: {said or 'it gives no reason'}.",
        'Try `kv_type = "f16"`, and `flash_attention = false`.',
    )
