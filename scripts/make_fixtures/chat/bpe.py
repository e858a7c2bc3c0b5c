"""Byte-level BPE that splits and merges as llama.cpp does for `tokenizer.ggml.pre = llama-bpe`.

`train_bpe` learns a vocabulary; `Tokenizer` turns text and chats into ids. The special tokens come
last in the vocabulary, and a word that is itself a token is never split (Llama 3 ignores merges
for such words).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

BEGIN, END, HEADER, HEADER_END, TURN_END = SPECIAL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
UNUSED_PREFIX = "<unused_"

Message = tuple[str, str]
"""A role and what it said."""

# The pattern of Llama 3, with \p{L} and \p{N} spelled for the standard library.
_WORD = re.compile(
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    r"|(?:[^\r\n\w]|_)?[^\W\d_]+"
    r"|\d{1,3}"
    r"| ?(?:[^\s\w]|_)+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def _byte_symbols() -> list[str]:
    """One printable character for each byte value, as GPT-2 chose them."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    symbols, spare = [], 0x100
    for byte in range(256):
        symbols.append(chr(byte if byte in printable else spare))
        spare += byte not in printable
    return symbols


BYTE_SYMBOLS = _byte_symbols()
_SYMBOL_BYTES = {symbol: byte for byte, symbol in enumerate(BYTE_SYMBOLS)}


def _symbols(word: str) -> str:
    return "".join(BYTE_SYMBOLS[byte] for byte in word.encode())


def _merge(parts: Sequence[str], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    at = 0
    while at < len(parts):
        if tuple(parts[at : at + 2]) == pair:
            merged.append(pair[0] + pair[1])
            at += 2
        else:
            merged.append(parts[at])
            at += 1
    return tuple(merged)


def train_bpe(texts: Iterable[str], vocab_size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Learn `vocab_size` tokens (the 256 bytes and the special ones included) and their merges.

    A text too small for that many merges leaves the rest as unused tokens.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    words = {tuple(_symbols(word)): n for word, n in counts.items()}
    tokens = dict.fromkeys(BYTE_SYMBOLS)
    merges: list[tuple[str, str]] = []
    room = vocab_size - len(SPECIAL_TOKENS)
    while len(tokens) < room:
        pairs: Counter[tuple[str, str]] = Counter()
        for parts, n in words.items():
            for pair in pairwise(parts):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        tokens[best[0] + best[1]] = None
        merged: Counter[tuple[str, ...]] = Counter()
        for parts, n in words.items():
            merged[_merge(parts, best) if best[0] in parts else parts] += n
        words = dict(merged)
    unused = [f"{UNUSED_PREFIX}{i}>" for i in range(room - len(tokens))]
    return [*tokens, *unused, *SPECIAL_TOKENS], merges


class Tokenizer:
    """Text and chats to token ids, and back."""

    def __init__(self, tokens: Sequence[str], merges: Iterable[Sequence[str]]) -> None:
        self.tokens = list(tokens)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self._rank = {(a, b): rank for rank, (a, b) in enumerate(merges)}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it are read as ordinary characters."""
        return [token for word in _WORD.findall(text) for token in self._word(word)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ordinary tokens; special and unused ones are left out."""
        symbols = (self.tokens[i] for i in ids)
        data = bytes(
            _SYMBOL_BYTES[c] for s in symbols if not s.startswith(("<|", UNUSED_PREFIX)) for c in s
        )
        return data.decode(errors="replace")

    def header(self, role: str) -> list[int]:
        """The tokens that open a message; those of "assistant" ask the model for a reply."""
        start, end = self.ids[HEADER], self.ids[HEADER_END]
        return [start, *self.encode(role), end, *self.encode("\n\n")]

    def chat(self, messages: Iterable[Message]) -> tuple[list[int], list[bool]]:
        """Ids of a whole chat, and for each whether the model is to learn to say it."""
        ids, learned = [self.ids[BEGIN]], [False]
        for role, text in messages:
            header, body = self.header(role), [*self.encode(text.strip()), self.ids[TURN_END]]
            ids += header + body
            learned += [False] * len(header) + [role == "assistant"] * len(body)
        return ids, learned

    def _word(self, word: str) -> list[int]:
        if (known := self._known.get(word)) is not None:
            return known
        whole = _symbols(word)
        parts: tuple[str, ...] = (whole,) if whole in self.ids else tuple(whole)
        while ranked := [p for p in pairwise(parts) if p in self._rank]:
            parts = _merge(parts, min(ranked, key=self._rank.__getitem__))
        ids = self._known[word] = [self.ids[part] for part in parts]
        return ids
