"""VGGish and a transformer: from 10 s of sound to twenty tokens of 0.48 s, and a score of the cry alone.

The convolutions are VGGish's (4.50 M parameters, same tensors as its checkpoints). Its three fully connected layers
(67.64 M) are left out by default: each patch keeps its six time steps of 0.16 s, and a transformer with a code of time
reads all sixty together. Three of them make one token for the fusion head, so that the cry does not outnumber the face.

With them (``AudioConfig.fully_connected``) a patch is one embedding and the transformer reads ten. The fusion head
still gets twenty tokens: each patch's token twice, once for each of its halves, since an embedding says nothing finer,
and half-way between two patches would be a sound that nobody heard.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neopain.features.signature import CRY_SAMPLES
from neopain.models.config import AudioConfig, NetConfig
from neopain.models.layers import ScoreHead, TransformerLayer, split_axis, time_code
from neopain.models.log_mel import (
    FRAME_HOP,
    MEL_BANDS,
    PATCH_FRAMES,
    PATCHES,
    SAMPLE_RATE_HZ,
    LogMel,
    patch_starts,
)

POOLINGS = 4
STEPS_PER_PATCH = PATCH_FRAMES >> POOLINGS
BANDS_LEFT = MEL_BANDS >> POOLINGS
STEPS = PATCHES * STEPS_PER_PATCH
STEPS_PER_TOKEN = 3
AUDIO_TOKENS = STEPS // STEPS_PER_TOKEN
TOKENS_PER_PATCH = AUDIO_TOKENS // PATCHES


def step_seconds() -> Tensor:
    """Middle of each time step, in seconds before T (negative), float32 [60]."""
    step = FRAME_HOP * PATCH_FRAMES / STEPS_PER_PATCH
    starts = torch.tensor(patch_starts(), dtype=torch.float32)[:, None]
    middles = starts + step * (torch.arange(STEPS_PER_PATCH) + 0.5)
    return (middles.flatten() - CRY_SAMPLES) / SAMPLE_RATE_HZ


def token_seconds() -> Tensor:
    """Middle of each token, in seconds before T (negative), float32 [20]."""
    return split_axis(step_seconds(), 0, (AUDIO_TOKENS, STEPS_PER_TOKEN)).mean(dim=1)


def patch_seconds() -> Tensor:
    """Middle of each patch, in seconds before T (negative), float32 [10]."""
    return split_axis(step_seconds(), 0, (PATCHES, STEPS_PER_PATCH)).mean(dim=1)


class VggishConvolutions(nn.Sequential):
    """Six 3x3 convolutions and four poolings: [N, 1, 96, 64] (frame, band) -> [N, 512, 6, 4]."""

    def __init__(self, config: AudioConfig) -> None:
        first, second, third, fourth = config.channels
        super().__init__(
            *_conv(1, first), nn.MaxPool2d(2),
            *_conv(first, second), nn.MaxPool2d(2),
            *_conv(second, third), *_conv(third, third), nn.MaxPool2d(2),
            *_conv(third, fourth), *_conv(fourth, fourth), nn.MaxPool2d(2),
        )  # fmt: skip


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()


class VggishEmbedding(nn.Sequential):
    """Three fully connected layers: ``in_tensorflow_order`` [N, 12288] -> [N, 128]."""

    def __init__(self, config: AudioConfig) -> None:
        first, second, last = config.embedding
        super().__init__(
            nn.Linear(STEPS_PER_PATCH * BANDS_LEFT * config.channels[-1], first), nn.ReLU(),
            nn.Linear(first, second), nn.ReLU(),
            nn.Linear(second, last), nn.ReLU() if config.embedding_relu else nn.Identity(),
        )  # fmt: skip


def in_tensorflow_order(maps: Tensor) -> Tensor:
    """Maps [N, 512, 6, 4] as one row each, [N, 12288]: frame, band, channel, as the published layers were trained."""
    return maps.permute(0, 2, 3, 1).flatten(1)


class AudioEncoder(nn.Module):
    """CRY to CRY_TOKENS and CRY_SCORE."""

    clock: Tensor

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        audio = config.audio
        self.log_mel = LogMel()
        self.convolutions = VggishConvolutions(audio)
        self.embedding = VggishEmbedding(audio) if audio.fully_connected else None
        features = audio.embedding[-1] if audio.fully_connected else audio.channels[-1] * BANDS_LEFT
        self.neck = nn.BatchNorm1d(features, affine=False)
        self.project = nn.Linear(features, config.width)
        seconds = patch_seconds() if audio.fully_connected else step_seconds()
        self.steps = len(seconds)
        self.register_buffer("clock", time_code(seconds, config.width), persistent=False)
        self.layers = nn.ModuleList(TransformerLayer(config.width, audio.heads) for _ in range(audio.layers))
        self.head = ScoreHead(config.width)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [B, 160000], -1..1 -> tokens [B, 20, W], oldest first, and pain [B, 1] in 0..10."""
        tokens = self._read(self.log_mel(samples), self.clock, PATCHES)
        return tokens, self.head(tokens)

    def hear(self, patches: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Some patches of a window: log-mel [B, n, 96, 64] of ``places`` int64 [B, n] out of 0..9, ascending.

        Returns tokens [B, 2 n, W] and pain [B, 1] as far as these tell: with all ten, what ``forward`` gives.
        """
        clock = split_axis(self.clock, 0, (PATCHES, self.steps // PATCHES))[places].flatten(1, 2)
        tokens = self._read(patches, clock, places.shape[1])
        return tokens, self.head(tokens)

    def _read(self, patches: Tensor, clock: Tensor, count: int) -> Tensor:
        """So many patches, [B, count, 96, 64], to their tokens."""
        features = self._features(self.convolutions(patches.flatten(0, 1).unsqueeze(1)))
        steps = split_axis(self.project(self.neck(features)), 0, (-1, count * self.steps // PATCHES)) + clock
        for layer in self.layers:
            steps = layer(steps)
        return self._tokens(steps, count)

    def _features(self, maps: Tensor) -> Tensor:
        """Maps of all patches to features of all steps, [B * steps, F]."""
        if self.embedding is None:
            return maps.transpose(1, 2).flatten(2).flatten(0, 1)
        features: Tensor = self.embedding(in_tensorflow_order(maps))
        return features

    def _tokens(self, steps: Tensor, count: int) -> Tensor:
        """[B, steps, W] of so many patches -> [B, 2 count, W]."""
        if self.embedding is None:
            return split_axis(steps, 1, (count * TOKENS_PER_PATCH, STEPS_PER_TOKEN)).mean(dim=2)
        return steps.repeat_interleave(TOKENS_PER_PATCH, dim=1)
