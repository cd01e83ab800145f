"""What the nets are punished for. A target that nobody rated is NaN and costs nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from neopain.features.signature import QUANTILES

SCORE_BEND = 1.0
"""Errors of a score below this count squared, above it by their size."""


def pinball(quantiles: Tensor, labels: Tensor) -> Tensor:
    """Mean pinball loss of [B, 9] at the levels of ``QUANTILES`` for labels [B] (Koenker and Bassett 1978)."""
    known = ~labels.isnan()
    levels = torch.tensor(QUANTILES, device=quantiles.device, dtype=quantiles.dtype)
    short = torch.where(known, labels, 0.0)[:, None] - quantiles
    losses = torch.maximum(levels * short, (levels - 1) * short)
    return _mean(losses, known[:, None].expand_as(losses))


def score_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean smooth absolute error of scores for labels, [B] each, both on 0..10 (Huber 1964)."""
    known = ~labels.isnan()
    losses = functional.smooth_l1_loss(scores, torch.where(known, labels, 0.0), reduction="none", beta=SCORE_BEND)
    return _mean(losses, known)


def squared_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error where the targets are known, of any shape."""
    known = ~targets.isnan()
    return _mean((values - torch.where(known, targets, 0.0)).square(), known)


def share_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy of logits for targets 0..1 where those are known, of any shape."""
    known = ~targets.isnan()
    wanted = torch.where(known, targets, 0.0)
    return _mean(functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none"), known)


def _mean(losses: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp_min(1)
