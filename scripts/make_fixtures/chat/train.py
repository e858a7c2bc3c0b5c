"""Trains the starter chat model from scratch and writes it as a GGUF file.

    OMP_WAIT_POLICY=passive python -m scripts.make_fixtures.chat.train models/starter/chat.gguf

Needs torch, numpy and gguf; two processor cores are enough.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.make_fixtures.chat.bpe import BEGIN, TURN_END, Tokenizer, train_bpe
from scripts.make_fixtures.chat.corpus import load_corpus
from scripts.make_fixtures.chat.gguf_file import Shape, write_gguf
from scripts.make_fixtures.chat.model import Llama
from scripts.make_fixtures.chat.talk import Talk, Talker

NAME = "voicebot-local starter chat"
METADATA = {
    "author": "the voicebot-local authors",
    "license": "Apache-2.0",
    "description": "A tiny closed-set chat model, trained from scratch on a corpus of its own.",
}
SHAPE = Shape(dim=256, layers=5, heads=4, kv_heads=2, ffn=768)
VOCAB = 1536
POOL = 768
WARM_UP = 60

Example = tuple[list[int], list[bool]]
Batch = tuple[Tensor, Tensor]


def encode(talk: Talk, tokenizer: Tokenizer) -> Example:
    """Token ids, and which of them the model is to learn to say.

    An answer that was cut off is in the history as it was heard, and is not learned.
    """
    end = tokenizer.ids[TURN_END]
    ids, learned = [tokenizer.ids[BEGIN]], [False]

    def add(role: str, text: str, *, learn: bool = False) -> None:
        header, body = tokenizer.header(role), [*tokenizer.encode(text), end]
        ids.extend(header + body)
        learned.extend([False] * len(header) + [learn] * len(body))

    if talk.system:
        add("system", talk.system)
    for turn in talk.turns:
        add("user", turn.question)
        add("assistant", turn.heard, learn=turn.heard == turn.answer)
    return ids, learned


def batches(
    talker: Talker, tokenizer: Tokenizer, rng: random.Random, tokens: int
) -> Iterator[Batch]:
    """Endless batches of about `tokens` tokens, of conversations of similar length."""
    while True:
        pool = [encode(talker.make(rng), tokenizer) for _ in range(POOL)]
        pool = sorted((e for e in pool if any(e[1])), key=lambda example: len(example[0]))
        groups: list[list[Example]] = [[]]
        for example in pool:
            if len(example[0]) * (len(groups[-1]) + 1) > tokens:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        yield from (pad(group) for group in groups if group)


def pad(group: list[Example]) -> Batch:
    length = max(len(ids) for ids, _ in group)
    ids = torch.zeros(len(group), length, dtype=torch.long)
    learned = torch.zeros(len(group), length, dtype=torch.bool)
    for row, (row_ids, row_learned) in enumerate(group):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        learned[row, : len(row_ids)] = torch.tensor(row_learned)
    return ids, learned


def make_tokenizer(talker: Talker, seed: int) -> tuple[list[str], list[tuple[str, str]]]:
    """A vocabulary learned from made-up conversations."""
    rng = random.Random(seed)
    texts = ["system", "user", "assistant", "\n\n", *talker.corpus.speech.systems] * 50
    for _ in range(6000):
        talk = talker.make(rng)
        texts += [text for turn in talk.turns for text in (turn.question, turn.answer)]
    return train_bpe(texts, VOCAB)


def optimizers(model: Llama, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the embedding and the norms."""
    inside = [p for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("blk")]
    others = [p for n, p in model.named_parameters() if p.ndim < 2 or not n.startswith("blk")]
    return [
        torch.optim.Muon(inside, lr=rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def train(model: Llama, source: Iterator[Batch], options: argparse.Namespace) -> None:
    """Warm up, then let the learning rate fall along a cosine to a twentieth.

    A limit of minutes bends the cosine, so that training always ends with a low rate.
    """
    used = optimizers(model, options.rate)
    body = torch.compile(model, dynamic=True) if options.compile else model
    started, seen, smooth = time.monotonic(), 0, 0.0
    for step in range(options.steps):
        ids, learned = next(source)
        spent = time.monotonic() - started
        done = max(step / options.steps, spent / 60 / options.minutes)
        if done >= 1:
            break
        fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))
        for group in (group for optimizer in used for group in optimizer.param_groups):
            group["lr"] = options.rate * min(1, (step + 1) / WARM_UP) * fall
        wanted = learned[:, 1:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.logits(body(ids[:, :-1])[wanted])
        loss = functional.cross_entropy(logits.float(), ids[:, 1:][wanted])
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in used:
            optimizer.step()
        seen += ids.numel()
        smooth = loss.item() if step == 0 else 0.95 * smooth + 0.05 * loss.item()
        if step % 50 == 49:
            spent = time.monotonic() - started
            print(
                f"step {step + 1} loss {smooth:.4f} {seen / 1e6:.2f} million tokens, {spent:.0f} s",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--tokens", type=int, default=2048, help="tokens in a batch")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument(
        "--compile", action="store_true", help="use torch.compile (wants a C++ compiler)"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    talker = Talker(load_corpus())
    tokens, merges = make_tokenizer(talker, options.seed)
    tokenizer = Tokenizer(tokens, merges)
    model = Llama(SHAPE, len(tokens))
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters", flush=True)
    source = batches(talker, tokenizer, random.Random(options.seed), options.tokens)
    train(model, source, options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(options.out, NAME, tokens, merges, SHAPE, model.tensors(), "q8_0", metadata=METADATA)
    print(
        f"{options.out}: {options.out.stat().st_size} bytes, {time.process_time():.0f} CPU seconds"
    )


if __name__ == "__main__":
    main()
