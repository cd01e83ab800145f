"""A 1D-CNN over the 30 s grid of vitals: fifteen tokens of 2 s, and a score of the vitals alone.

What lies behind a mask is replaced before anything is computed from it, so it cannot have an effect, not even as NaN.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from neopain.features.signature import VITALS_CHANNELS, VITALS_RATE_HZ, VITALS_STEPS
from neopain.models.config import NetConfig
from neopain.models.layers import ScoreHead

STEPS_PER_TOKEN = 8
VITALS_TOKENS = VITALS_STEPS // STEPS_PER_TOKEN

TYPICAL = {
    "rr_interval": (430.0, 60.0),
    "heart_rate": (140.0, 25.0),
    "spo2": (95.0, 5.0),
    "respiration": (48.0, 15.0),
    "movement": (0.2, 0.2),
}
"""Centre and spread of each channel in its own unit, rounded: term and late preterm ranges of Bohnhorst 2019 (n=215)
and Paliwoda 2021; movement is 0..1. They only bring the channels to one scale."""


def token_seconds() -> Tensor:
    """Middle of each token, in seconds before T (negative), float32 [15]."""
    middles = STEPS_PER_TOKEN * (torch.arange(VITALS_TOKENS, dtype=torch.float32) + 0.5)
    return (middles - VITALS_STEPS) / VITALS_RATE_HZ


class ResidualBlock(nn.Module):
    """Two convolutions of 5 steps with batch norm, and a shortcut; the first may halve the rate."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, outputs, 5, stride=2, padding=2, bias=False)
        self.first_norm = nn.BatchNorm1d(outputs)
        self.second = nn.Conv1d(outputs, outputs, 5, padding=2, bias=False)
        self.second_norm = nn.BatchNorm1d(outputs)
        self.shortcut = nn.Conv1d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] -> [B, outputs, N / 2]."""
        y = torch.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return torch.relu(y + self.shortcut(x))


class VitalsEncoder(nn.Module):
    """VITALS to VITALS_TOKENS and VITALS_SCORE."""

    centre: Tensor
    spread: Tensor

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        centre, spread = zip(*(TYPICAL[name] for name in VITALS_CHANNELS), strict=True)
        self.register_buffer("centre", torch.tensor(centre)[:, None])
        self.register_buffer("spread", torch.tensor(spread)[:, None])
        sizes = [2 * len(VITALS_CHANNELS), *[config.vitals.channels] * config.vitals.blocks]
        self.blocks = nn.Sequential(*(ResidualBlock(i, o) for i, o in pairwise(sizes)))
        self.neck = nn.BatchNorm1d(config.vitals.channels, affine=False)
        self.project = nn.Linear(config.vitals.channels, config.width)
        self.head = ScoreHead(config.width)

    def forward(self, vitals: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [B, 10, 120] (values, then masks) -> tokens [B, 15, W], oldest first, and pain [B, 1] in 0..10."""
        values, masks = vitals.chunk(2, dim=1)
        valid = masks > 0.5
        normalised = ((values - self.centre) / self.spread).clamp(-6, 6)
        channels = torch.cat([torch.where(valid, normalised, 0.0), valid.to(torch.float32)], dim=1)
        features = self.neck(self.blocks(channels))
        tokens = self.project(features.transpose(1, 2))
        return tokens, self.head(tokens)
