"""Builds a NeMo recognizer from a checked archive: its parts only, or the library's whole model."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from voicebot_local.errors import ModelError, first_line
from voicebot_local.providers.asr.nemo_archive import Archive
from voicebot_local.providers.asr.nemo_parts import build_parts
from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

logger = logging.getLogger(__name__)


def build(path: Path, archive: Archive, folder: Path, *, fast: bool) -> Any:
    """A module with `preprocessor`, `encoder`, `decoder`, `tokenizer` and, where the model has
    them, `joint` and `ctc_decoder`, ready to recognize; `folder` holds the tokenizer's files.

    `fast` makes these alone (`nemo_parts`), and where that fails, or without it, they are those of
    the library's own model, whose import takes seconds. Raises ModelError where NeMo cannot build
    it.
    """
    config = _with_paths(archive.config, folder)
    model = _parts(config, archive.weights) if fast else None
    if model is None:
        model = _whole(path, archive, config)
    return model.eval().requires_grad_(False)


def max_symbols(config: dict[str, Any]) -> int:
    """How many tokens a frame may have at most."""
    greedy = (config.get("decoding") or {}).get("greedy") or {}
    return int(greedy.get("max_symbols") or greedy.get("max_symbols_per_step") or 10)


def _parts(config: dict[str, Any], weights: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build_parts(config, weights)
    except Exception as error:  # What another version of NeMo would raise here, nobody knows.
        logger.warning("NeMo is imported as a whole, which takes longer: %s", first_line(error))
        return None


def _whole(path: Path, archive: Archive, config: dict[str, Any]) -> Any:
    from omegaconf import OmegaConf

    models = import_nemo()
    greedy = {"max_symbols": max_symbols(config), "use_cuda_graph_decoder": False}
    config = {**config, "log_prediction": False, "decoding": {"strategy": "greedy_batch"}}
    if archive.model_class != "EncDecCTCModelBPE":
        config["decoding"]["greedy"] = greedy
    if "aux_ctc" in config:
        config["aux_ctc"] = {**config["aux_ctc"], "decoding": {"strategy": "greedy_batch"}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(models, archive.model_class)(cfg=OmegaConf.create(config))
        model.load_state_dict(archive.weights)
    except (
        Exception
    ) as error:  # NeMo, hydra and torch raise anything for a configuration they dislike.
        raise ModelError(
            f"NeMo cannot build the model in {path}: {first_line(error)}",
            "The file may be damaged (`voicebot-local models verify`) or made for another NeMo.",
        ) from error
    return model


def import_nemo() -> Any:
    """`nemo.collections.asr.models`, imported without its noise on the terminal. Takes seconds."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    use_torchaudio_without_cuda()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nemo.collections.asr.models as models
        from nemo.utils import logging as nemo_log
    # It means its own noise, and silences all that others say, too.
    levels = {handler: handler.level for handler in logging.getLogger().handlers}
    nemo_log.setLevel(logging.ERROR)
    for handler, level in levels.items():
        handler.setLevel(level)
    return models


def _with_paths(value: Any, folder: Path) -> Any:
    """The configuration with `nemo:NAME` replaced by where that file of the archive now lies."""
    if isinstance(value, str) and value.startswith("nemo:"):
        return str(folder / Path(value.removeprefix("nemo:")).name)
    if isinstance(value, dict):
        return {key: _with_paths(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_paths(inner, folder) for inner in value]
    return value
