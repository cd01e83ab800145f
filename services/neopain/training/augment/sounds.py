"""Log-mel frames of a whole window, kept once, and disturbed ones: other loudness, noise, a shift, a lost second.

The encoder reads ten patches of 96 frames at a hop of 100; a window is kept as all 1000 frames at that hop, so that it
can be shifted by whole frames. Loudness and noise are done to magnitudes, as the microphone would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neopain.models.log_mel import BETWEEN, FRAME_HOP, LOG_OFFSET, MEL_BANDS, PATCH_HOP, PATCHES

FRAMES_PER_HOP = PATCH_HOP // FRAME_HOP
FRAMES = PATCHES * FRAMES_PER_HOP
SILENCE = math.log(LOG_OFFSET)


@dataclass(frozen=True, slots=True)
class SoundDisturbance:
    """How far each disturbance goes."""

    gain_db: float = 12.0
    shift_frames: int = 60
    """Of 10 ms, in both directions."""
    noise: float = 0.5
    """Largest magnitude that is added to a band; most are far below."""
    noise_probability: float = 0.5
    lost_probability: float = 0.3
    """Of windows that lose one or two patches."""


def patches_of(frames: Tensor) -> Tensor:
    """[B, 1000, 64] -> the patches that the encoder reads, [B, 10, 96, 64]."""
    return frames.reshape(len(frames), PATCHES, FRAMES_PER_HOP, MEL_BANDS)[:, :, BETWEEN:]


def disturb_sounds(frames: Tensor, how: SoundDisturbance) -> Tensor:
    """Float32 [B, 1000, 64] -> the same, each window disturbed in its own way."""
    batch, device = len(frames), frames.device
    magnitude = _shifted(frames, how.shift_frames).exp() - LOG_OFFSET
    gain = 10 ** (how.gain_db / 20 * (2 * torch.rand(batch, 1, 1, device=device) - 1))
    noise = _noise(batch, how, device)
    loud = ((gain * magnitude).square() + noise.square()).sqrt()
    return _with_losses((loud + LOG_OFFSET).log(), how.lost_probability)


def _shifted(frames: Tensor, most: int) -> Tensor:
    """Later or earlier by whole frames; what leaves at one end comes back at the other."""
    by = torch.randint(-most, most + 1, (len(frames), 1), device=frames.device)
    at = (torch.arange(FRAMES, device=frames.device)[None] - by) % FRAMES
    return frames[torch.arange(len(frames), device=frames.device)[:, None], at]


def _noise(batch: int, how: SoundDisturbance, device: torch.device) -> Tensor:
    """Magnitudes [B, 1000, 64] of a noise with a smooth spectrum; none for some windows."""
    is_noisy = torch.rand(batch, 1, 1, device=device) < how.noise_probability
    level = how.noise * 10 ** (-2 * torch.rand(batch, 1, 1, device=device))
    tilt = torch.linspace(-1, 1, MEL_BANDS, device=device) * torch.randn(batch, 1, 1, device=device)
    # The magnitude of noise in a band is about Rayleigh-distributed.
    rough = torch.randn(2, batch, FRAMES, MEL_BANDS, device=device).square().mean(dim=0).sqrt()
    return torch.where(is_noisy, level * tilt.exp() * rough, 0.0)


def _with_losses(frames: Tensor, probability: float) -> Tensor:
    """One or two patches of some windows as if nothing had been heard."""
    batch, device = len(frames), frames.device
    lost = torch.rand(batch, PATCHES, device=device).argsort(dim=1) < torch.randint(1, 3, (batch, 1), device=device)
    lost &= torch.rand(batch, 1, device=device) < probability
    return torch.where(lost.repeat_interleave(FRAMES_PER_HOP, dim=1)[:, :, None], SILENCE, frames)
