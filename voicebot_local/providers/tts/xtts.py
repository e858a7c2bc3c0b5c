"""Coqui XTTS v2, streaming: speech in the voice of a named speaker or of a short recording.

The weights are under the Coqui Public Model License, which allows no commercial use; they are
never downloaded from here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from voicebot_local.errors import ConfigError, OutOfMemory
from voicebot_local.paths import cache_dir, model_path
from voicebot_local.providers.base import EngineInfo, ProviderConfig, Samples, SpokenAudio, Steps
from voicebot_local.providers.tts.xtts_text import most_tokens, pieces, prepare

if TYPE_CHECKING:
    from voicebot_local.providers.tts.xtts_decode import Piece
    from voicebot_local.providers.tts.xtts_parking import MovingWeights

SAMPLE_RATE = 24_000
RAMP = 48
"""Samples faded in and out at the ends of a piece, 2 ms, so that no join clicks."""
_WARM_TOKENS = 12


class XttsConfig(ProviderConfig):
    """Which XTTS model speaks, in whose voice, and how."""

    provider: Literal["xtts"] = "xtts"
    model: Path = Field(
        description="Directory with config.json, model.pth, vocab.json and speakers_xtts.pth."
    )
    voice: str = Field(
        min_length=1,
        description="A speaker's name, or the path of a recording of 6 to 30 s to speak like.",
    )
    language: str = Field("en", description="Language of the replies, such as en, de or zh-cn.")
    device: Literal["auto", "cuda", "cpu"] = Field(
        "auto", description="auto: the GPU where there is one, else the CPU."
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads; by default PyTorch's own choice."
    )
    precision: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Number format of the GPT; the vocoder stays float32."
    )
    decoder: Literal["own", "stock"] = Field(
        "own", description="own: stops at any token; stock: coqui-tts's inference_stream."
    )
    cuda_graph: bool = Field(
        True,
        description="On a GPU, record the own decoder's step and replay it; false: make each anew.",
    )
    first_chunk_tokens: int = Field(
        10, ge=1, le=200, description="Audio tokens (46 ms each) before the first audio."
    )
    chunk_tokens: int = Field(
        20, ge=1, le=200, description="Audio tokens between later chunks of audio."
    )
    temperature: float = Field(0.75, gt=0.0, le=5.0, description="Lower is steadier.")
    top_k: int = Field(50, ge=0, description="Draw from so many tokens; 1 is greedy, 0 all.")
    top_p: float = Field(0.85, gt=0.0, le=1.0, description="Draw from this share of the chances.")
    repetition_penalty: float = Field(
        10.0, gt=0.0, description="Above 1 keeps it from droning on; the library streams with 10."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="Makes replies repeatable; by default each is new."
    )

    @model_validator(mode="after")
    def _stock_is_float32(self) -> XttsConfig:
        if self.decoder == "stock" and self.precision != "float32":
            raise ValueError("decoder 'stock' works with precision 'float32' only")
        return self


class XttsEngine:
    """A `SynthesizerEngine` of 24 kHz audio. Give it speech-ready text; XTTS reads digits badly.

    One reply at a time: beginning one ends the one before. Word times are not known. With the own
    decoder a cancelled reply stops after at most one token or one vocoder window.
    """

    def __init__(self, config: XttsConfig) -> None:
        """Load and warm the model. Raises ModelError, ConfigError, InputError, OutOfMemory."""
        self._config = config
        self._directory = model_path(config.model)
        self._reply = 0
        self._moving: MovingWeights | None = None
        device = self._choose_device()
        import torch

        try:
            self._load(device)
            self._warm()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"XTTS does not fit in the free memory of {device}.",
                'Free some, choose a smaller profile, or set device = "cpu".',
            ) from error

    def speak(self, clauses: Iterator[str], steps: Steps) -> Iterator[SpokenAudio]:
        """Speak `clauses` as they come, float32 at 24 kHz; text of any length, cut where needed."""
        self._reply += 1
        reply = self._reply
        seed = self._config.seed
        self._decoder.seed(secrets.randbits(63) if seed is None else seed)
        for number, clause in enumerate(clauses):
            for text in self._cut(prepare(clause, self._language)):
                chunks = self._decoder.speak(self._piece(text), steps)
                for samples in _with_soft_ends(chunks):
                    yield SpokenAudio(samples, number)
                    if reply != self._reply:
                        raise RuntimeError("another reply was begun before this one had ended")

    def park(self, steps: Steps) -> None:
        """Move the weights off the device; its caches stay. `speak` needs them back.

        They come back to another place, where a recorded step would not find them: it is recorded
        again when it is next needed.
        """
        from voicebot_local.providers.tts.xtts_decode import OwnDecoder
        from voicebot_local.providers.tts.xtts_parking import MovingWeights

        if isinstance(self._decoder, OwnDecoder):
            self._decoder.weights_will_move()
        if self._moving is None:
            self._moving = MovingWeights(self.model, self.model.device)
        self._moving.park(steps)

    def unpark(self, steps: Steps) -> None:
        """Move the weights to the device. Raises torch's OutOfMemoryError, and is still parked."""
        if self._moving is not None:
            self._moving.unpark(steps)

    def _choose_device(self) -> str:
        from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

        use_torchaudio_without_cuda()
        import torch

        if self._config.threads is not None:
            torch.set_num_threads(self._config.threads)
        if self._config.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                'The XTTS configuration says device = "cuda", but PyTorch finds no GPU.',
                'Install a CUDA build of PyTorch and a driver, or set device = "auto".',
            )
        if self._config.device == "cpu" or not torch.cuda.is_available():
            return "cpu"
        return "cuda:0"

    def _load(self, device: str) -> None:
        import torch

        from voicebot_local.providers.tts.xtts_decode import Chunks, OwnDecoder
        from voicebot_local.providers.tts.xtts_load import load_model
        from voicebot_local.providers.tts.xtts_stock import StockDecoder
        from voicebot_local.providers.tts.xtts_tokens import Sampling
        from voicebot_local.providers.tts.xtts_voices import find_voice

        config = self._config
        self.model = load_model(self._directory, device, config.precision)
        """The package's `Xtts`."""
        self._language = self._check_language()
        voice = find_voice(self.model, self._directory, config.voice, cache_dir() / "xtts-voices")
        voice = voice.to(device)
        self._limit = self.model.gpt.max_gen_mel_tokens
        sampling = Sampling(
            config.temperature, config.top_k, config.top_p, config.repetition_penalty
        )
        chunks = Chunks(config.first_chunk_tokens, config.chunk_tokens)
        self._decoder: OwnDecoder | StockDecoder
        if config.decoder == "own":
            self._decoder = OwnDecoder(self.model, voice, sampling, chunks)
        else:
            self._decoder = StockDecoder(self.model, voice, self._language, sampling, chunks)
        name = "cpu" if device == "cpu" else f"{device} ({torch.cuda.get_device_name(0)})"
        details: dict[str, str | int | float] = {
            "decoder": config.decoder,
            "precision": config.precision,
            "voice": config.voice,
            "language": self._language,
        }
        self.info = EngineInfo(name, SAMPLE_RATE, details)

    def _warm(self) -> None:
        from voicebot_local.providers.tts.xtts_decode import OwnDecoder

        (text,) = self._cut(prepare("Hello there.", self._language))
        piece = self._piece(text, _WARM_TOKENS)
        self._warm_with(piece)
        decoder = self._decoder
        if isinstance(decoder, OwnDecoder) and self.model.device.type == "cuda":
            decoder.warm()
            recorded = self._config.cuda_graph and decoder.record(piece)
            self.info.details["steps"] = "recorded" if recorded else "one by one"
            self._warm_with(piece)

    def _warm_with(self, piece: Piece) -> None:
        for _ in self._decoder.speak(piece, _unwatched):
            pass

    def _check_language(self) -> str:
        known = self.model.config.languages
        language = self._config.language.lower()
        language = "zh-cn" if language == "zh" else language
        if language not in known:
            raise ConfigError(
                f"This XTTS model does not speak {self._config.language!r}.",
                f"Set `language` to one of {', '.join(known)}.",
            )
        try:
            self.model.tokenizer.encode("a", language)
        except ImportError as error:
            raise ConfigError(
                f"XTTS in {language!r} needs one more package: {error}.",
                f"Install coqui-tts[{language.split('-')[0]}].",
            ) from error
        return language

    def _cut(self, text: str) -> list[str]:
        """`text` in pieces that the model takes; none where there is nothing to say."""
        if not text:
            return []
        tokenizer = self.model.tokenizer
        most_ids: int = self.model.args.gpt_max_text_tokens - 2
        most_chars = tokenizer.char_limits.get(self._language.split("-")[0], 250)

        def fits(piece: str) -> bool:
            ids: list[int] = tokenizer.encode(piece.lower(), self._language)
            return len(ids) <= most_ids

        return pieces(text, most_chars, fits)

    def _piece(self, text: str, limit: int | None = None) -> Piece:
        import torch

        from voicebot_local.providers.tts.xtts_decode import Piece

        text = text.strip().lower()
        tokenizer = self.model.tokenizer
        ids = torch.tensor([tokenizer.encode(text, self._language)])
        spoken = tokenizer.preprocess_text(text, self._language.split("-")[0])
        return Piece(text, ids, limit or most_tokens(spoken, self._limit))


def _with_soft_ends(chunks: Iterator[Samples]) -> Iterator[Samples]:
    """`chunks` with a short rise at the very beginning and a short fall at the very end.

    The end is known only when no chunk follows, so the last `RAMP` samples wait for the next one.
    """
    rise = np.linspace(0.0, 1.0, RAMP, dtype=np.float32)
    waiting = np.zeros(0, np.float32)
    begun = False
    for chunk in chunks:
        joined = np.concatenate([waiting, chunk])
        if not begun and len(joined) >= RAMP:
            joined[:RAMP] *= rise
            begun = True
        ready = max(0, len(joined) - RAMP)
        if begun and ready:
            yield joined[:ready]
            joined = joined[ready:]
        waiting = joined
    if len(waiting) and begun:
        waiting[-RAMP:] *= rise[::-1][-len(waiting) :]
        yield waiting


def _unwatched(kind: str) -> AbstractContextManager[None]:  # noqa: ARG001
    return nullcontext()
