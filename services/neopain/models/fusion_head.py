"""Masked cross-modal attention: latent queries read the tokens of all present modalities and the context.

Beside its tokens over time each modality has one that sums it up: their mean, and what its encoder alone would say. So
the queries need not learn to average before they can weigh one modality against another. The summaries and the context
also go side by side through a small net whose answer is added to the queries' (on 36 simulated infants that trained
nothing, same tokens and steps: MAE 0.747 with it, 0.768 without, 0.781 with such a net alone).

The head is a small ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474): readers that share nothing learn each by
itself, one by attention and one from the summaries alone, and the answer is the mean of theirs. They err on different
windows (150 simulated infants that trained nothing: MAE 0.770 and 0.787 alone, 0.765 together; one reader of two layers
with more weights than both: 0.777).

An absent modality is fully masked and its own learned "absent" token takes its place, so that the net knows what is
missing and never meets a window with every key masked. What lies behind a mask is replaced before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neopain.features.signature import CLIP_FRAMES, CONTEXT_FIELDS, PRESENT_FLAGS, QUANTILES
from neopain.models import audio_encoder, vitals_encoder
from neopain.models.config import NetConfig
from neopain.models.layers import MASKED, Attention, FeedForward, TransformerLayer, time_code
from neopain.models.video_encoder import VIDEO_TOKENS

FRAME_SECONDS = 4 / 30
"""The clip takes every fourth frame of 30 per second."""

NOBODY_DISTANCE = 2.0
"""DISTANCE of a window that certainly shows no infant; at even odds it is 1, the edge of the training data."""

SCORE_CENTRE, SCORE_SPREAD = 5.0, 3.0
"""They only bring the encoders' scores, 0..10, to the scale of the tokens."""

TOKENS = (VIDEO_TOKENS, audio_encoder.AUDIO_TOKENS, vitals_encoder.VITALS_TOKENS)
"""Tokens of face, cry and vitals, in the order of PRESENT."""

TYPICAL_CONTEXT = {
    "baseline_heart_rate_delta": (0.0, 15.0),
    "baseline_spo2_delta": (0.0, 4.0),
    "baseline_respiration_delta": (0.0, 12.0),
    "rmssd_ms": (15.0, 10.0),
    "sdnn_ms": (20.0, 12.0),
    "source_has_beats": (0.5, 0.5),
    "source_averaging_seconds": (6.0, 4.0),
    "blood_pressure_mean": (42.0, 10.0),
    "blood_pressure_age_seconds": (600.0, 600.0),
    "gestational_age_weeks": (34.0, 4.0),
    "postmenstrual_age_weeks": (36.0, 4.0),
}
"""Centre and spread of each CONTEXT field in its own unit, rounded; they only bring the fields to one scale."""


def video_seconds() -> Tensor:
    """Middle of each video token's two frames, in seconds before T (negative), float32 [8]."""
    frames = 2 * torch.arange(VIDEO_TOKENS, dtype=torch.float32) + 0.5
    return (frames - (CLIP_FRAMES - 1)) * FRAME_SECONDS


class LatentLayer(nn.Module):
    """Latents read the tokens, then each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_latents = nn.LayerNorm(width)
        self.norm_tokens = nn.LayerNorm(width)
        self.cross = Attention(width, heads)
        self.norm_forward = nn.LayerNorm(width)
        self.forward_net = FeedForward(width)
        self.exchange = TransformerLayer(width, heads)

    def forward(self, latents: Tensor, tokens: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """latents [B, L, W], tokens [B, N, W], bias [B, N] -> latents and attention weights [B, L, N]."""
        read, weights = self.cross(self.norm_latents(latents), self.norm_tokens(tokens), bias)
        latents = latents + read
        latents = latents + self.forward_net(self.norm_forward(latents))
        return self.exchange(latents), weights


class ContextToken(nn.Module):
    """CONTEXT as one token; a masked field counts as its typical value, and as masked."""

    centre: Tensor
    spread: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        centre, spread = zip(*(TYPICAL_CONTEXT[name] for name in CONTEXT_FIELDS), strict=True)
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("spread", torch.tensor(spread))
        self.net = nn.Sequential(nn.Linear(2 * len(CONTEXT_FIELDS), width), nn.GELU(), nn.Linear(width, width))

    def forward(self, context: Tensor) -> Tensor:
        """[B, 22] (values, then masks) -> [B, 1, W]."""
        values, masks = context.chunk(2, dim=1)
        valid = masks > 0.5
        normalised = ((values - self.centre) / self.spread).clamp(-6, 6)
        fields = torch.cat([torch.where(valid, normalised, 0.0), valid.to(torch.float32)], dim=1)
        token: Tensor = self.net(fields).unsqueeze(1)
        return token


class Window(NamedTuple):
    """Tokens float32 [B, 8, W], [B, 20, W], [B, 15, W] of face, cry and vitals, the scores [B, 1] of their encoders,
    CONTEXT [B, 22] and PRESENT bool [B, 3]."""

    tokens: tuple[Tensor, Tensor, Tensor]
    scores: tuple[Tensor, Tensor, Tensor]
    context: Tensor
    present: Tensor

    @property
    def means(self) -> Tensor:
        """Each modality's mean token, whether present or not, [B, 3, W]."""
        return torch.stack([each.mean(dim=1) for each in self.tokens], dim=1)


class Opinion(NamedTuple):
    """Quantiles [B, 9] on 0..10, sedation [B, 1] on 0..-10, the logit [B, 1] of there being no infant, and the vector
    [B, W] that they were read from."""

    quantiles: Tensor
    sedation: Tensor
    nobody: Tensor
    vector: Tensor


class Reader(nn.Module):
    """Reads the summaries, the context and PRESENT side by side."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width, modalities = config.width, len(PRESENT_FLAGS)
        self.summary = nn.Parameter(torch.randn(modalities, width) * 0.5)
        self.said = nn.Parameter(torch.randn(modalities, width) * 0.5)
        """By how much a score one ``SCORE_SPREAD`` above the centre moves its modality's summary."""
        self.context = ContextToken(width)
        summed = (modalities + 1) * width + modalities
        self.joint = nn.Sequential(
            nn.LayerNorm(summed), nn.Linear(summed, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU()
        )
        self.norm = nn.LayerNorm(width)
        self.steps = nn.Linear(width, len(QUANTILES) + 1)
        self.sedation = nn.Linear(width, 1)
        self.nobody = nn.Linear(width, 1)
        """Logit of there being no infant at all: a cot that is empty must not be scored."""

    def forward(self, window: Window) -> Opinion:
        """What it says of each window."""
        summaries, told = self._summaries(window), self.context(window.context)
        return self._opinion(self._side_by_side(window, summaries, told))

    def _opinion(self, read: Tensor) -> Opinion:
        vector = self.norm(read)
        return Opinion(
            10 * self.steps(vector).softmax(dim=-1).cumsum(dim=-1)[:, : len(QUANTILES)],
            -10 * self.sedation(vector).sigmoid(),
            self.nobody(vector),
            vector,
        )

    def _side_by_side(self, window: Window, summaries: Tensor, told: Tensor) -> Tensor:
        """[B, W]."""
        beside = torch.cat([summaries.flatten(1), told[:, 0], window.present.to(told.dtype)], dim=1)
        read: Tensor = self.joint(beside)
        return read

    def _summaries(self, window: Window) -> Tensor:
        """One key for each modality, [B, 3, W]."""
        said = (torch.cat(window.scores, dim=1) - SCORE_CENTRE) / SCORE_SPREAD
        summed = window.means + said[:, :, None] * self.said
        return torch.where(window.present[:, :, None], summed, 0.0) + self.summary


class AttentiveReader(Reader):
    """Reads all tokens by attention, too."""

    clock: Tensor

    def __init__(self, config: NetConfig, layers: int) -> None:
        super().__init__(config)
        width, modalities = config.width, len(PRESENT_FLAGS)
        seconds = torch.cat([video_seconds(), audio_encoder.token_seconds(), vitals_encoder.token_seconds()])
        self.register_buffer("clock", time_code(seconds, width), persistent=False)
        self.modality = nn.Parameter(torch.randn(modalities, width) * 0.5)
        self.absent = nn.Parameter(torch.randn(modalities, width) * 0.5)
        self.latents = nn.Parameter(torch.randn(config.fusion.latents, width))
        self.layers = nn.ModuleList(LatentLayer(width, config.fusion.heads) for _ in range(layers))

    def forward(self, window: Window) -> Opinion:
        """What it says of each window."""
        return self.attend(window)[0]

    def attend(self, window: Window) -> tuple[Opinion, Tensor]:
        """What it says of each window, and the weight of each key in it, [B, 50]."""
        summaries, told = self._summaries(window), self.context(window.context)
        keys, bias = self._keys(window, summaries, told)
        latents = self.latents.expand(len(window.present), -1, -1)
        weights: list[Tensor] = []
        for layer in self.layers:
            latents, read = layer(latents, keys, bias)
            weights.append(read)
        opinion = self._opinion(latents.mean(dim=1) + self._side_by_side(window, summaries, told))
        return opinion, torch.stack(weights).mean(dim=(0, 2))

    def _keys(self, window: Window, summaries: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """All keys [B, 50, W] and their bias [B, 50]: tokens, then of each modality its summary, then its absent
        token, then the context."""
        present = window.present
        batch = present.shape[0]
        seen = torch.cat([present[:, i, None].expand(-1, count) for i, count in enumerate(TOKENS)], dim=1)
        given = torch.where(seen[:, :, None], torch.cat(window.tokens, dim=1), 0.0)
        labels = torch.cat([self.modality[i].expand(count, -1) for i, count in enumerate(TOKENS)])
        keys = torch.cat([given + labels + self.clock, summaries, self.absent.expand(batch, -1, -1), told], dim=1)
        readable = torch.cat([seen, present, ~present, torch.ones_like(present[:, :1])], dim=1)
        return keys, torch.where(readable, 0.0, MASKED)


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


def mean_opinion(opinions: Sequence[Opinion]) -> Opinion:
    """The mean of each part; of quantiles it is Vincent's average."""
    quantiles, sedation, nobody, vector = (torch.stack(each).mean(dim=0) for each in zip(*opinions, strict=True))
    return Opinion(quantiles, sedation, nobody, vector)


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
