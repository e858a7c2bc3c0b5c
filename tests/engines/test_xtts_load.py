"""XTTS files that are missing, damaged, of the wrong kind, or that carry code."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.make_fixtures.xtts_tiny import TinyShape
from scripts.make_fixtures.xtts_tiny import make_tiny_xtts as make_here
from tests.engines.test_xtts import engine_of, say
from tests.engines.xtts_fixture import tiny_xtts
from voicebot_local.errors import ModelError

__all__ = ["tiny_xtts"]


class Payload:
    """Runs a command when it is unpickled by a reader that trusts it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.fixture
def copy(tiny_xtts: Path, tmp_path: Path) -> Path:
    """A copy of the model that may be damaged."""
    return Path(shutil.copytree(tiny_xtts, tmp_path / "model"))


def refusal(model: Path, **settings: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        engine_of(model, **settings)
    assert caught.value.mend
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth"])
@pytest.mark.parametrize("writer", ["torch.save", "torch.save, old", "pickle"])
def test_code_in_a_file_does_not_run(copy: Path, tmp_path: Path, name: str, writer: str) -> None:
    import torch

    ran = tmp_path / "ran"
    content = {"model": {"weight": Payload(f"touch {ran}")}}
    if writer == "pickle":
        (copy / name).write_bytes(pickle.dumps(content))
    else:
        new = writer == "torch.save"
        torch.save(content, copy / name, _use_new_zipfile_serialization=new)
    error = refusal(copy)
    assert not ran.exists()
    assert name in error.message
    assert "system" in error.message or writer == "pickle"


def test_the_payload_would_run_where_it_is_trusted(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    pickle.loads(pickle.dumps(Payload(f"touch {ran}")))
    assert ran.exists()


@pytest.mark.parametrize("name", ["model.pth", "config.json", "vocab.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    error = refusal(copy)
    assert name in error.message
    assert str(copy) in error.message


def test_without_speakers_a_name_is_of_no_use(copy: Path) -> None:
    (copy / "speakers_xtts.pth").unlink()
    assert "speakers_xtts.pth" in refusal(copy).message


@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth", "config.json", "vocab.json"])
@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_named(copy: Path, name: str, left: float) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: int(len(data) * left)])
    assert name in refusal(copy).message


@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth", "config.json", "vocab.json"])
@pytest.mark.parametrize(
    "junk", [b"\x00" * 4096, b"not a model\n", b"{}", b"[1, 2]", b"RIFF\xff\xfe"]
)
def test_junk_is_named(copy: Path, name: str, junk: bytes) -> None:
    (copy / name).write_bytes(junk)
    assert name in refusal(copy).message


@pytest.mark.parametrize("content", [{}, [], {"model": {}}, {"model": {"a": 1}}, 3])
@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth"])
def test_a_file_that_holds_something_else(copy: Path, name: str, content: Any) -> None:
    import torch

    torch.save(content, copy / name)
    if name == "speakers_xtts.pth" and content == {}:
        return  # no speakers, which is the business of the voice
    assert name in refusal(copy).message


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["model_args"].update(values)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda config: config.update(model="vits"), "'vits'"),
        (lambda config: config.pop("model_args"), "config.json"),
        (lambda config: config.update(languages="en"), "languages"),
        (_set(gpt_layers=3), "model.pth"),
        (_set(gpt_n_model_channels=128, decoder_input_dim=128), "model.pth"),
        (_set(gpt_n_heads=5), "model.pth"),
        (_set(gpt_max_audio_tokens=900), "model.pth"),
        (_set(gpt_layers="two"), "gpt_layers"),
        (_set(gpt_layers=True), "gpt_layers"),
    ],
)
def test_a_configuration_of_another_model(
    copy: Path, change: Callable[[dict[str, Any]], Any], word: str
) -> None:
    config = json.loads((copy / "config.json").read_text())
    change(config)
    (copy / "config.json").write_text(json.dumps(config))
    assert word in refusal(copy).message


def test_paths_and_addresses_in_a_configuration_are_not_followed(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    elsewhere = "https://example.invalid/file.pth"
    config["model_args"] |= {
        "tokenizer_file": elsewhere,
        "gpt_checkpoint": elsewhere,
        "d_vector_file": [elsewhere],
        "speakers_file": elsewhere,
        "speaker_encoder_model_path": elsewhere,
        "use_d_vector_file": True,
        "unknown_key": 1,
    }
    config |= {"use_d_vector_file": True, "d_vector_file": [elsewhere], "future_key": {"a": 1}}
    (copy / "config.json").write_text(json.dumps(config))
    assert len(say(engine_of(copy), "Hello."))


def test_the_original_release_with_its_training_configuration_loads(copy: Path) -> None:
    import torch
    from TTS.config.shared_configs import BaseDatasetConfig
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig

    before = say(engine_of(copy), "Hello.")
    weights = torch.load(copy / "model.pth", weights_only=True)["model"]
    old = {f"xtts.{name}": tensor for name, tensor in weights.items()}
    old["xtts.dvae.codebook"] = old["xtts.gpt.gpt.wte.weight"] = torch.zeros(3)
    config = XttsConfig(model_args=XttsArgs(), audio=XttsAudioConfig())
    config.datasets = [BaseDatasetConfig()]
    torch.save({"model": old, "config": config, "step": 3}, copy / "model.pth")
    written = (copy / "model.pth").read_bytes()
    assert (say(engine_of(copy), "Hello.") == before).all()
    assert (copy / "model.pth").read_bytes() == written, "a model file is not to be changed"


def test_half_precision_weights_are_widened(copy: Path) -> None:
    import torch

    weights = torch.load(copy / "model.pth", weights_only=True)["model"]
    half = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    torch.save({"model": half}, copy / "model.pth")
    model = engine_of(copy).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_loading_changes_no_weight_and_folding_no_sound(tiny_xtts: Path) -> None:
    import torch

    from voicebot_local.providers.tts.xtts_load import _build_decoder, load_model, read_tensors

    model = load_model(tiny_xtts, "cpu")
    weights = read_tensors(tiny_xtts / "model.pth")["model"]
    for name, tensor in model.state_dict().items():
        if name in weights:
            assert torch.equal(tensor, weights[name]), name
    prefix = "hifigan_decoder."
    unfolded = _build_decoder(model.args, weights)
    unfolded.load_state_dict(
        {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    )
    assert len(unfolded.state_dict()) > len(model.hifigan_decoder.state_dict())
    latents, speaker = torch.randn(1, 9, 64), torch.randn(1, 512, 1)
    with torch.inference_mode():
        torch.testing.assert_close(
            model.hifigan_decoder(latents, g=speaker), unfolded.eval()(latents, g=speaker)
        )


def test_a_large_vocabulary_is_loaded(tmp_path: Path) -> None:
    made = make_here(tmp_path / "many", TinyShape(text_tokens=700, speech_tokens=5))
    engine = engine_of(made)
    assert engine.model.gpt.text_embedding.weight.shape[0] == 700
    assert len(say(engine, "Hello."))


def test_the_tiny_model_is_small_and_the_same_each_time(tiny_xtts: Path, tmp_path: Path) -> None:
    made = make_here(tmp_path / "again")
    for path in made.iterdir():
        assert path.read_bytes() == (tiny_xtts / path.name).read_bytes(), path.name
    assert sum(path.stat().st_size for path in made.iterdir()) < 5_000_000
