"""What llama.cpp says on the GPU and on the processor, in a process of its own, as JSON.

    python -m tests.engines.cuda_llama_child [--gpu-is cuda]

With --gpu-is it fails where the engine that may use a GPU is not on such a device, or where the
processor says nothing.

llama.cpp and the voice activity detector do not live in one process.
"""

from __future__ import annotations

import argparse
import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from voicebot_local.paths import CHECKOUT
from voicebot_local.providers.base import Message
from voicebot_local.providers.llm.llama_cpp import LlamaCppConfig, LlamaCppEngine

QUESTIONS = ("hello", "what can you do", "tell me a joke")


def free(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def talk(gpu_layers: int, *, parks: bool = False) -> dict[str, Any]:
    """Greedy replies of a conversation, parked and brought back before each where it `parks`."""
    engine = LlamaCppEngine(
        LlamaCppConfig(
            model=CHECKOUT / "models" / "starter" / "chat.gguf",
            gpu_layers=gpu_layers,
            temperature=0,
            context_tokens=1024,
        )
    )
    messages: list[Message] = []
    replies: list[str] = []
    for question in QUESTIONS:
        if parks:
            engine.park(free)
            engine.unpark(free)
        messages.append(Message("user", question))
        engine.prefill(messages, free)
        replies.append("".join(delta.text for delta in engine.reply(messages, free)))
        messages.append(Message("assistant", replies[-1]))
    device = engine.info.device
    engine.close()
    return {"device": device, "replies": replies}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpu-is", choices=("cuda", "cpu"))
    wanted = parser.parse_args().gpu_is
    found = {"cpu": talk(0), "gpu": talk(-1), "half": talk(2), "parked": talk(-1, parks=True)}
    print(json.dumps(found))
    if wanted and not (
        str(found["gpu"]["device"]).startswith(wanted) and all(found["cpu"]["replies"])
    ):
        raise SystemExit(f"on the GPU it is {found['gpu']['device']}")


if __name__ == "__main__":
    main()
