"""Loads an XTTS v2 directory, checked, and without running anything that a file may carry.

Files are read as tensors and plain data only. Nothing is fetched: of config.json only sizes and
defaults are used, never the paths and addresses that it may name.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from TTS.encoder.models.resnet import ResNetSpeakerEncoder
from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig
from TTS.tts.layers.xtts.gpt import GPT
from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder
from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
from TTS.tts.models.xtts import Xtts

from voicebot_local.errors import ModelError

MEND = "Get it anew: `voicebot-local models download --again xtts-v2`."
CONDITIONING_KEYS = ("gpt_cond_len", "gpt_cond_chunk_len", "max_ref_len", "sound_norm_refs")

_SIZES = re.compile(r"(gpt_(?!checkpoint)|input_|output_|decoder_input|d_vector|cond_d_vector)")
_TRAINING_ONLY = ("torch_mel_spectrogram_style_encoder.", "torch_mel_spectrogram_dvae.", "dvae.")
_DUPLICATES = ("gpt.gpt_inference.", "gpt.gpt.wte.")


class _Ignored:
    """Stands in for the training configuration inside the checkpoint of the original release."""


_IGNORED = [
    (_Ignored, f"TTS.{place}")
    for place in (
        "config.shared_configs.BaseDatasetConfig",
        "tts.configs.xtts_config.XttsArgs",
        "tts.configs.xtts_config.XttsAudioConfig",
        "tts.configs.xtts_config.XttsConfig",
        "tts.models.xtts.XttsArgs",
        "tts.models.xtts.XttsAudioConfig",
    )
]


class _EmptyXtts(Xtts):  # type: ignore[misc]
    """An Xtts whose parts are put in afterwards, in the sizes that the checkpoint has."""

    def init_models(self) -> None:
        return


def load_model(directory: Path, device: str, precision: str = "float32") -> Any:
    """The model in `directory`, in eval mode on `device`; an instance of `Xtts`.

    The blocks of its GPT are in `precision` ("float32", "float16" or "bfloat16"), the rest is
    float32: halved before it is moved, or the device would have to hold both. Its
    vocoder has the weight norm folded in. Raises ModelError.
    """
    if not directory.is_dir():
        raise ModelError(f"There is no XTTS model directory {directory}.", MEND)
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    config = read_config(directory / "config.json")
    tokenizer = _read_tokenizer(directory / "vocab.json")
    path = directory / "model.pth"
    weights = _model_weights(read_tensors(path, mapped=device != "cpu"), path)
    try:
        model = _build(config, tokenizer, weights)
        model.load_state_dict(weights, strict=True, assign=True)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not fit {directory / 'config.json'}: {_first_line(error)}.", MEND
        ) from error
    model.float().requires_grad_(False)
    model.eval()  # sets up what `inference` needs, too; returns nothing
    fold_weight_norm(model.hifigan_decoder.waveform_decoder)
    model.gpt.gpt.h.to(getattr(torch, precision))
    return model.to(device)


def read_config(path: Path) -> Any:
    """The sizes and defaults in config.json. Raises ModelError."""
    _need(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        kind, sizes = data.get("model"), data.get("model_args")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a model configuration: {error}.", MEND) from error
    if kind != "xtts" or not isinstance(sizes, dict):
        raise ModelError(f"{path} describes a model of kind {kind!r}, not 'xtts'.", MEND)
    config = XttsConfig(model_args=XttsArgs(), audio=XttsAudioConfig())
    for key, value in sizes.items():
        if _SIZES.match(key) and hasattr(config.model_args, key):
            _set_number(config.model_args, key, value, path)
    for key in CONDITIONING_KEYS:
        if key in data:
            _set_number(config, key, data[key], path)
    languages = data.get("languages", config.languages)
    if not isinstance(languages, list) or not all(isinstance(name, str) for name in languages):
        raise ModelError(f"{path}: 'languages' is not a list of names.", MEND)
    config.languages = languages
    return config


def read_tensors(path: Path, *, mapped: bool = False) -> Any:
    """What `torch.save` wrote to `path`: tensors and plain data. Raises ModelError.

    Anything that would have to run code to be read is refused. `mapped`: the tensors are read from
    the file when they are used, which saves memory where they are copied to a GPU anyway.
    """
    _need(path)
    try:
        with torch.serialization.safe_globals(_IGNORED):
            return torch.load(
                path,
                map_location="cpu",
                weights_only=True,
                mmap=mapped and zipfile.is_zipfile(path),
            )
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL ([\w.]+)", str(error))
        if culprit:
            raise ModelError(
                f"{path} was refused: to be read it would have to run {culprit[1]}, and a model "
                "file has no need to run anything.",
                MEND,
            ) from error
        raise ModelError(f"{path} is damaged or not a PyTorch file.", MEND) from error
    except Exception as error:  # on junk the reader of pickles fails in any way at all
        raise ModelError(
            f"{path} is damaged or not a PyTorch file: {_first_line(error)}.", MEND
        ) from error


def fold_weight_norm(vocoder: Any) -> None:
    """Turn each normed weight into a plain one, so that it is not computed again on every run."""
    for layer in vocoder.modules():
        if is_parametrized(layer, "weight"):
            remove_parametrizations(layer, "weight")


def _build(config: Any, tokenizer: Any, weights: dict[str, Any]) -> Any:
    args = config.model_args
    args.gpt_number_text_tokens = tokenizer.get_number_tokens()
    args.gpt_start_text_token = tokenizer.tokenizer.token_to_id("[START]")
    args.gpt_stop_text_token = tokenizer.tokenizer.token_to_id("[STOP]")
    model = _EmptyXtts(config)
    model.tokenizer = tokenizer
    with torch.device("meta"):  # its weights are all assigned; filling 440M numbers takes seconds
        model.gpt = GPT(
            layers=args.gpt_layers,
            model_dim=args.gpt_n_model_channels,
            start_text_token=args.gpt_start_text_token,
            stop_text_token=args.gpt_stop_text_token,
            heads=args.gpt_n_heads,
            max_text_tokens=args.gpt_max_text_tokens,
            max_mel_tokens=args.gpt_max_audio_tokens,
            max_prompt_tokens=args.gpt_max_prompt_tokens,
            number_text_tokens=args.gpt_number_text_tokens,
            num_audio_tokens=args.gpt_num_audio_tokens,
            start_audio_token=args.gpt_start_audio_token,
            stop_audio_token=args.gpt_stop_audio_token,
            use_perceiver_resampler=args.gpt_use_perceiver_resampler,
            code_stride_len=args.gpt_code_stride_len,
        )
    model.hifigan_decoder = _build_decoder(args, weights)
    return model


def _build_decoder(args: Any, weights: dict[str, Any]) -> Any:
    """Vocoder and speaker encoder; config.json does not say how wide they are, the weights do."""
    vocoder, encoder = "hifigan_decoder.waveform_decoder", "hifigan_decoder.speaker_encoder"
    decoder = HifiDecoder(
        input_sample_rate=args.input_sample_rate,
        output_sample_rate=args.output_sample_rate,
        output_hop_length=args.output_hop_length,
        ar_mel_length_compression=args.gpt_code_stride_len,
        decoder_input_dim=args.decoder_input_dim,
        upsample_initial_channel_decoder=weights[f"{vocoder}.conv_pre.weight"].shape[0],
        d_vector_dim=args.d_vector_dim,
        cond_d_vector_in_each_upsampling_layer=args.cond_d_vector_in_each_upsampling_layer,
    )
    layers = [f"{encoder}.layer{number}" for number in (1, 2, 3, 4)]
    filters = [weights[f"{layer}.0.conv1.weight"].shape[0] for layer in layers]
    depths = [sum(bool(_block_start(layer, key)) for key in weights) for layer in layers]
    if (filters, depths) != ([32, 64, 128, 256], [3, 4, 6, 3]):
        decoder.speaker_encoder = ResNetSpeakerEncoder(
            input_dim=64,
            proj_dim=512,
            layers=depths,
            num_filters=filters,
            log_input=True,
            use_torch_spec=True,
            audio_config=decoder.speaker_encoder_audio_config,
        )
    return decoder


def _block_start(layer: str, key: str) -> re.Match[str] | None:
    return re.fullmatch(re.escape(layer) + r"\.\d+\.conv1\.weight", key)


def _model_weights(content: Any, path: Path) -> dict[str, Any]:
    """The weights of the model itself, by the names that the model uses."""
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(torch.is_tensor(v) for v in weights.values()):
        raise ModelError(f"{path} does not hold the weights of a model.", MEND)
    named = {str(name).removeprefix("xtts."): tensor for name, tensor in weights.items()}
    unused = (*_TRAINING_ONLY, *_DUPLICATES)
    return {name: tensor for name, tensor in named.items() if not name.startswith(unused)}


def _read_tokenizer(path: Path) -> Any:
    _need(path)
    try:
        tokenizer = VoiceBpeTokenizer(vocab_file=path)
    except Exception as error:  # the tokenizers package raises nothing more specific
        raise ModelError(f"{path} is not a tokenizer file: {_first_line(error)}.", MEND) from error
    if None in (tokenizer.tokenizer.token_to_id(token) for token in ("[START]", "[STOP]")):
        raise ModelError(f"{path} is not an XTTS tokenizer: it has no [START] or [STOP].", MEND)
    return tokenizer


def _set_number(target: Any, key: str, value: object, path: Path) -> None:
    if value is None:
        return
    known = getattr(target, key)
    wanted = bool if isinstance(known, bool) else (int, float)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ModelError(f"{path}: {key!r} is {value!r}, which is not a size.", MEND)
    setattr(target, key, type(known)(value) if known is not None else value)


def _need(path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"There is no {path.name} in {path.parent}, an XTTS model needs it.", MEND)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = lines[1] if len(lines) > 1 and lines[0].endswith(":") else (lines or [repr(error)])[0]
    return detail[:200].rstrip(". ")
