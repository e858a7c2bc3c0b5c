"""Opens a `.nemo` file, which is a tar of a YAML configuration, weights and a tokenizer.

Nothing in such a file can run code or write outside the folder given: names in the archive are
checked, weights are unpickled as tensors only, and what the configuration asks to be instantiated
must be on a short list of NeMo's own classes. The list names classes, not packages: through a
module's imports a dotted path that begins with `nemo.` can reach `os.system`.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from voicebot_local.errors import ModelError

_CONFIG = "model_config.yaml"
_WEIGHTS = "model_weights.ckpt"
_AGAIN = "Download the model again: `make models`."
_OTHER = "Use a cache-aware streaming FastConformer, such as those in models/manifest.toml."

_MODULES = "nemo.collections.asr.modules."
_TARGETS = {
    _MODULES + name
    for name in (
        "AudioToMelSpectrogramPreprocessor",
        "ConformerEncoder",
        "ConvASRDecoder",
        "RNNTDecoder",
        "RNNTJoint",
        "StatelessTransducerDecoder",
    )
}
_MODELS = ("EncDecCTCModelBPE", "EncDecRNNTBPEModel", "EncDecHybridRNNTCTCBPEModel")

_SECTIONS = (
    "sample_rate",
    "tokenizer",
    "preprocessor",
    "encoder",
    "decoder",
    "joint",
    "aux_ctc",
    "model_defaults",
    "decoding",
)
"""What recognizing needs of a configuration; the rest is about training."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What a `.nemo` file holds: the name of NeMo's class, its configuration and its weights."""

    model_class: str
    config: dict[str, Any]
    weights: dict[str, Any]


def open_archive(path: Path, folder: Path) -> Archive:
    """Read the `.nemo` file at `path`; its tokenizer's files are written to `folder`.

    Raises ModelError where the file is missing, damaged, unsafe or of another kind.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", "Get the models with `make models`.")
    try:
        with tarfile.open(path) as tar:
            members = _members(path, tar)
            for needed in (_CONFIG, _WEIGHTS):
                if needed not in members:
                    raise ModelError(f"{path} is not a NeMo model: it has no {needed}.", _AGAIN)
            model_class, config = _config(path, _read(tar, members[_CONFIG]))
            for section in _texts(config["tokenizer"]):
                _write_artifacts(tar, members, section, folder)
            return Archive(model_class, config, _weights(path, tar, members[_WEIGHTS]))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{path} is not a NeMo model, or is damaged: {error}.", _AGAIN) from error


def _members(path: Path, tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The files of the archive by name; an archive with anything else in it is refused."""
    files: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or "\\" in member.name:
            raise _unsafe(path, f"it holds a file named {member.name!r}")
        if member.isfile():
            files[str(name)] = member
        elif not member.isdir():
            raise _unsafe(path, f"{member.name!r} in it is neither a file nor a folder")
    return files


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise tarfile.ReadError(f"{member.name} is cut short")
    return content


def _config(path: Path, yaml: bytes) -> tuple[str, dict[str, Any]]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        whole = OmegaConf.to_container(OmegaConf.create(yaml.decode()))
        if not isinstance(whole, dict) or not isinstance(whole.get("tokenizer"), dict):
            raise ModelError(f"{path} is not a speech recognizer with a tokenizer.", _OTHER)
        kept = {key: whole[key] for key in _SECTIONS if key in whole}
        for text in _texts(kept):
            if "${" in text and ":" in text:
                raise _unsafe(path, f"its configuration computes {text!r}")
        config: Any = OmegaConf.to_container(OmegaConf.create(kept), resolve=True)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"The configuration in {path} cannot be read: {error}.", _AGAIN) from error
    target = str(whole.get("target", ""))
    name = target.rpartition(".")[2]
    if name not in _MODELS or not target.startswith("nemo.collections.asr.models."):
        raise ModelError(
            f"{path} holds a {target or 'model of no kind'}, not a recognizer.", _OTHER
        )
    for wanted in _instantiated(config):
        if wanted not in _TARGETS:
            raise _unsafe(path, f"its configuration instantiates {wanted!r}")
    if config["tokenizer"].get("type") != "bpe":
        raise ModelError(f"{path} has a tokenizer that is not SentencePiece.", _OTHER)
    return name, config


def _texts(value: Any) -> Iterator[str]:
    """Every string in nested dicts and lists, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _instantiated(value: Any) -> Iterator[object]:
    """Every class or function that NeMo or hydra would import and call for this configuration."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("_target_", "target", "cls"):
                yield inner
            yield from _instantiated(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _instantiated(inner)


def _write_artifacts(
    tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], text: str, folder: Path
) -> None:
    if text.startswith("nemo:") and (member := members.get(text.removeprefix("nemo:"))):
        (folder / PurePosixPath(member.name).name).write_bytes(_read(tar, member))


def _weights(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    import torch

    file: Any = tar.extractfile(member)
    if not isinstance(tar.fileobj, io.BufferedReader):  # Compressed: seeking in it would be slow.
        file = io.BytesIO(_read(tar, member))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unsafe(
            path, "its weights are damaged or hold something other than tensors"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ModelError(f"The weights in {path} are damaged.", _AGAIN) from error
    if not isinstance(weights, dict):
        raise ModelError(f"The weights in {path} are not named tensors.", _AGAIN)
    return weights


def _unsafe(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path} is not safe to load: {why}.", "Use only models whose origin you trust."
    )
