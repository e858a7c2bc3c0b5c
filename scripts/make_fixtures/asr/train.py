"""The training loop: RNN-T and CTC losses together, small lookaheads first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from .batches import Batch, Batches
from .model import scale_to_data
from .speech import SENTENCES, Spoken

_PEAK_RATE = 2e-3
_WARM_UP_STEPS = 200


def train(model: Any, spoken: Sequence[Spoken], steps: int) -> None:
    """Train a hybrid model in place for `steps` batches of 16; leaves it in evaluation mode."""
    model.train()
    scale_to_data(model, [s.samples for s in spoken[:: max(1, len(spoken) // 32)]])
    batches = Batches(spoken, [torch.tensor(model.tokenizer.text_to_ids(s)) for s in SENTENCES])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1, betas=(0.9, 0.98), weight_decay=1e-3)
    began, losses = time.process_time(), []
    for step in range(steps):
        progress = step / steps
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step, progress)
        model.encoder.att_context_probs = _lookahead_odds(progress)
        loss = _loss(model, batches, progress)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            cpu_s = time.process_time() - began
            mean = sum(losses[-100:]) / 100
            print(f"step {step + 1}/{steps} loss {mean:.3f} cpu {cpu_s:.0f} s", flush=True)
    model.eval()


def _learning_rate(step: int, progress: float) -> float:
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return _PEAK_RATE * warm * (1.0 if progress < 0.5 else max(0.02, 2 * (1 - progress)))


def _lookahead_odds(progress: float) -> list[float]:
    """How often to train at each of the lookaheads 13, 6, 1 and 0.

    Small ones come first: a model that has settled on what 1.04 s of lookahead shows it does not
    unlearn that in minutes, and stays bad at low latency.
    """
    return [0.0, 0.1, 0.45, 0.45] if progress < 0.55 else [0.15, 0.25, 0.35, 0.25]


def _loss(model: Any, batches: Batches, progress: float) -> torch.Tensor:
    batch: Batch = batches.draw(progress)
    with torch.no_grad():
        mel, mel_lengths = model.preprocessor(input_signal=batch.audio, length=batch.audio_lengths)
    batches.mask_bands(mel, progress)
    encoded, lengths = model.forward(processed_signal=mel, processed_signal_length=mel_lengths)
    predicted, token_lengths, _ = model.decoder(
        targets=batch.tokens, target_length=batch.token_lengths
    )
    joint = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
    ctc = model.ctc_loss(
        log_probs=model.ctc_decoder(encoder_output=encoded),
        targets=batch.tokens,
        input_lengths=lengths,
        target_lengths=batch.token_lengths,
    )
    return 0.5 * transducer_loss(joint, batch.tokens, lengths, token_lengths) + 0.5 * ctc


def transducer_loss(
    log_probs: torch.Tensor,
    tokens: torch.Tensor,
    lengths: torch.Tensor,
    token_lengths: torch.Tensor,
) -> torch.Tensor:
    """The RNN-T loss, mean over the batch, vectorized over tokens.

    `log_probs`: (batch, frames, tokens + 1, vocabulary + 1), blank last. NeMo's own loss for CPUs
    takes 1.5 s for a batch of 16; this one takes 30 ms.
    """
    blank = log_probs[..., -1]
    wanted = tokens[:, None, :, None].expand(-1, log_probs.shape[1], -1, 1)
    emit = log_probs[:, :, : tokens.shape[1]].gather(-1, wanted).squeeze(-1)
    # Within one frame a token follows another without blank, so sums over tokens are cumulative.
    emitted = torch.nn.functional.pad(emit.cumsum(2), (1, 0))
    alpha = [emitted[:, 0]]
    for frame in range(1, log_probs.shape[1]):
        arrive = alpha[-1] + blank[:, frame - 1] - emitted[:, frame]
        alpha.append(emitted[:, frame] + torch.logcumsumexp(arrive, 1))
    row = torch.arange(len(tokens))
    ends = (torch.stack(alpha, 1) + blank)[row, lengths - 1, token_lengths]
    return -ends.mean()
