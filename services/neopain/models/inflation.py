"""The face net without its time axis, and how its weights become those of the I3D.

Learning on single frames costs about a sixteenth of learning on clips. A 2D net with the same tensors is trained first;
then every kernel is repeated over time and divided by its length, so that a still picture gives in 3D what it gave in
2D (Carreira & Zisserman 2017, section 2.3). That holds away from the ends of a clip, where the padding is zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from neopain.models.config import NetConfig, VideoConfig
from neopain.models.layers import ScoreHead
from neopain.models.video_encoder import CLIP_MEAN, CLIP_STD, TEMPORAL_KERNELS

STEM_FRAMES = 5
"""Length of the stem's kernel in time."""

_STEM = re.compile(r"(^|\.)stem_conv\.weight$")
_CONV_A = re.compile(r"(^|\.)res(\d)\.(\d+)\.conv_a\.weight$")
_FLAT_KERNEL_AXES = 4
_KERNEL_AXES = 5


class FlatBottleneck(nn.Module):
    """``Bottleneck`` of one frame: 1x1, 3x3 (carries the stride), 1x1, each with batch norm, and a shortcut."""

    def __init__(self, inputs: int, inner: int, *, stride: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv_a = nn.Conv2d(inputs, inner, 1, bias=False)
        self.norm_a = nn.BatchNorm2d(inner)
        self.conv_b = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.norm_b = nn.BatchNorm2d(inner)
        self.conv_c = nn.Conv2d(inner, outputs, 1, bias=False)
        self.norm_c = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, 4 * inner, H / stride, W / stride]."""
        y = torch.relu(self.norm_a(self.conv_a(x)))
        y = torch.relu(self.norm_b(self.conv_b(y)))
        y = self.norm_c(self.conv_c(y))
        return torch.relu(y + self.shortcut(x))


class FlatBackbone(nn.Module):
    """``Backbone`` of one frame: the same tensors by name, without their axis of time."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        stem = config.stem_channels
        self.stem_conv = nn.Conv2d(3, stem, 7, 2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(stem)
        self.stem_pool = nn.MaxPool2d(3, 2, padding=1)
        self.res2 = _stage(stem, stem, depth=config.depths[0], stride=1)
        self.res3 = _stage(4 * stem, 2 * stem, depth=config.depths[1], stride=2)
        self.res4 = _stage(8 * stem, 4 * stem, depth=config.depths[2], stride=2)
        self.res5 = _stage(16 * stem, 8 * stem, depth=config.depths[3], stride=2)
        self.features = 32 * stem

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, 3, H, W], normalised -> [B, 2048, H / 32, W / 32]."""
        x = self.stem_pool(torch.relu(self.stem_norm(self.stem_conv(x))))
        out: Tensor = self.res5(self.res4(self.res3(self.res2(x))))
        return out


def _stage(inputs: int, inner: int, *, depth: int, stride: int) -> nn.Sequential:
    first = FlatBottleneck(inputs, inner, stride=stride)
    return nn.Sequential(first, *(FlatBottleneck(4 * inner, inner, stride=1) for _ in range(depth - 1)))


class FlatEncoder(nn.Module):
    """``VideoEncoder`` of one frame, of any size."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.backbone = FlatBackbone(config.video)
        self.neck = nn.BatchNorm1d(self.backbone.features, affine=False)
        self.project = nn.Linear(self.backbone.features, config.width)
        self.head = ScoreHead(config.width)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """RGB of 0..255, [B, H, W, 3] -> one token [B, 1, W] and pain [B, 1] in 0..10."""
        x = frames.to(torch.float32).permute(0, 3, 1, 2)
        features = self.backbone((x / 255 - CLIP_MEAN) / CLIP_STD).mean(dim=(2, 3))
        tokens = self.project(self.neck(features)).unsqueeze(1)
        return tokens, self.head(tokens)


def inflate(flat: Mapping[str, Tensor], start: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The 3D state of a 2D one, whole encoder or backbone alone.

    With ``start``, 3D weights that know of motion (a published checkpoint), each kernel keeps its course over time and
    only its sum is moved to the 2D kernel.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in flat.items():
        if tensor.dim() != _FLAT_KERNEL_AXES:
            state[name] = tensor
            continue
        frames = kernel_frames(name)
        base = start[name] if start is not None else torch.zeros_like(tensor).unsqueeze(2).repeat(1, 1, frames, 1, 1)
        state[name] = base + ((tensor - base.sum(dim=2)) / frames).unsqueeze(2)
    return state


def deflate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The 2D state that sees in a still picture what the 3D one sees: every kernel summed over time."""
    return {name: tensor.sum(dim=2) if tensor.dim() == _KERNEL_AXES else tensor for name, tensor in state.items()}


def kernel_frames(name: str) -> int:
    """Length in time of the I3D's kernel of that name."""
    if _STEM.search(name):
        return STEM_FRAMES
    if found := _CONV_A.search(name):
        kernels = TEMPORAL_KERNELS[int(found[2]) - 2]
        return kernels[int(found[3]) % len(kernels)]
    return 1
