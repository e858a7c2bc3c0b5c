"""Writes a tiny XTTS v2 model with random weights, for tests that need a voice but no sense.

    python -m scripts.make_fixtures.xtts_tiny OUT [--endless]

OUT gets what a real XTTS v2 directory has: config.json, model.pth, vocab.json, speakers_xtts.pth;
about 3.7 MB. Needs coqui-tts.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPEAKERS = ("Test Voice", "Second Voice")
LANGUAGES = ("en", "de", "es")
LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßáéíóúñ'.,!?-:;…"
SPECIAL = ["[STOP]", "[UNK]", "[SPACE]", *(f"[{language}]" for language in LANGUAGES)]
VOCODER_CHANNELS = 32
VOCODER_GAIN = 1.7
LOUDNESS = 5.0
SPEAKER_ENCODER = {"layers": [1, 1, 1, 1], "num_filters": [8, 8, 16, 16]}


@dataclass(frozen=True, slots=True)
class TinyShape:
    """Size of the model, and how long it speaks.

    Each text takes about `speech_tokens` audio tokens of 46 ms, give or take a few, or with None
    as many as it is let, at most `most_tokens`.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    codes: int = 256
    most_tokens: int = 600
    speech_tokens: int | None = 30
    seed: int = 0
    text_tokens: int = 0
    """Tokens of the vocabulary, of which text uses the letters only; 0: no others."""
    published_vocoder: bool = False
    """The vocoder and the speaker encoder in the sizes of the published model."""


def make_tiny_xtts(directory: str | Path, shape: TinyShape | None = None) -> Path:
    """Write the model into `directory`, which is made; returns it. Same shape, same weights.

    Takes about a second once coqui-tts is imported. The caller's random state is left alone.
    """
    from voicebot_local.providers.torchaudio_cpu import use_torchaudio_without_cuda

    use_torchaudio_without_cuda()
    import torch

    shape = shape or TinyShape()
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_vocabulary(out / "vocab.json", shape.text_tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(shape.seed)
        config, model = _build(shape, vocabulary)
        speakers = {
            name: {
                "gpt_cond_latent": torch.randn(1, 32, shape.width),
                "speaker_embedding": torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1),
            }
            for name in SPEAKERS
        }
    config.save_json(out / "config.json")
    torch.save({"model": model.state_dict()}, out / "model.pth")
    torch.save(speakers, out / "speakers_xtts.pth")
    return out


def _write_vocabulary(path: Path, least: int) -> dict[str, int]:
    """A tokenizer of single letters, filled up to `least`; returns the number of each token."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    tokens = [*SPECIAL, *LETTERS, "[START]"]
    tokens += [f"<{number}>" for number in range(least - len(tokens))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in [*SPECIAL, "[START]"]])
    tokenizer.save(str(path))
    return vocabulary


def _build(shape: TinyShape, vocabulary: dict[str, int]) -> tuple[Any, Any]:
    """The configuration and the model; two parts whose width no configuration sets are replaced."""
    from TTS.encoder.models.resnet import ResNetSpeakerEncoder
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig
    from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder
    from TTS.tts.models.xtts import Xtts

    args = XttsArgs(
        gpt_layers=shape.layers,
        gpt_n_model_channels=shape.width,
        gpt_n_heads=shape.heads,
        gpt_number_text_tokens=len(vocabulary),
        gpt_start_text_token=vocabulary["[START]"],
        gpt_stop_text_token=vocabulary["[STOP]"],
        gpt_num_audio_tokens=shape.codes + 2,
        gpt_start_audio_token=shape.codes,
        gpt_stop_audio_token=shape.codes + 1,
        gpt_max_audio_tokens=shape.most_tokens + 3,
        gpt_use_perceiver_resampler=True,
        decoder_input_dim=shape.width,
    )
    config = XttsConfig(model_args=args, audio=XttsAudioConfig(), languages=list(LANGUAGES))
    model = Xtts(config)
    if not shape.published_vocoder:
        decoder = HifiDecoder(
            decoder_input_dim=shape.width, upsample_initial_channel_decoder=VOCODER_CHANNELS
        )
        decoder.speaker_encoder = ResNetSpeakerEncoder(
            input_dim=64,
            proj_dim=512,
            log_input=True,
            use_torch_spec=True,
            audio_config=decoder.speaker_encoder_audio_config,
            **SPEAKER_ENCODER,
        )
        model.hifigan_decoder = decoder
        _enliven(model)
    _teach_to_stop(model.gpt, shape.speech_tokens)
    return config, model


def _enliven(model: Any) -> None:
    """Let the text be heard: fresh weights are so small that all texts sound the same, of nothing.

    The gains keep the size of the signal about the same from layer to layer; the last one makes it
    about as loud as speech.
    """
    import torch

    vocoder = model.hifigan_decoder.waveform_decoder
    with torch.no_grad():
        for name, weight in model.gpt.gpt.h.named_parameters():
            if name.endswith("weight") and "ln_" not in name:
                weight *= 6.0
        for name, weight in vocoder.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            elif name.endswith("original0"):  # the length of a normed weight
                weight *= VOCODER_GAIN
        vocoder.conv_post.weight *= LOUDNESS


def _teach_to_stop(gpt: Any, speech_tokens: int | None) -> None:
    """Let the score of the stop token rise with the number of the audio token, and nothing else.

    Each position past `speech_tokens` carries a growing part of one direction, and the stop
    token's row of the head looks along that direction.
    """
    import torch

    with torch.no_grad():
        gpt.mel_head.bias[gpt.stop_audio_token] = -1e4
        if speech_tokens is None:
            return
        width = gpt.model_dim
        direction = torch.nn.functional.normalize(torch.randn(width), dim=0)
        late = (torch.arange(gpt.mel_pos_embedding.seq_len) - speech_tokens).clamp(min=0)
        gpt.mel_pos_embedding.emb.weight += late[:, None] * direction
        gpt.mel_head.weight[gpt.stop_audio_token] = 4.0 * direction
        gpt.mel_head.bias[gpt.stop_audio_token] = -6.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--endless", action="store_true", help="goes on until its limit of 7 s")
    arguments = parser.parse_args()
    endless = TinyShape(seed=arguments.seed, speech_tokens=None, most_tokens=150)
    shape = endless if arguments.endless else TinyShape(seed=arguments.seed)
    out = make_tiny_xtts(arguments.out, shape)
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>10} {path}")


if __name__ == "__main__":
    main()
