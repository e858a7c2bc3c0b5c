"""pocketsphinx as a recognizer: small, quick on one core, its English acoustic model in its wheel.

It is as good as its language model, which here mixes what the starter assistant can talk about
with general English. Two things it needs are done here: the cepstral mean that it subtracts is
learnt from the speaker (see `cepstral_mean`), and noise that it takes for a word is dropped.
"""

from __future__ import annotations

import gzip
import math
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from voicebot_local.errors import ModelError
from voicebot_local.paths import model_path
from voicebot_local.providers.asr.cepstral_mean import CepstralMean
from voicebot_local.providers.base import (
    RECOGNIZER_RATE,
    EngineInfo,
    ProviderConfig,
    Samples,
    Steps,
    Transcript,
    Word,
)

CHUNK = RECOGNIZER_RATE // 10
"""Samples given to the decoder at once, which is also how often a partial may come."""
_FRAMES_PER_S = 100
_QUIET_FRAMES = 50
_SURE = 0.6
_HISS = 10 ** (-38 / 20)
"""How loud the hiss is that is laid under the speech, against its loudest 100 ms."""
_ONE_WORD_SENTENCE = re.compile(r"\s<s> (\S+) </s>\s*$", re.MULTILINE)


class PocketsphinxConfig(ProviderConfig):
    """Configuration of the pocketsphinx recognizer. Relative paths count from models/."""

    provider: Literal["pocketsphinx"] = "pocketsphinx"
    language_model: Path = Field(
        Path("starter/asr.lm.gz"),
        description="An n-gram language model: ARPA text, the same gzipped (.gz), or .lm.bin.",
    )
    dictionary: Path = Field(
        Path("starter/asr.dict"),
        description="The pronunciation of every word of the language model.",
    )
    language_weight: float = Field(
        6.5, ge=1, le=20, description="How much the language model counts against the sound."
    )
    min_confidence: float = Field(
        0.01, ge=0, le=1, description="Below this confidence an utterance counts as not understood."
    )
    segment_s: float = Field(
        20.0,
        ge=5,
        le=60,
        description="A longer utterance is decoded in parts, cut at pauses; in seconds.",
    )


class PocketsphinxEngine:
    """Listens with pocketsphinx in this process. Blocking; one call at a time.

    A partial transcript comes for every 100 ms of audio that change it, then exactly one final one
    with word times and a confidence. Each 100 ms of audio are one "chunk" step, so a cancelled
    call ends within one; the engine can then be used again. Memory does not grow with the length
    of an utterance, its text aside.
    """

    def __init__(self, config: PocketsphinxConfig) -> None:
        """Raises ModelError where a file is missing or not what it should be."""
        self._config = config
        self._decoder, self._alone = _load(config)
        self._mean = CepstralMean()
        self.info = EngineInfo("cpu", details={"language_model": config.language_model.name})

    def transcribe(self, audio: Iterator[Samples], steps: Steps) -> Iterator[Transcript]:
        """Transcribe one utterance of 16 kHz audio; the end of `audio` is its end.

        The final text is empty where nothing was said or nothing was understood.
        """
        utterance = _Utterance(self._decoder, self._mean, self._config, self._alone, steps)
        shown = ""
        try:
            for chunk in _chunks(audio):
                text = utterance.hear(chunk)
                if text != shown:
                    shown = text
                    yield Transcript(text, is_final=False)
            yield utterance.finish()
        finally:
            utterance.close()


class _Utterance:
    """One utterance on its way through the decoder, as one part or several."""

    def __init__(
        self,
        decoder: Any,
        mean: CepstralMean,
        config: PocketsphinxConfig,
        alone: frozenset[str],
        steps: Steps,
    ) -> None:
        self._decoder = decoder
        self._mean = mean
        self._config = config
        self._alone = alone
        self._steps = steps
        self._open = False
        self._words: list[Word] = []
        self._log_confidence = 0.0
        self._offset_s = 0.0
        self._part: list[bytes] = []
        """The audio so far, until it is decoded again."""
        self._part_frames = 0
        self._repeated = False
        self._loudest = 0.0
        # Always the same hiss: the same audio gives the same text.
        self._random = np.random.default_rng(0)

    def hear(self, chunk: Samples) -> str:
        """Decode 100 ms or less; returns the text of the utterance so far."""
        data = (np.clip(self._with_hiss(chunk), -1, 1) * 32767).astype("<i2").tobytes()
        if not self._open:
            self._start()
        self._decode(data)
        self._part_frames += len(chunk) * _FRAMES_PER_S // RECOGNIZER_RATE
        if not self._repeated:
            self._part.append(data)
            if self._part_frames >= CepstralMean.ENOUGH_FRAMES:
                self._repeat()
        text, said_until = self._hypothesis()
        if self._part_frames > self._config.segment_s * _FRAMES_PER_S and (
            self._part_frames - said_until > _QUIET_FRAMES
            or self._part_frames > 2 * self._config.segment_s * _FRAMES_PER_S
        ):
            self._end_part()
            text = ""
        return " ".join([*(w.text for w in self._words), *text.split()])

    def _with_hiss(self, chunk: Samples) -> Samples:
        """The audio over a faint hiss. Telephone and synthesized speech have bands without any
        sound, which the acoustic model has never met: half of the words are lost to them."""
        self._loudest = max(self._loudest, float(np.sqrt(np.mean(chunk**2))))
        hiss = self._random.standard_normal(len(chunk), np.float32)
        return chunk + hiss * np.float32(self._loudest * _HISS)

    def finish(self) -> Transcript:
        """The final transcript."""
        if self._open:
            self._end_part()
        words = tuple(self._words)
        spoken_s = sum(w.end_s - w.start_s for w in words)
        confidence = math.exp(self._log_confidence / spoken_s) if words else 0.0
        if self._is_noise(words, confidence):
            self._mean.forget()
            return Transcript("", is_final=True, confidence=confidence)
        self._mean.keep()
        return Transcript(" ".join(w.text for w in words), True, words, confidence)

    def close(self) -> None:
        """Leave the decoder ready for another utterance."""
        if self._open:
            self._open = False
            self._decoder.end_utt()
            self._mean.forget()

    def _start(self) -> None:
        self._decoder.set_cmn(self._mean.text())
        self._decoder.start_utt()
        self._open = True

    def _decode(self, data: bytes) -> None:
        with self._steps("chunk"):
            self._decoder.process_raw(data, False, False)

    def _repeat(self) -> None:
        """Decode this part again from its beginning, with its own cepstral mean."""
        self._mean.measure(self._decoder)
        self._decoder.end_utt()
        self._start()
        for data in self._part:
            self._decode(data)
        self._part.clear()
        self._repeated = True

    def _end_part(self) -> None:
        with self._steps("chunk"):
            self._decoder.end_utt()
        self._open = False
        # The posterior of a word is known only now, after the search over the whole part.
        for segment in self._decoder.seg() or ():
            if (text := _spoken(segment.word)) is None:
                continue
            start_s = self._offset_s + segment.start_frame / _FRAMES_PER_S
            end_s = self._offset_s + (segment.end_frame + 1) / _FRAMES_PER_S
            self._words.append(Word(text, start_s, end_s))
            self._log_confidence += (end_s - start_s) * math.log(max(segment.prob, 1e-6))
        self._offset_s += self._part_frames / _FRAMES_PER_S
        self._part_frames = 0

    def _hypothesis(self) -> tuple[str, int]:
        """The words of this part so far, and the frame at which the last of them ends."""
        words: list[str] = []
        until = 0
        for segment in self._decoder.seg() or ():
            if (text := _spoken(segment.word)) is not None:
                words.append(text)
                until = segment.end_frame + 1
        return " ".join(words), until

    def _is_noise(self, words: tuple[Word, ...], confidence: float) -> bool:
        """A cough or a hiss is heard as one short word, alone or repeated: such a word must be a
        sentence that the assistant is told ("stop"), or be sure."""
        said = {w.text for w in words}
        if len(words) == 1 and said <= self._alone:
            return False
        return confidence < (_SURE if len(said) < 2 else self._config.min_confidence)


def _spoken(word: str) -> str | None:
    """The word without the number of its pronunciation; None for silence and noise."""
    return None if word.startswith(("<", "[", "+")) else word.partition("(")[0]


def _chunks(audio: Iterator[Samples]) -> Iterator[Samples]:
    """The same audio in blocks of CHUNK samples; the last may be shorter, and is never empty."""
    waiting = np.zeros(0, np.float32)
    for block in audio:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= CHUNK:
            yield waiting[:CHUNK]
            waiting = waiting[CHUNK:]
    if len(waiting):
        yield waiting


def _load(config: PocketsphinxConfig) -> tuple[Any, frozenset[str]]:
    """A decoder, and the words that are a sentence of their own in its language model."""
    import pocketsphinx

    model, dictionary = model_path(config.language_model), model_path(config.dictionary)
    for what, path in (("language model", model), ("dictionary", dictionary)):
        if not path.is_file():
            raise ModelError(
                f"The recognizer's {what} {path} is missing.",
                "Correct the path in the configuration; a checkout has it in models/starter.",
            )
    with tempfile.TemporaryDirectory(prefix="voicebot-local-") as folder:
        plain = model
        alone: list[str] = []
        if model.suffix == ".gz":
            plain = Path(folder) / model.stem
            try:
                content = gzip.decompress(model.read_bytes())
            except (OSError, EOFError, zlib.error) as error:
                raise ModelError(
                    f"The language model {model} is damaged: {error}.", "Get the file again."
                ) from error
            plain.write_bytes(content)
            alone = _ONE_WORD_SENTENCE.findall(content.decode("utf-8", "replace"))
        try:
            # fwdflat is a second search after the utterance's end: it takes 60 ms there for one
            # percent of the words. fillprob lets the noise models of the wheel compete with words.
            decoder = pocketsphinx.Decoder(
                lm=str(plain),
                dict=str(dictionary),
                samprate=RECOGNIZER_RATE,
                lw=config.language_weight,
                maxhmmpf=5000,
                fwdflat=False,
                fillprob=1e-4,
                loglevel="FATAL",
            )
            return decoder, frozenset(alone)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"pocketsphinx cannot use {model} with {dictionary}: {error}.",
                "They must be an ARPA language model and the pronunciations of its words.",
            ) from error
