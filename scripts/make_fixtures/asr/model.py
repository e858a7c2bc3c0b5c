"""The model: a hybrid (RNN-T and CTC) cache-aware streaming FastConformer of a million parameters.

It is configured like NVIDIA's streaming FastConformers (chunked attention with four lookaheads,
causal convolutions, subsampling by 8) and only narrower and shallower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sentencepiece
import torch
from nemo.collections.asr.models import (
    EncDecCTCModelBPE,
    EncDecHybridRNNTCTCBPEModel,
    EncDecRNNTBPEModel,
)
from numpy.typing import NDArray
from omegaconf import OmegaConf

Kind = Literal["ctc", "rnnt", "hybrid"]

LOOKAHEADS = (13, 6, 1, 0)
"""Encoder frames (80 ms each) that the model may look ahead."""

_MODULES = "nemo.collections.asr.modules"
_MODELS: dict[Kind, Any] = {
    "ctc": EncDecCTCModelBPE,
    "rnnt": EncDecRNNTBPEModel,
    "hybrid": EncDecHybridRNNTCTCBPEModel,
}


def train_tokenizer(sentences: Sequence[str], folder: Path, pieces: int = 160) -> None:
    """Write a SentencePiece BPE tokenizer of at most `pieces` pieces to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(sentences),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=pieces,
        model_type="bpe",
        character_coverage=1.0,
        bos_id=-1,
        eos_id=-1,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    words = [model.id_to_piece(i) for i in range(1, model.get_piece_size())]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")


@dataclass(frozen=True, slots=True)
class Size:
    """What a model's size follows from: its encoder, and `hidden` and `rows` of the predictor."""

    width: int = 96
    layers: int = 4
    heads: int = 4
    channels: int = 32
    hidden: int = 64
    rows: int = 1
    positions: int = 2000


def build(kind: Kind, tokenizer: Path, size: Size = Size()) -> Any:
    """A model with random weights. `tokenizer` goes into its `.nemo` file as it is written here,
    so give it relative to the working directory."""
    model = _MODELS[kind](cfg=OmegaConf.create(_config(kind, tokenizer, size)))
    model.preprocessor.featurizer.pad_to = 0
    return model


def scale_to_data(model: Any, recordings: Sequence[NDArray[np.float32]]) -> None:
    """Scale the convolutions before the encoder so that speech comes out of each with spread 1.

    The mel front end does not normalize, and with NeMo's own initial weights its output barely
    varies over time after the subsampling: trained for minutes only, the model would not get over
    predicting blanks.
    """
    subsampling = model.encoder.pre_encode
    convolutions = [layer for layer in subsampling.conv if hasattr(layer, "weight")]
    lengths = torch.tensor([len(samples) for samples in recordings])
    audio = torch.zeros(len(recordings), int(lengths.max()))
    for row, samples in zip(audio, recordings, strict=True):
        row[: len(samples)] = torch.from_numpy(samples)
    with torch.no_grad():
        mel, mel_lengths = model.preprocessor(input_signal=audio, length=lengths)
        frames = mel.transpose(1, 2)
        spoken = frames[torch.arange(mel.shape[2])[None] < mel_lengths[:, None]]
        first = convolutions[0]
        first.weight /= spoken.std()
        first.bias -= first.weight.sum((1, 2, 3)) * spoken.mean()
        for layer in [*convolutions, subsampling.out]:
            output = _output_of(layer, lambda: subsampling(x=frames, lengths=mel_lengths))
            over = (0, 1) if output.dim() == 3 else (0, 2, 3)
            spread = output.std(over).mean() + 1e-6
            layer.weight /= spread
            if layer is subsampling.out:
                layer.bias -= output.mean(over)
            layer.bias /= spread


def _output_of(layer: torch.nn.Module, run: Any) -> torch.Tensor:
    outputs: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    run()
    hook.remove()
    return outputs[0]


def _config(kind: Kind, tokenizer: Path, size: Size) -> dict[str, Any]:
    width = size.width
    ctc_decoder = {
        "_target_": f"{_MODULES}.ConvASRDecoder",
        "feat_in": None if kind == "hybrid" else width,
        "num_classes": -1,
        "vocabulary": [],
    }
    config: dict[str, Any] = {
        "sample_rate": 16_000,
        "log_prediction": False,
        "ctc_reduction": "mean_batch",
        "skip_nan_grad": False,
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "train_ds": None,
        "validation_ds": None,
        "test_ds": None,
        "preprocessor": {
            "_target_": f"{_MODULES}.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16_000,
            "normalize": "NA",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": 80,
            "n_fft": 512,
            "frame_splicing": 1,
            "dither": 0.0,
            "pad_to": 0,
            "log": True,
        },
        "spec_augment": {
            "_target_": f"{_MODULES}.SpectrogramAugmentation",
            "freq_masks": 0,
            "time_masks": 0,
        },
        "encoder": {
            "_target_": f"{_MODULES}.ConformerEncoder",
            "feat_in": 80,
            "feat_out": -1,
            "n_layers": size.layers,
            "d_model": width,
            "use_bias": True,
            "subsampling": "dw_striding",
            "subsampling_factor": 8,
            "subsampling_conv_channels": size.channels,
            "causal_downsampling": True,
            "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos",
            "n_heads": size.heads,
            "att_context_size": [[70, lookahead] for lookahead in LOOKAHEADS],
            "att_context_style": "chunked_limited",
            "att_context_probs": None,
            "xscaling": False,
            "pos_emb_max_len": size.positions,
            "conv_kernel_size": 9,
            "conv_norm_type": "layer_norm",
            "conv_context_size": "causal",
            "dropout": 0.05,
            "dropout_pre_encoder": 0.05,
            "dropout_emb": 0.0,
            "dropout_att": 0.05,
        },
        "optim": {"name": "adamw", "lr": 1e-3},
    }
    if kind == "ctc":
        return config | {"decoder": ctc_decoder, "decoding": {"strategy": "greedy_batch"}}
    config |= _transducer(width, size)
    if kind == "hybrid":
        config["aux_ctc"] = {
            "ctc_loss_weight": 0.3,
            "use_cer": False,
            "ctc_reduction": "mean_batch",
            "decoder": ctc_decoder,
            "decoding": {"strategy": "greedy_batch"},
        }
    return config


def _transducer(width: int, size: Size) -> dict[str, Any]:
    hidden = size.hidden
    return {
        "model_defaults": {"enc_hidden": width, "pred_hidden": hidden, "joint_hidden": hidden},
        "decoder": {
            "_target_": f"{_MODULES}.RNNTDecoder",
            "normalization_mode": None,
            "blank_as_pad": True,
            "random_state_sampling": False,
            "prednet": {"pred_hidden": hidden, "pred_rnn_layers": size.rows, "dropout": 0.0},
        },
        "joint": {
            "_target_": f"{_MODULES}.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "fused_batch_size": 4,
            "jointnet": {"joint_hidden": hidden, "activation": "relu", "dropout": 0.0},
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
        "loss": {"loss_name": "default"},
    }
