"""Writes a tiny chat model with random weights, for tests that need a model but no sense.

    python -m scripts.make_fixtures.tiny_gguf OUT --dim 256 --layers 4 --type q8_0

Needs numpy and gguf; llama_cpp only for types that gguf cannot write itself (the K-quants).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from scripts.make_fixtures.chat.bpe import train_bpe
from scripts.make_fixtures.chat.gguf_file import (
    DIRECT_TYPES,
    Shape,
    quantize,
    random_tensors,
    write_gguf,
)

NAME = "random weights, for tests only"
TEXT = (
    "system user assistant\n\nYou are a helpful voice assistant. Keep answers short and speak in "
    "plain sentences. Hello! What can I do for you today? I am a test model and I know nothing, "
    "but I can talk. What is the weather like? Please tell me a story about a café by the sea. "
)


def write_tiny_gguf(
    path: str | Path,
    shape: Shape | None = None,
    *,
    ftype: str = "f16",
    vocab: int = 768,
    seed: int = 0,
) -> None:
    """Write a model of `shape` with `vocab` tokens; the same file for the same arguments."""
    shape = shape or Shape()
    tokens, merges = train_bpe([TEXT], vocab)
    tensors = random_tensors(shape, len(tokens), seed)
    if ftype in DIRECT_TYPES:
        write_gguf(path, NAME, tokens, merges, shape, tensors, ftype)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "f16.gguf"
        write_gguf(source, NAME, tokens, merges, shape, tensors, "f16")
        quantize(source, path, ftype)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--ffn", type=int, help="default: three times --dim")
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--vocab", type=int, default=768)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--type", default="f16", help="f32, f16, q8_0, or a K-quant such as q4_k_m")
    options = parser.parse_args()
    shape = Shape(
        dim=options.dim,
        layers=options.layers,
        heads=options.heads,
        kv_heads=options.kv_heads,
        ffn=options.ffn or 3 * options.dim,
        context=options.context,
    )
    write_tiny_gguf(options.out, shape, ftype=options.type, vocab=options.vocab, seed=options.seed)
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
