"""A NeMo recognizer in memory: built from a checked archive, on one device."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from voicebot_local.errors import ConfigError, ModelError, OutOfMemory
from voicebot_local.providers.asr.nemo_archive import open_archive
from voicebot_local.providers.asr.nemo_build import build, max_symbols
from voicebot_local.providers.asr.nemo_decode import Greedy, GreedyCtc, GreedyRnnt
from voicebot_local.providers.asr.nemo_graph import GraphStep
from voicebot_local.providers.asr.nemo_step import Step, record
from voicebot_local.providers.base import RECOGNIZER_RATE, Samples

Tensor: TypeAlias = Any
Decoder = Literal["rnnt", "ctc"]

_OTHER = "Use a cache-aware streaming FastConformer, such as those in models/manifest.toml."


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """Mel frames that one step of the encoder takes, new ones and, before them, old ones."""

    new: int
    old: int
    drop: int
    """Encoder frames at the start of the step's output that belong to the old mel frames."""


class LoadedModel:
    """A cache-aware streaming FastConformer. Not for use by two threads at once."""

    def __init__(self, path: Path, device: str, precision: str, *, fast_start: bool) -> None:
        """Load onto `device` ("cpu" or "cuda") with the encoder's and decoders' weights in
        `precision` ("float32" or "bfloat16"); then call `look_ahead`. `fast_start` is `fast` of
        `nemo_build.build`. Raises ModelError, OutOfMemory."""
        import torch

        self.path = path
        with tempfile.TemporaryDirectory() as folder:
            archive = open_archive(path, Path(folder))
            self.nemo = build(path, archive, Path(folder), fast=fast_start)
        self._max_symbols = max_symbols(archive.config)
        _check(path, self.nemo)
        self.device = torch.device(device)
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        front_end = self.nemo.preprocessor.featurizer
        front_end.dither, front_end.pad_to = 0.0, 0
        try:
            # Halved before it is moved, or the device would have to hold both and keep the room.
            for name in ("encoder", "decoder", "joint", "ctc_decoder"):
                if hasattr(self.nemo, name):
                    getattr(self.nemo, name).to(self.dtype)
            self.nemo.to(self.device)
        except torch.OutOfMemoryError as error:
            size_mb = path.stat().st_size / 1e6
            raise OutOfMemory(
                f"The recognizer {path.name} ({size_mb:.0f} MB) does not fit in the free memory "
                f"of the graphics card.",
                "Choose a smaller model, precision = 'bfloat16', or device = 'cpu' for the ASR.",
            ) from error
        self.hop: int = front_end.hop_length
        self.window: int = front_end.n_fft
        self._drop = 0
        self._recorded: Step | None = None
        self.frame_s = self.nemo.encoder.subsampling_factor * self.hop / RECOGNIZER_RATE

    @property
    def decoders(self) -> tuple[Decoder, ...]:
        """The decoders that the model has, the better one first."""
        if not hasattr(self.nemo, "joint"):
            return ("ctc",)
        return ("rnnt", "ctc") if hasattr(self.nemo, "ctc_decoder") else ("rnnt",)

    @property
    def lookaheads_ms(self) -> tuple[int, ...]:
        """The lookaheads that the model was trained for, shortest first."""
        frames = {context[1] for context in self.nemo.encoder.att_context_size_all}
        return tuple(sorted(round(frame * self.frame_s * 1000) for frame in frames))

    def look_ahead(self, lookahead_ms: int) -> None:
        """Choose one of `lookaheads_ms`; raises ConfigError for any other."""
        encoder = self.nemo.encoder
        for context in encoder.att_context_size_all:
            if round(context[1] * self.frame_s * 1000) == lookahead_ms:
                encoder.set_default_att_context_size(list(context))
                self._drop = encoder.streaming_cfg.drop_extra_pre_encoded
                self._recorded = None
                return
        on_offer = ", ".join(map(str, self.lookaheads_ms))
        raise ConfigError(
            f"The recognizer {self.path.name} cannot look ahead {lookahead_ms} ms.",
            f"Set lookahead_ms to one of {on_offer}.",
        )

    def chunk_sizes(self, first: bool) -> ChunkSizes:
        """The sizes of the first chunk of an utterance, or of all that follow."""
        sizes = self.nemo.encoder.streaming_cfg
        which = 0 if first else 1
        return ChunkSizes(
            _one_of(sizes.chunk_size, which),
            _one_of(sizes.pre_encode_cache_size, which),
            0 if first else self._drop,
        )

    def new_caches(self) -> list[Tensor]:
        """The encoder's memory before the first chunk."""
        # NeMo puts the step's own value here and, where a step fails, does not put it back.
        self.nemo.encoder.streaming_cfg.drop_extra_pre_encoded = self._drop
        caches = self.nemo.encoder.get_initial_cache_state(
            batch_size=1, dtype=self.dtype, device=self.device
        )
        return list(caches)

    def new_decoder(self, kind: Decoder) -> Greedy:
        if kind == "ctc":
            return GreedyCtc(getattr(self.nemo, "ctc_decoder", self.nemo.decoder))
        return GreedyRnnt(self.nemo.decoder, self.nemo.joint, self._max_symbols)

    def mel(self, samples: Samples) -> Tensor:
        """Mel frames (1, features, frames) of 16 kHz samples."""
        import torch

        # Memory that is not pinned is copied before this returns, so it may be changed afterwards.
        signal = torch.from_numpy(samples)[None].to(self.device, non_blocking=True)
        mel, _ = self.nemo.preprocessor.featurizer(signal, self._length(len(samples)))
        return mel.to(self.dtype)

    def encode(self, mel: Tensor, caches: list[Tensor], drop: int) -> tuple[Tensor, list[Tensor]]:
        """One step of the encoder: frames (1, width, frames), and the caches after it.

        Mel frames beyond those of a whole chunk are heard as the chunk that follows, and a chunk
        that is cut short can only be the last.
        """
        import torch

        sizes = self.chunk_sizes(first=False)
        whole, length = sizes.old + sizes.new, mel.shape[2]
        if self._recorded is None or drop != sizes.drop or length > whole:
            frames, count, *caches = self._step(mel, self._length(length), *caches, drop=drop)
            return frames[:, :, : int(count[0])], list(caches)
        if length < whole:
            mel = torch.nn.functional.pad(mel, (0, whole - length))
        frames, count, *caches = self._recorded(mel, self._length(length), *caches)
        # How many a whole chunk gives is known, so nobody need wait for the device to say it.
        return frames if length == whole else frames[:, :, : int(count[0])], list(caches)

    def record_step(self, *, cuda_graph: bool) -> bool:
        """Record the encoder's step for the chosen lookahead, see `nemo_step`; False where that
        fails, and then each is made anew."""
        import torch

        sizes = self.chunk_sizes(first=False)
        features = self.mel(np.zeros(self.window, np.float32)).shape[1]
        mel = torch.zeros(1, features, sizes.old + sizes.new, device=self.device, dtype=self.dtype)
        step = partial(self._step, drop=sizes.drop)
        self._recorded = record(step, mel, sizes.old + 1, self.new_caches(), cuda_graph=cuda_graph)
        return self._recorded is not None

    @property
    def steps(self) -> str:
        """How the encoder's steps are made, in words."""
        if self._recorded is None:
            return "one by one"
        return "CUDA graph" if isinstance(self._recorded, GraphStep) else "recorded"

    def _length(self, frames: int) -> Tensor:
        """A length as NeMo wants it; filled on the device, since a copy to it would wait for it."""
        import torch

        return torch.full((1,), frames, device=self.device)

    def _step(self, mel: Tensor, length: Tensor, *caches: Tensor, drop: int) -> tuple[Tensor, ...]:
        return tuple(
            self.nemo.encoder.cache_aware_stream_step(
                processed_signal=mel,
                processed_signal_length=length,
                cache_last_channel=caches[0],
                cache_last_time=caches[1],
                cache_last_channel_len=caches[2],
                keep_all_outputs=True,
                drop_extra_pre_encoded=drop,
            )
        )

    def piece(self, token: int) -> str:
        """A token as SentencePiece writes it."""
        return str(self.nemo.tokenizer.ids_to_tokens([token])[0])

    def text(self, tokens: list[int]) -> str:
        return str(self.nemo.tokenizer.ids_to_text(tokens)).strip()


def _check(path: Path, model: Any) -> None:
    """Refuse models whose text would be wrong rather than late when they hear audio in chunks."""
    encoder, front_end = model.encoder, model.preprocessor.featurizer
    if encoder.att_context_style != "chunked_limited" or encoder.conv_context_size[1] != 0:
        why = "it was not trained to hear speech in chunks"
    elif front_end.normalize not in (None, "", "NA"):
        why = "it normalizes whole recordings"
    elif front_end.sample_rate != RECOGNIZER_RATE:
        why = f"it wants {front_end.sample_rate} Hz, not {RECOGNIZER_RATE} Hz"
    elif front_end.exact_pad or not front_end.hop_length <= front_end.n_fft // 2 < 320:
        why = "its mel windows are of an unusual size"
    elif getattr(getattr(model, "joint", None), "num_extra_outputs", 0):
        why = "it predicts durations (TDT), which is not supported"
    else:
        return
    raise ModelError(f"{path} cannot be used for streaming: {why}.", _OTHER)


def _one_of(size: Any, which: int) -> int:
    return int(size[which] if hasattr(size, "__getitem__") else size)
