"""Greedy decoding of encoder frames into tokens, a chunk at a time, and of tokens into words.

NeMo's own streaming step decodes the whole history again for every chunk (CTC) or copies it
(RNN-T); here a chunk costs the same after an hour as at the start. The result is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from voicebot_local.providers.base import Word

Tensor: TypeAlias = Any
"""A `torch.Tensor`; this module does not import torch by itself."""

_WORD_START = "▁"
"""What SentencePiece puts in front of a piece that begins a word."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its id, the encoder frame that emitted it, and the log of its probability."""

    id: int
    frame: int
    log_probability: float


class Greedy(Protocol):
    """Decodes one utterance: holds what must be known of the frames before."""

    def decode(self, encoded: Tensor) -> list[Token]:
        """The tokens of the next frames; `encoded`: (1, width, frames), frames ≥ 1."""
        ...


class GreedyCtc:
    """The best label of each frame, repetitions and blanks left out."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._blank = decoder.num_classes_with_blank - 1
        self._last = self._blank
        self._frame = 0

    def decode(self, encoded: Tensor) -> list[Token]:
        best = self._decoder(encoder_output=encoded)[0].float().max(dim=-1)
        tokens = []
        for id_, log_probability in _looked_at(best):
            if id_ not in (self._blank, self._last):
                tokens.append(Token(id_, self._frame, log_probability))
            self._last = id_
            self._frame += 1
        return tokens


class GreedyRnnt:
    """The best label of each frame given the labels before, at most `max_symbols` a frame.

    All frames up to the next label are tried at once, so that a chunk costs one look at the
    device for each of its tokens and one more, not one for each of its frames.
    """

    def __init__(self, decoder: Any, joint: Any, max_symbols: int) -> None:
        self._decoder = decoder
        self._joint = joint
        self._max_symbols = max_symbols
        self._blank = joint.num_classes_with_blank - 1
        self._frame = 0
        self._predicted, self._state = self._predict(None, None)

    def decode(self, encoded: Tensor) -> list[Token]:
        projected = self._joint.project_encoder(encoded.transpose(1, 2))
        count, at, symbols = projected.shape[1], 0, 0
        tokens: list[Token] = []
        while at < count:
            scores = self._joint.joint_after_projection(projected[:, at:], self._predicted)
            best = scores[0, :, 0].float().log_softmax(-1).max(dim=-1)
            emitted = (
                (skipped, id_, log_probability)
                for skipped, (id_, log_probability) in enumerate(_looked_at(best))
                if id_ != self._blank
            )
            if (found := next(emitted, None)) is None:
                break
            skipped, id_, log_probability = found
            symbols = 1 if skipped else symbols + 1
            at += skipped
            tokens.append(Token(id_, self._frame + at, log_probability))
            # The label goes on as it is on the device; a copy of it to there would wait for it.
            label = best.indices[skipped : skipped + 1][None]
            self._predicted, self._state = self._predict(label, self._state)
            if symbols >= self._max_symbols:
                at, symbols = at + 1, 0
        self._frame += count
        return tokens

    def _predict(self, label: Tensor | None, state: Any) -> tuple[Tensor, Any]:
        predicted, state = self._decoder.predict(label, state, add_sos=False, batch_size=1)
        return self._joint.project_prednet(predicted), state


def _looked_at(best: Any) -> Iterator[tuple[int, float]]:
    """The label and the log of the probability of each frame; waits for the device once.

    `best`: `values`, float32, and `indices`, which float32 holds exactly up to 16 million.
    """
    import torch

    labels, log_probabilities = torch.stack((best.indices.float(), best.values)).tolist()
    return zip(map(int, labels), log_probabilities, strict=True)


class Spelling:
    """Spells the tokens of one utterance as words, text and a confidence.

    `piece` gives a token as SentencePiece writes it, `text` the text of several. Only the word
    that is still growing is kept as tokens, so that a token costs the same after an hour.
    """

    def __init__(self, piece: Callable[[int], str], text: Callable[[list[int]], str]) -> None:
        self._piece = piece
        self._text = text
        self._before = ""
        """The text of `_finished`, and the space after it."""
        self._finished: list[tuple[str, int, int]] = []
        """Words, each with the frame of its first and its last token."""
        self._growing: list[Token] = []
        self._log_probability = 0.0
        self._count = 0

    def add(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if self._growing and self._piece(token.id).startswith(_WORD_START):
                self._finish_word()
            self._growing.append(token)
            self._log_probability += token.log_probability
            self._count += 1

    @property
    def text(self) -> str:
        """All that was said."""
        return (self._before + self._grown()).strip()

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities, 0..1; None where there are none."""
        if not self._count:
            return None
        return min(1.0, math.exp(self._log_probability / self._count))

    def words(self, frame_s: float, length_s: float) -> tuple[Word, ...]:
        """All words, each from its first token's frame to its last one's end.

        Frames last `frame_s` seconds and the audio `length_s`. A recognizer emits a token when
        it is sure of it, so times may be late by a few frames, hardly ever early.
        """
        self._finish_word()
        return tuple(
            Word(word, min(first * frame_s, length_s), min((last + 1) * frame_s, length_s))
            for word, first, last in self._finished
        )

    def _grown(self) -> str:
        return self._text([token.id for token in self._growing]).strip() if self._growing else ""

    def _finish_word(self) -> None:
        if word := self._grown():
            self._finished.append((word, self._growing[0].frame, self._growing[-1].frame))
            self._before += word + " "
        self._growing = []
