"""NVIDIA NeMo: streaming speech recognition with a cache-aware FastConformer, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from voicebot_local.errors import ConfigError
from voicebot_local.providers.asr.nemo_decode import Greedy, Spelling
from voicebot_local.providers.asr.nemo_mel import MelStream, Tensor
from voicebot_local.providers.base import (
    RECOGNIZER_RATE,
    EngineInfo,
    ProviderConfig,
    Samples,
    Steps,
    Transcript,
)

if TYPE_CHECKING:
    from voicebot_local.providers.asr.nemo_model import Decoder, LoadedModel

_LONGEST_BLOCK = RECOGNIZER_RATE
"""Audio is taken in blocks of at most this many samples, so that a whole recording given at once
is not copied anew for every chunk of it."""


_REHEARSED = 3
"""Chunks of silence before the first utterance, beside the first of their kind."""


class NemoConfig(ProviderConfig):
    """How NeMo recognizes speech."""

    provider: Literal["nemo"] = "nemo"
    model: Path = Field(description="A `.nemo` file with a cache-aware streaming FastConformer.")
    device: Literal["auto", "cuda", "cpu"] = Field(
        "auto", description="`auto` is the graphics card where there is one, else the processor."
    )
    lookahead_ms: int = Field(
        80,
        ge=0,
        description=(
            "How far ahead it listens before it decides on a sound, in milliseconds. The model "
            "sets the choice, for NVIDIA's 0, 80, 480 and 1040. More makes fewer mistakes; "
            "text comes later by as much, and in chunks of this and 80 ms more."
        ),
    )
    decoder: Literal["auto", "rnnt", "ctc"] = Field(
        "auto",
        description="`rnnt` makes fewer mistakes, `ctc` costs less. `auto` is rnnt where it is.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description=(
            "`bfloat16` needs half the memory and is faster on a graphics card; "
            "a rare word may come out differently."
        ),
    )
    recorded: bool = Field(
        True,
        description=(
            "Record the encoder's step once and run it without NeMo's Python, which takes as long "
            "as the arithmetic; false runs NeMo's own each time."
        ),
    )
    cuda_graph: bool = Field(
        True,
        description=(
            "On a GPU, record the step as a CUDA graph, which is one launch instead of a thousand; "
            "false records it without."
        ),
    )
    fast_start: bool = Field(
        True,
        description=(
            "Import only those parts of NeMo that recognizing needs, which saves seconds at the "
            "start; false imports all of it."
        ),
    )
    threads: int | None = Field(
        None, ge=1, description="Processor threads for recognition; unset: as many as cores."
    )


class NemoEngine:
    """The blocking recognizer. One thread owns it; one `transcribe` at a time.

    Loading takes seconds, most of them torch's import. Raises ModelError where the file is not a
    usable model, ConfigError where it lacks the lookahead or decoder asked for or there is no
    graphics card or no NeMo, OutOfMemory where it does not fit.
    """

    def __init__(self, config: NemoConfig) -> None:
        if not all(find_spec(package) for package in ("torch", "nemo")):
            raise ConfigError(
                "The recognizer is set to NeMo, which is not installed.",
                "Install it with `pip install 'voicebot-local[local]'`.",
            )
        import torch

        from voicebot_local.providers.asr.nemo_model import LoadedModel

        if config.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "The recognizer is set to device = 'cuda', but torch sees no graphics card.",
                "Set device = 'auto' or 'cpu', or install a CUDA build of torch and the driver.",
            )
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        cuda = config.device != "cpu" and torch.cuda.is_available()
        device = "cuda" if cuda else "cpu"
        self._model = LoadedModel(
            config.model, device, config.precision, fast_start=config.fast_start
        )
        self._decoder = self._choose(config.decoder)
        self._device = f"cuda:0 ({torch.cuda.get_device_name(0)})" if cuda else "cpu"
        self._precision = config.precision
        self._records = config.recorded
        self._cuda_graph = cuda and config.cuda_graph
        self.look_ahead(config.lookahead_ms)

    def look_ahead(self, lookahead_ms: int) -> None:
        """Choose the lookahead of the utterances that follow; nothing is loaded again.

        Raises ConfigError where the model does not offer it.
        """
        self._model.look_ahead(lookahead_ms)
        if self._records:
            self._model.record_step(cuda_graph=self._cuda_graph)
        self._warm_up()
        self.info = EngineInfo(
            self._device,
            details={
                "model": self._model.path.name,
                "decoder": self._decoder,
                "lookahead_ms": lookahead_ms,
                "chunk_ms": round(lookahead_ms + self._model.frame_s * 1000),
                "precision": self._precision,
                "steps": self._model.steps,
            },
        )

    def transcribe(self, audio: Iterator[Samples], steps: Steps) -> Iterator[Transcript]:
        """Transcribe one utterance; see `Recognizer.transcribe` for what goes in and comes out.

        A partial transcript comes whenever the text has changed; words and confidence come with
        the final one. Device work happens within `steps("chunk")`, a chunk being `lookahead_ms`
        and 80 ms of audio; after the end of the audio there is one such step at most. Memory grows
        by the words only. What `steps` or `audio` raises passes through and ends the utterance; the
        next one starts afresh.
        """
        utterance = _Utterance(self._model, self._decoder)
        shown = ""
        for samples in _blocks(audio):
            utterance.mel.add(samples)
            while utterance.has_chunk:
                with steps("chunk"):
                    utterance.step()
                if (text := utterance.said.text) != shown:
                    shown = text
                    yield Transcript(text, is_final=False)
        utterance.mel.end()
        if utterance.mel.ready > 0:  # One chunk at most: less than one, and a frame at the end.
            with steps("chunk"):
                utterance.step()
        yield utterance.final()

    def _choose(self, asked: Literal["auto", "rnnt", "ctc"]) -> Decoder:
        on_offer = self._model.decoders
        if asked == "auto":
            return on_offer[0]
        if asked not in on_offer:
            raise ConfigError(
                f"The recognizer {self._model.path.name} has no {asked} decoder.",
                f"Set decoder to 'auto' or '{on_offer[0]}'.",
            )
        return asked

    def _warm_up(self) -> None:
        """Let libraries allocate and choose kernels before somebody waits for them."""
        utterance, model = _Utterance(self._model, self._decoder), self._model
        first, later = (model.chunk_sizes(first=which).new for which in (True, False))
        frames = first + _REHEARSED * later
        utterance.mel.add(np.zeros(frames * model.hop + model.window, np.float32))
        while utterance.has_chunk:
            utterance.step()


class _Utterance:
    """What is carried from chunk to chunk of one utterance."""

    def __init__(self, model: LoadedModel, decoder: Decoder) -> None:
        self.said = Spelling(model.piece, model.text)
        self.mel = MelStream(model.mel, model.hop, model.window)
        self._model = model
        self._kind = decoder
        self._sizes = model.chunk_sizes(first=True)
        self._old: Tensor = None
        # Made in the first step, as making them is work for the device, too.
        self._caches: list[Tensor] | None = None
        self._decoder: Greedy | None = None

    @property
    def has_chunk(self) -> bool:
        """Whether there is audio for a whole chunk."""
        return self.mel.ready >= self._sizes.new

    def step(self) -> None:
        """Recognize one chunk, or all that is left of the audio once it has ended."""
        import torch

        count = self.mel.ready if self.mel.ended else self._sizes.new
        with torch.inference_mode():
            if self._caches is None or self._decoder is None:
                self._caches = self._model.new_caches()
                self._decoder = self._model.new_decoder(self._kind)
            new = self.mel.take(count)
            frames, self._caches = self._model.encode(
                self._with_old(new), self._caches, self._sizes.drop
            )
            if frames.shape[2]:
                self.said.add(self._decoder.decode(frames))
        self._sizes = self._model.chunk_sizes(first=False)

    def final(self) -> Transcript:
        return Transcript(
            self.said.text,
            is_final=True,
            words=self.said.words(self._model.frame_s, self.mel.samples / RECOGNIZER_RATE),
            confidence=self.said.confidence,
        )

    def _with_old(self, new: Tensor) -> Tensor:
        """`new` mel frames behind those the subsampling must see again, zeros before the start."""
        import torch

        keep = self._model.chunk_sizes(first=False).old
        seen = new if self._old is None else torch.cat((self._old, new), dim=2)
        missing = keep + new.shape[2] - seen.shape[2]
        seen = torch.nn.functional.pad(seen, (missing, 0))
        self._old = seen[:, :, -keep:] if keep else None
        return seen[:, :, seen.shape[2] - self._sizes.old - new.shape[2] :]


def _blocks(audio: Iterator[Samples]) -> Iterator[Samples]:
    for samples in audio:
        for start in range(0, len(samples), _LONGEST_BLOCK):
            yield np.ascontiguousarray(samples[start : start + _LONGEST_BLOCK], np.float32)
