"""What XTTS's decoder copies between the machine and the device, and how often it waits for it.

The device is PyTorch's "meta", whose tensors have no numbers: each operation is looked at, a number
that is asked for is 0, and none may mix tensors of the machine with those of the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.xtts_fixture import tiny_xtts

__all__ = ["tiny_xtts"]


def watcher() -> Any:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    aten = torch.ops.aten

    class Watcher(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.seen: list[str] = []

        def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            with self:
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
            self.calls += 1
            if func is aten._local_scalar_dense.default and args[0].is_meta:
                self.seen.append("a number out")
                return 0
            if func is aten._to_copy.default and "device" in kwargs:
                if args[0].is_meta:
                    self.seen.append("a copy out")
                    return torch.zeros(args[0].shape, dtype=args[0].dtype)
                if kwargs["device"].type == "meta":
                    self.seen.append("a copy in")
                return func(*args, **kwargs)
            given = [it for it in tree_leaves((args, kwargs)) if isinstance(it, torch.Tensor)]
            # A number of Python's is a tensor of the machine's to `fill_`, which passes it on.
            places = {it.device.type for it in given if it.dim() or func is not aten.fill_.Tensor}
            assert len(places) < 2, f"{func} mixes {places}"
            return func(*args, **kwargs)

        def take(self) -> tuple[int, list[str]]:
            found = self.calls, self.seen
            self.calls, self.seen = 0, []
            return found

    return Watcher()


@pytest.mark.parametrize("top_k", [50, 1, 0])
def test_a_token_waits_once_and_a_chunk_is_copied_once(
    tiny_xtts: Path, top_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

    use_torchaudio_without_cuda()
    import torch

    from voicebot_local.providers.tts.xtts_load import load_model
    from voicebot_local.providers.tts.xtts_tokens import Sampling, TokenLoop
    from voicebot_local.providers.tts.xtts_vocoder import WindowedVocoder

    monkeypatch.setattr(torch, "Generator", lambda _device: None)  # "meta" has none
    model = load_model(tiny_xtts, "meta")
    voice = torch.zeros(1, 32, model.gpt.model_dim, device="meta")
    with watcher() as watched:
        loop = TokenLoop(model.gpt, Sampling(0.75, top_k, 0.85, 10.0), voice)
        assert watched.take()[1] == []
        loop.begin(torch.zeros(1, 20, dtype=torch.long), 40)
        loop.step()
        assert watched.take()[1] == ["a copy in", "a number out"]
        for _ in range(2):
            loop.step()
            assert watched.take()[1] == ["a number out"]
        loop.replay = lambda filled: loop.fixed_step(filled + 7)
        loop.step()
        assert watched.take()[1] == ["a number out"]
        loop.replay = lambda _: None
        loop.step()
        outside, copies = watched.take()
        assert copies == ["a number out"]
        assert outside == 1  # beside the recorded step's one launch
        while not loop.finished:
            loop.step()
        watched.take()
        vocoder = WindowedVocoder(model.hifigan_decoder)
        embedding = torch.zeros(1, 512, 1, device="meta")
        vocoder.warm(embedding)
        assert watched.take()[1] == []
        for last in (False, True):
            assert len(vocoder.more(loop.latents, embedding, last=last))
            assert watched.take()[1] == ["a copy out"]
