"""Voices of XTTS: its own speakers by name, or anybody's from a reference recording.

What a recording amounts to is kept in the cache directory, as plain arrays; the name of the file is
a hash of the recording, of the weights that listen to it, and of the settings.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import torchaudio

from voicebot_local.errors import ConfigError, InputError, ModelError
from voicebot_local.providers.tts.xtts_decode import Voice
from voicebot_local.providers.tts.xtts_load import MEND, read_tensors

REFERENCE_RATE = 22_050
SHORTEST_S = 0.5
QUIETEST = 1e-3
"""Peak below which a recording counts as silent, -60 dB."""
_RECORDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Conditioning:
    """How much of a recording is listened to, in seconds; `normalize`: brought to one level."""

    length_s: int
    chunk_s: int
    longest_s: int
    normalize: bool


def find_voice(model: Any, directory: Path, voice: str, cache: Path) -> Voice:
    """The voice named `voice`, or that of the recording at the path `voice`, on the CPU.

    A name in speakers_xtts.pth comes first, in capitals or not. Raises ConfigError for a name that
    is not there, InputError for a recording of no use, ModelError for a damaged speakers file.
    """
    path = Path(voice).expanduser()
    speakers_file = directory / "speakers_xtts.pth"
    if not speakers_file.is_file() and not _is_recording(path):
        raise ModelError(
            f"There is no speakers_xtts.pth in {directory}, so there is no voice {voice!r}.",
            "Set `voice` to the path of a recording of 6 to 30 seconds, or download the file.",
        )
    speakers = read_speakers(speakers_file) if speakers_file.is_file() else {}
    for name, speaker in speakers.items():
        if name.casefold() == voice.casefold():
            return speaker
    if _is_recording(path):
        config = model.config
        how = Conditioning(
            config.gpt_cond_len,
            config.gpt_cond_chunk_len,
            config.max_ref_len,
            config.sound_norm_refs,
        )
        return reference_voice(model, path, how, cache)
    near = difflib.get_close_matches(voice, speakers, n=4, cutoff=0.4) or sorted(speakers)[:8]
    raise ConfigError(
        f"The XTTS model has no voice {voice!r}; the nearest of its {len(speakers)} are "
        f"{', '.join(near)}.",
        "Set `voice` to one of them, or to the path of a recording of 6 to 30 seconds.",
    )


def read_speakers(path: Path) -> dict[str, Voice]:
    """The speakers in a speakers_xtts.pth by name. Raises ModelError."""
    content = read_tensors(path)
    try:
        speakers = {
            str(name): Voice(one["gpt_cond_latent"].float(), one["speaker_embedding"].float())
            for name, one in content.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a list of XTTS speakers.", MEND) from error
    return speakers


def reference_voice(model: Any, path: Path, how: Conditioning, cache: Path) -> Voice:
    """The voice of a recording of any rate, width and channel count. Raises InputError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The reference recording {path} cannot be read: {error.strerror}.",
            "Set `voice` to a recording that exists, or to the name of one of the model's voices.",
        ) from error
    key = hashlib.sha256(data + repr(how).encode() + _fingerprint(model)).hexdigest()
    kept = cache / f"{key}.npz"
    voice = _read_kept(kept)
    if voice is None:
        voice = _listen(model, _read_recording(path), path, how)
        _keep(kept, voice)
    return voice


def _listen(model: Any, audio: Any, path: Path, how: Conditioning) -> Voice:
    """Run the two encoders over `audio`, float32 (1, samples) at 22.05 kHz."""
    audio = audio[:, : REFERENCE_RATE * how.longest_s]
    peak = float(audio.abs().max()) if audio.numel() else 0.0
    if audio.shape[1] < SHORTEST_S * REFERENCE_RATE or peak < QUIETEST:
        seconds = audio.shape[1] / REFERENCE_RATE
        fault = "silent" if peak < QUIETEST else f"only {seconds:.1f} s long"
        raise InputError(
            f"The reference recording {path} is {fault}.",
            "Record 6 to 30 seconds of one person speaking, without music or noise.",
        )
    if how.normalize:
        audio = audio / peak * 0.75
    audio = audio.to(model.device)
    embedding = model.get_speaker_embedding(audio.clone(), REFERENCE_RATE)
    latents = model.get_gpt_cond_latents(audio, REFERENCE_RATE, how.length_s, how.chunk_s)
    return Voice(latents.float().cpu(), embedding.float().cpu())


def _read_recording(path: Path) -> Any:
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"The reference recording {path} is not audio that can be read: {error}.",
            "Use a WAV, FLAC, OGG or MP3 file.",
        ) from error
    audio = torch.from_numpy(samples.mean(axis=1, dtype=np.float32)[None])
    if rate != REFERENCE_RATE:
        audio = torchaudio.functional.resample(audio, rate, REFERENCE_RATE)
    return torch.nan_to_num(audio).clip_(-1.0, 1.0)


def _fingerprint(model: Any) -> bytes:
    """A hash of the weights that listen to a recording."""
    digest = hashlib.sha256()
    gpt = model.gpt
    parts = [gpt.conditioning_encoder, model.hifigan_decoder.speaker_encoder]
    if gpt.use_perceiver_resampler:
        parts.append(gpt.conditioning_perceiver)
    for tensor in (tensor for part in parts for tensor in part.state_dict().values()):
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    return digest.digest()


def _read_kept(path: Path) -> Voice | None:
    """The voice kept in `path`, or None where there is none or it is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = [np.asarray(kept[name], np.float32) for name in ("latents", "embedding")]
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("The cached voice %s is damaged and is made again: %s", path, error)
        return None
    return Voice(*(torch.from_numpy(array) for array in arrays))


def _keep(path: Path, voice: Voice) -> None:
    """Write `voice` to `path` in one go; a cache that cannot be written only costs time later."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.savez(part, latents=voice.latents.numpy(), embedding=voice.embedding.numpy())
        os.replace(part.name, path)  # noqa: PTH105
    except OSError as error:
        _log.warning("The voice is not kept for the next start: %s", error)


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in _RECORDINGS or len(path.parts) > 1 or path.is_file()
