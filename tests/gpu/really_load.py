"""Loads a GGUF with llama.cpp, with 1,024 tokens of context, and prints what llama.cpp logs of it.

python -m tests.gpu.really_load MODEL
"""

from __future__ import annotations

import os
import sys

import llama_cpp


def main() -> None:
    said: list[str] = []
    callback = llama_cpp.llama_log_callback(lambda _, text, __: said.append(text.decode()))
    llama_cpp.llama_log_set(callback, None)
    about = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(os.fsencode(sys.argv[1]), about)
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = 1024, 128, 128
    params.flash_attn_type = params.n_seq_max = params.n_outputs_max = 1
    llama_cpp.llama_init_from_model(model, params)
    sys.stdout.write("".join(said))
    sys.stdout.flush()
    # The log's callback must not be called while Python is taken apart.
    os._exit(0)


if __name__ == "__main__":
    main()
