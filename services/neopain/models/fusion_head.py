"""The fusion head: readers that answer together, which modality they go by, and how far from the known a window is.

The readers (``models.readers``) share nothing and learn each by itself, and the answer is the mean of theirs: a small
ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474).

An absent modality is fully masked and its own learned "absent" token takes its place, so that the net knows what is
missing and never meets a window with every key masked. What lies behind a mask is replaced before it is used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neopain.features.signature import PRESENT_FLAGS
from neopain.models.config import NetConfig
from neopain.models.readers import TOKENS, AttentiveReader, Opinion, Reader, Window, mean_opinion

NOBODY_DISTANCE = 2.0
"""DISTANCE of a window that certainly shows no infant; at even odds it is 1, the edge of the training data."""


class FusionHead(nn.Module):
    """Tokens and scores of the encoders, CONTEXT and PRESENT to the outputs of the ensemble."""

    typical_mean: Tensor
    typical_spread: Tensor
    distance_unit: Tensor

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        first, *others = config.fusion.readers
        width, modalities = config.width, len(PRESENT_FLAGS)
        self.dropout = config.fusion.modality_dropout
        self.attentive = AttentiveReader(config, first)
        """Its attention is the one that is told."""
        self.others = nn.ModuleList(AttentiveReader(config, layers) if layers else Reader(config) for layers in others)
        self.register_buffer("typical_mean", torch.zeros(modalities, width))
        self.register_buffer("typical_spread", torch.ones(modalities, width))
        self.register_buffer("distance_unit", torch.ones(modalities))

    @property
    def readers(self) -> list[Reader]:
        """All of them."""
        return [one for one in self.modules() if isinstance(one, Reader)]

    def forward(
        self,
        tokens: tuple[Tensor, Tensor, Tensor],
        scores: tuple[Tensor, Tensor, Tensor],
        context: Tensor,
        present: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Fuses one window; for what it takes see ``Window``.

        Returns SCORE_QUANTILES [B, 9], SCORE_BY_MODALITY [B, 3] (0 for an absent one), ATTENTION [B, 3], SEDATION
        [B, 1], DISTANCE [B, 1]; see ``features.signature``.
        """
        if self.training:
            present = hide_modalities(present, self.dropout)
        window = Window(tokens, scores, context, present)
        opinions, weights = self.opinions(window)
        quantiles, sedation, nobody, _ = mean_opinion(opinions)
        return (
            quantiles,
            torch.where(present, torch.cat(scores, dim=1), 0.0),
            _shares(weights, present),
            sedation,
            torch.maximum(self._distance(window), NOBODY_DISTANCE * nobody.sigmoid()),
        )

    def opinions(self, window: Window) -> tuple[list[Opinion], Tensor]:
        """What each reader says, and the weight of each key [B, 50] in what the first one says."""
        opinion, weights = self.attentive.attend(window)
        return [opinion, *(other(window) for other in self.others)], weights

    def _distance(self, window: Window) -> Tensor:
        """The largest of the present modalities' distances from their typical mean token, [B, 1]."""
        deviation = (window.means - self.typical_mean) / self.typical_spread
        distances = deviation.square().mean(dim=2).sqrt() / self.distance_unit
        return torch.where(window.present, distances, 0.0).amax(dim=1, keepdim=True)


def hide_modalities(present: Tensor, share: float) -> Tensor:
    """Hides each present modality with probability ``share``, but never the last one; bool [B, 3] -> bool [B, 3]."""
    kept = present & (torch.rand(present.shape, device=present.device) >= share)
    return torch.where(kept.any(dim=1, keepdim=True), kept, present)


def _shares(weights: Tensor, present: Tensor) -> Tensor:
    """Attention on each modality's tokens and summary [B, 3] from weights [B, 50]; present ones sum to 1, absent ones
    are 0."""
    ends = [sum(TOKENS[: i + 1]) for i in range(len(TOKENS))]
    over_time = torch.stack(
        [weights[:, end - count : end].sum(dim=1) for end, count in zip(ends, TOKENS, strict=True)], dim=1
    )
    sums = over_time + weights[:, ends[-1] : ends[-1] + len(TOKENS)]
    sums = torch.where(present, sums, 0.0)
    return sums / sums.sum(dim=1, keepdim=True).clamp_min(1e-9)
