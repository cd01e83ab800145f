"""The readers of the fusion head: from the tokens of all present modalities and the context to an opinion.

Each reads, side by side through a small net, what a modality sums up to (its mean token, and what its encoder alone
would say), what its tokens do over time, and the context. An attentive one also lets latent queries ask all tokens, by
masked attention across the modalities, and adds what they found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from neopain.features.signature import CLIP_FRAMES, CONTEXT_FIELDS, PRESENT_FLAGS, QUANTILES
from neopain.models import audio_encoder, vitals_encoder
from neopain.models.config import NetConfig
from neopain.models.layers import MASKED, Attention, FeedForward, time_code
from neopain.models.video_encoder import VIDEO_TOKENS

FRAME_SECONDS = 4 / 30
"""The clip takes every fourth frame of 30 per second."""

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
    """Latents read the tokens; each then goes through a net of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_latents = nn.LayerNorm(width)
        self.norm_tokens = nn.LayerNorm(width)
        self.cross = Attention(width, heads)
        self.norm_forward = nn.LayerNorm(width)
        self.forward_net = FeedForward(width)

    def forward(self, latents: Tensor, tokens: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """latents [B, L, W], tokens [B, N, W], bias [B, N] -> latents and attention weights [B, L, N]."""
        read, weights = self.cross(self.norm_latents(latents), self.norm_tokens(tokens), bias)
        latents = latents + read
        return latents + self.forward_net(self.norm_forward(latents)), weights


class Neighbours(nn.Module):
    """A convolution over three tokens in time and GELU; as one linear layer, whose weights are stored in int8."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * width, features)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, F]."""
        padded = functional.pad(tokens, (0, 0, 1, 1))
        together = torch.cat([padded[:, :-2], tokens, padded[:, 2:]], dim=2)
        return functional.gelu(self.linear(together))


class OverTime(nn.Module):
    """What a modality's tokens do over time, which their mean does not tell: statistics of them, and of features of
    neighbours in time (statistics pooling; Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        features = width // 3
        self.local = nn.Sequential(Neighbours(width, features), nn.Dropout(dropout), Neighbours(features, features))
        self.size = 4 * width + 3 * features

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, W] -> [B, ``size``]: spread, peak, and how far the last and the first third are from the mean; of the
        features mean, peak and spread."""
        mean, third = tokens.mean(dim=1), tokens.shape[1] // 3
        local = self.local(tokens)
        return torch.cat(
            [
                _spread(tokens),
                tokens.amax(dim=1),
                tokens[:, -third:].mean(dim=1) - mean,
                tokens[:, :third].mean(dim=1) - mean,
                local.mean(dim=1),
                local.amax(dim=1),
                _spread(local),
            ],
            dim=1,
        )


def _spread(tokens: Tensor) -> Tensor:
    """Standard deviation over time, [B, N, W] -> [B, W]; never quite 0, where its slope is infinite."""
    deviation = tokens - tokens.mean(dim=1, keepdim=True)
    return (deviation.square().mean(dim=1) + 1e-6).sqrt()


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
    """Reads the summaries, what happens over time, the context and PRESENT side by side."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width, modalities = config.width, len(PRESENT_FLAGS)
        self.summary = nn.Parameter(torch.randn(modalities, width) * 0.5)
        self.said = nn.Parameter(torch.randn(modalities, width) * 0.5)
        """By how much a score one ``SCORE_SPREAD`` above the centre moves its modality's summary."""
        self.context = ContextToken(width)
        dropout = config.fusion.dropout
        courses = [OverTime(width, dropout) for _ in range(modalities)]
        self.courses = nn.ModuleList(courses)
        beside = (modalities + 1) * width + modalities + sum(course.size for course in courses)
        self.joint = nn.Sequential(
            nn.LayerNorm(beside),
            nn.Linear(beside, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
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
        courses = []
        for index, course in enumerate(self.courses):
            there = window.present[:, index, None]
            tokens = torch.where(there[:, :, None], window.tokens[index], 0.0)
            courses.append(torch.where(there, course(tokens), 0.0))
        beside = torch.cat([summaries.flatten(1), *courses, told[:, 0], window.present.to(told.dtype)], dim=1)
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
        latents = self.latents.expand(window.present.shape[0], -1, -1)
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


def mean_opinion(opinions: Sequence[Opinion]) -> Opinion:
    """The mean of each part; of quantiles it is Vincent's average."""
    quantiles, sedation, nobody, vector = (torch.stack(each).mean(dim=0) for each in zip(*opinions, strict=True))
    return Opinion(quantiles, sedation, nobody, vector)
