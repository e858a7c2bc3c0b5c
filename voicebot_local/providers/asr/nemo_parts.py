"""The modules of a NeMo recognizer without the library around them.

NeMo's packages import all they hold when one module of them is wanted: Lightning, torchmetrics,
transformers, hydra, torch's compiler, most of the seconds that a start takes. Recognizing needs six
of its files. Here they are imported under their own names while the packages above them are hollow
(they have their folder, but their `__init__` is not run) and while the few things that those files
take from the rest are stood in for, as listed below. Nothing of that stays in `sys.modules`, so
that a later import of NeMo, Lightning or librosa finds the real ones.

What is stood in for takes no part in the arithmetic: checks of types, export, logging,
augmentation, configuration. The mel filters, which librosa would compute, come with the weights.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_ASR = "nemo.collections.asr."
_MIXINS = "nemo.core.classes.mixins."

_WANTED = {
    "AudioToMelSpectrogramPreprocessor": _ASR + "modules.audio_preprocessing",
    "ConformerEncoder": _ASR + "modules.conformer_encoder",
    "ConvASRDecoder": _ASR + "modules.conv_asr",
    "RNNTDecoder": _ASR + "modules.rnnt",
    "RNNTJoint": _ASR + "modules.rnnt",
    "StatelessTransducerDecoder": _ASR + "modules.rnnt",
    "SentencePieceTokenizer": "nemo.collections.common.tokenizers.sentencepiece_tokenizer",
}

_HOLLOW: dict[str, dict[str, str]] = {
    "nemo": {},
    "nemo.collections": {},
    "nemo.collections.asr": {},
    "nemo.collections.asr.modules": {},
    "nemo.collections.asr.parts": {},
    "nemo.collections.asr.parts.mixins": {},
    "nemo.collections.asr.parts.preprocessing": {},
    "nemo.collections.asr.parts.submodules": {},
    "nemo.collections.asr.parts.submodules.adapters": {},
    "nemo.collections.asr.parts.utils": {},
    "nemo.collections.common": {},
    "nemo.collections.common.parts": {},
    "nemo.collections.common.tokenizers": {},
    "nemo.core": {"NeuralModule": "nemo.core.classes.module"},
    "nemo.core.classes": {
        "Exportable": "nemo.core.classes.exportable",
        "NeuralModule": "nemo.core.classes.module",
        "adapter_mixins": _MIXINS + "adapter_mixins",
        "typecheck": "nemo.core.classes.common",
    },
    "nemo.core.classes.mixins": {
        "AccessMixin": _MIXINS + "access_mixins",
        "AdapterModuleMixin": _MIXINS + "adapter_mixins",
        "adapter_mixins": _MIXINS + "adapter_mixins",
    },
    "nemo.core.utils": {},
    "nemo.utils": {"avoid_float16_autocast_context": "nemo.utils.cast_utils"},
}
"""Packages of which only the folder is used, and where that lies what is asked of them by name."""


_HIDDEN = (("encoder", "enc"), ("pred", "pred"))
"""What the joint calls its inputs, and what the model's defaults call them."""


class _Absent:
    """Stands for a class that is named and never made."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        raise TypeError(f"{type(self).__name__} is not part of recognizing")


class _Log:
    """NeMo's log, of which errors go to the standard one; the rest is about training."""

    def __getattr__(self, level: str) -> Callable[..., None]:
        errors = logging.getLogger("nemo")
        return errors.error if level in ("error", "critical") else _unsaid


def _unsaid(*_args: object, **_kwargs: object) -> None:
    """What nobody need read."""


def _unchecked(*_args: object, **_kwargs: object) -> Callable[[Any], Any]:
    """NeMo's `@typecheck()` without the check."""
    return lambda function: function


def _no_filters(*, n_fft: int, n_mels: int, **_others: object) -> Any:
    """Of the shape of librosa's mel filters; those of the weights take their place."""
    import numpy as np

    return np.full((n_mels, n_fft // 2 + 1), np.nan, np.float32)


def _absent(*names: str) -> dict[str, Any]:
    return {name: type(name, (_Absent,), {}) for name in names}


def _empty(*names: str) -> dict[str, Any]:
    return {name: type(name, (), {}) for name in names}


def _stand_ins() -> dict[str, Mapping[str, Any]]:
    """Whole modules that are stood in for, and all that is asked of them."""
    return {
        "librosa": {"filters": SimpleNamespace(mel=_no_filters)},
        "nemo.utils": {
            "logging": _Log(),
            "logging_mode": SimpleNamespace(ONCE=None, EACH=None),
            # Asked for the kinds of adapters that a decoder would accept; none is ever added.
            "model_utils": SimpleNamespace(import_class_by_path=lambda _path: _Absent),
        },
        "nemo.core.classes.common": {
            "typecheck": _unchecked,
            **_empty("FileIO", "Serialization", "Typing"),
        },
        "nemo.core.classes.exportable": _empty("Exportable"),
        "nemo.core.utils.optional_libs": {"NUMBA_CUDA_AVAILABLE": False},
        "nemo.collections.audio": {},
        "nemo.collections.audio.parts": {},
        "nemo.collections.audio.parts.utils": {},
        "nemo.collections.audio.parts.utils.transforms": _absent("MFCC"),
        _ASR + "models": {},
        _ASR + "models.configs": {
            "CacheAwareStreamingConfig": type("CacheAwareStreamingConfig", (SimpleNamespace,), {})
        },
        _ASR + "parts.preprocessing.perturb": _absent("AudioAugmentor"),
        _ASR + "parts.preprocessing.segment": _absent("AudioSegment"),
        _ASR + "parts.submodules.spectr_augment": _absent("SpecAugment", "SpecCutout"),
        _ASR + "parts.utils.rnnt_utils": _absent("Hypothesis"),
    }


class _Hollow(ModuleType):
    def __init__(self, name: str, offers: Mapping[str, str]) -> None:
        super().__init__(name)
        self.__offers = offers

    def __getattr__(self, name: str) -> Any:
        if name not in self.__offers:
            raise AttributeError(f"{self.__name__}.{name} is not among what recognizing needs")
        module = importlib.import_module(self.__offers[name])
        return getattr(module, name, module)


class _Cut(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds hollow packages and stand-ins; all else is found as always."""

    def __init__(self) -> None:
        self._stand_ins = _stand_ins()

    def owns(self, name: str) -> bool:
        return name == "nemo" or name.startswith("nemo.") or name in self._stand_ins

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _HOLLOW:
            stands = name in self._stand_ins
            return importlib.machinery.ModuleSpec(name, self, is_package=True) if stands else None
        real = importlib.machinery.PathFinder.find_spec(name, path)
        if real is None or not real.submodule_search_locations:
            raise ModuleNotFoundError(f"there is no package {name}", name=name)
        spec = importlib.machinery.ModuleSpec(name, self, is_package=True)
        spec.submodule_search_locations = list(real.submodule_search_locations)
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = _Hollow(spec.name, _HOLLOW.get(spec.name, {}))
        vars(module).update(self._stand_ins.get(spec.name, {}))
        return module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


@cache
def nemo_classes() -> Mapping[str, Any]:
    """NeMo's classes by their names, see `_WANTED`.

    Raises ImportError or AttributeError where this version of NeMo is not as this module expects.
    Where the library itself is imported in this process, too, its classes are others.
    """
    cut = _Cut()
    before = {name: module for name, module in sys.modules.items() if cut.owns(name)}
    for name in before:
        del sys.modules[name]
    sys.meta_path.insert(0, cut)
    try:
        return {
            name: getattr(importlib.import_module(module), name) for name, module in _WANTED.items()
        }
    finally:
        sys.meta_path.remove(cut)
        for name in [name for name in sys.modules if cut.owns(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def build_parts(config: dict[str, Any], weights: dict[str, Any]) -> Any:
    """A `torch.nn.Module` with `preprocessor`, `encoder`, `decoder`, `tokenizer` and, where the
    model has them, `joint` and `ctc_decoder`, as NeMo's own model of this configuration has them.

    `config` is that of a checked archive, the tokenizer's path in it that of a file; it is not
    changed. `weights` become the module's own. Raises what NeMo or torch raises for a configuration
    or weights they dislike, weights that are missing or too many included.
    """
    import torch

    classes = nemo_classes()
    tokenizer = config["tokenizer"]
    if set(tokenizer) & {"custom_tokenizer", "special_tokens"}:
        raise ValueError("its tokenizer is an unusual one")
    parts: Any = torch.nn.Module()
    path = tokenizer.get("model_path") or str(Path(tokenizer["dir"]) / "tokenizer.model")
    parts.tokenizer = classes["SentencePieceTokenizer"](model_path=path)
    # A dict, as NeMo counts a piece that is there twice once.
    pieces = parts.tokenizer.ids_to_tokens(list(range(parts.tokenizer.vocab_size)))
    vocabulary = list(dict.fromkeys(pieces))
    with _undrawn():
        parts.preprocessor = _make(classes, config["preprocessor"])
        parts.encoder = _make(classes, config["encoder"])
        ctc = config.get("aux_ctc", {}).get("decoder")
        if "joint" in config:
            sizes = config["model_defaults"]
            hidden = {f"{name}_hidden": sizes[f"{short}_hidden"] for name, short in _HIDDEN}
            parts.decoder = _make(classes, {**config["decoder"], "vocab_size": len(vocabulary)})
            parts.joint = _make(
                classes,
                {
                    **config["joint"],
                    "num_classes": len(vocabulary),
                    "vocabulary": vocabulary,
                    "jointnet": {**config["joint"]["jointnet"], **hidden},
                },
            )
            if ctc:
                parts.ctc_decoder = _make(classes, _ctc(ctc, parts.encoder, vocabulary))
        else:
            parts.decoder = _make(classes, _ctc(config["decoder"], parts.encoder, vocabulary))
    own = parts.state_dict()
    given = {
        name: weight.to(own[name].dtype).contiguous() if name in own else weight
        for name, weight in weights.items()
    }
    # Taken, not copied: else the memory of both would be needed, and not all of it given back.
    parts.load_state_dict(given, assign=True)
    return parts


def _ctc(config: dict[str, Any], encoder: Any, vocabulary: list[str]) -> dict[str, Any]:
    count = config["num_classes"]
    return {
        **config,
        "feat_in": config.get("feat_in") or encoder._feat_out,
        "num_classes": count if count > 0 else len(vocabulary),
        "vocabulary": vocabulary,
    }


def _make(classes: Mapping[str, Any], config: dict[str, Any]) -> Any:
    """The module that this section describes, its nested parts given as hydra gives them."""
    from omegaconf import OmegaConf

    options: Any = OmegaConf.create(config)
    given = {str(key): options[key] for key in options if key != "_target_"}
    return classes[config["_target_"].rpartition(".")[2]](**given)


def _undrawn() -> Any:
    """Within it weights are left as memory was, as all are loaded afterwards: to draw 600 million
    random numbers would take seconds, and the memory for them."""
    from torch import Tensor
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):  # type: ignore[misc]  # torch is not typed here.
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if function in (Tensor.uniform_, Tensor.normal_):
                return args[0]
            if getattr(function, "__module__", "") == "torch.nn.init":
                return kwargs["tensor"] if "tensor" in kwargs else args[0]
            return function(*args, **kwargs)

    return Undrawn()
