"""I3D-ResNet-50: from 16 face crops to eight tokens, one for every two frames, and a score of the face alone.

The architecture is that of SlowFast's ``I3D_8x8_R50``; the same tensors, so Kinetics-400 checkpoints fit. The
classification head is left out: mean over height and width, the time axis is kept for the fusion head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neopain.features.signature import CLIP_FRAMES
from neopain.models.config import NetConfig, VideoConfig
from neopain.models.layers import ScoreHead

CLIP_MEAN = 0.45
CLIP_STD = 0.225
"""Of 0..1 pixels, the same on all channels (SlowFast ``config/defaults.py`` DATA.MEAN, DATA.STD)."""

VIDEO_TOKENS = CLIP_FRAMES // 2

TEMPORAL_KERNELS = ((3,), (3, 1), (3, 1), (1, 3))
"""Temporal kernel of conv_a in res2 .. res5, repeated over the blocks of the stage."""


class Bottleneck(nn.Module):
    """conv_a Tx1x1, conv_b 1x3x3 (carries the spatial stride), conv_c 1x1x1, each with batch norm, and a shortcut."""

    def __init__(self, inputs: int, inner: int, *, temporal_kernel: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * inner
        pad = temporal_kernel // 2
        self.conv_a = nn.Conv3d(inputs, inner, (temporal_kernel, 1, 1), padding=(pad, 0, 0), bias=False)
        self.norm_a = nn.BatchNorm3d(inner)
        self.conv_b = nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False)
        self.norm_b = nn.BatchNorm3d(inner)
        self.conv_c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.norm_c = nn.BatchNorm3d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            conv = nn.Conv3d(inputs, outputs, 1, (1, stride, stride), bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm3d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, H, W] -> [B, 4 * inner, T, H / stride, W / stride]."""
        y = torch.relu(self.norm_a(self.conv_a(x)))
        y = torch.relu(self.norm_b(self.conv_b(y)))
        y = self.norm_c(self.conv_c(y))
        return torch.relu(y + self.shortcut(x))


class Backbone(nn.Module):
    """The stem and the four stages of I3D-R50, 27.22 M parameters."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        stem = config.stem_channels
        self.stem_conv = nn.Conv3d(3, stem, (5, 7, 7), (1, 2, 2), padding=(2, 3, 3), bias=False)
        self.stem_norm = nn.BatchNorm3d(stem)
        self.stem_pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1))
        self.res2 = _stage(stem, stem, depth=config.depths[0], kernels=TEMPORAL_KERNELS[0], stride=1)
        self.time_pool = nn.MaxPool3d((2, 1, 1), (2, 1, 1))
        self.res3 = _stage(4 * stem, 2 * stem, depth=config.depths[1], kernels=TEMPORAL_KERNELS[1], stride=2)
        self.res4 = _stage(8 * stem, 4 * stem, depth=config.depths[2], kernels=TEMPORAL_KERNELS[2], stride=2)
        self.res5 = _stage(16 * stem, 8 * stem, depth=config.depths[3], kernels=TEMPORAL_KERNELS[3], stride=2)
        self.features = 32 * stem

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, 3, 16, 224, 224], normalised -> [B, 2048, 8, 7, 7]."""
        x = self.stem_pool(torch.relu(self.stem_norm(self.stem_conv(x))))
        x = self.time_pool(self.res2(x))
        out: Tensor = self.res5(self.res4(self.res3(x)))
        return out


def _stage(inputs: int, inner: int, *, depth: int, kernels: tuple[int, ...], stride: int) -> nn.Sequential:
    blocks = []
    for index in range(depth):
        kernel = kernels[index % len(kernels)]
        blocks.append(
            Bottleneck(
                inputs if index == 0 else 4 * inner,
                inner,
                temporal_kernel=kernel,
                stride=stride if index == 0 else 1,
            )
        )
    return nn.Sequential(*blocks)


class VideoEncoder(nn.Module):
    """CLIP to FACE_TOKENS and FACE_SCORE."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config.video)
        self.neck = nn.BatchNorm1d(self.backbone.features, affine=False)
        """Puts features of any checkpoint on one scale; its statistics come from the data, not from gradients."""
        self.project = nn.Linear(self.backbone.features, config.width)
        self.head = ScoreHead(config.width)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 RGB [B, 16, 224, 224, 3] -> tokens [B, 8, W], oldest first, and pain [B, 1] in 0..10."""
        x = clip.to(torch.float32).permute(0, 4, 1, 2, 3)
        features = self.backbone((x / 255 - CLIP_MEAN) / CLIP_STD).mean(dim=(3, 4))
        tokens = self.project(self.neck(features).transpose(1, 2))
        return tokens, self.head(tokens)
