"""Disturbed face crops: moved, turned, mirrored, lit otherwise, partly covered. All frames of a clip alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LARGEST = 255.0


@dataclass(frozen=True, slots=True)
class PictureDisturbance:
    """How far each disturbance goes."""

    shift: float = 0.08
    """Of the edge, in both directions."""
    zoom: float = 0.12
    turn_degrees: float = 15.0
    gain: float = 0.35
    """Natural logarithm of the brightness."""
    gamma: float = 0.35
    """Natural logarithm of the exponent."""
    tint: float = 0.12
    """Natural logarithm of each colour's brightness."""
    cover_probability: float = 0.4
    cover: float = 0.35
    """Longest edge of the covered rectangle, of the picture's edge."""
    noise: float = 6.0
    """Largest standard deviation, of 0..255."""


def disturb_clips(clips: Tensor, how: PictureDisturbance) -> Tensor:
    """Pixels 0..255 [B, T, H, W, 3] of any type -> float32 of the same shape, each clip disturbed in its own way."""
    moved = _moved(clips.to(torch.float32), how)
    lit = _lit(moved, how)
    return _covered(lit, how).clamp(0.0, LARGEST)


def disturb_frames(frames: Tensor, how: PictureDisturbance) -> Tensor:
    """Pixels 0..255 [B, H, W, 3] -> float32 of the same shape."""
    return disturb_clips(frames[:, None], how)[:, 0]


def hold_frames(clips: Tensor, probability: float) -> Tensor:
    """Some clips [B, T, ...] as a slow camera would give them: each frame stands for two or three places."""
    batch, places = clips.shape[:2]
    every = torch.randint(2, 4, (batch, 1), device=clips.device)
    slow = torch.rand(batch, 1, device=clips.device) < probability
    at = torch.arange(places, device=clips.device)[None]
    # The newest place keeps its own frame: a camera's last frame is never older than it has to be.
    held = places - 1 - torch.div(places - 1 - at + every - 1, every, rounding_mode="floor") * every
    source = torch.where(slow, held.clamp_min(0), at)
    return clips[torch.arange(batch, device=clips.device)[:, None], source]


def _moved(clips: Tensor, how: PictureDisturbance) -> Tensor:
    batch, frames, height, width, colours = clips.shape
    grid = functional.affine_grid(_maps(batch, how, clips.device), [batch, colours, height, width], align_corners=False)
    stacked = clips.permute(0, 1, 4, 2, 3).reshape(batch, frames * colours, height, width)
    moved = functional.grid_sample(stacked, grid, padding_mode="border", align_corners=False)
    return moved.reshape(batch, frames, colours, height, width).permute(0, 1, 3, 4, 2)


def _maps(batch: int, how: PictureDisturbance, device: torch.device) -> Tensor:
    """From places in the new picture to places in the old one, -1..1: [B, 2, 3]."""
    angle = _uniform((batch,), math.radians(how.turn_degrees), device)
    size = _uniform((batch,), how.zoom, device).exp()
    mirror = torch.where(torch.rand(batch, device=device) < 0.5, -1.0, 1.0)
    shift = _uniform((batch, 2), 2 * how.shift, device)
    across = torch.stack([angle.cos() * size * mirror, -angle.sin() * size, shift[:, 0]], dim=1)
    down = torch.stack([angle.sin() * size * mirror, angle.cos() * size, shift[:, 1]], dim=1)
    return torch.stack([across, down], dim=1)


def _lit(clips: Tensor, how: PictureDisturbance) -> Tensor:
    batch, device = len(clips), clips.device
    gain = _uniform((batch, 1, 1, 1, 1), how.gain, device) + _uniform((batch, 1, 1, 1, 3), how.tint, device)
    gamma = _uniform((batch, 1, 1, 1, 1), how.gamma, device).exp()
    lit = LARGEST * (clips / LARGEST).clamp(1e-3, 1.0).pow(gamma) * gain.exp()
    spread = how.noise * torch.rand(batch, 1, 1, 1, 1, device=device)
    return lit + spread * torch.randn_like(clips)


def _covered(clips: Tensor, how: PictureDisturbance) -> Tensor:
    """A rectangle of one colour over all frames of some clips: a hand, a tape, a cloth."""
    batch, _, height, width, _ = clips.shape
    device = clips.device
    is_covered = torch.rand(batch, device=device) < how.cover_probability
    rows = _span(batch, height, how.cover, device)
    columns = _span(batch, width, how.cover, device)
    under = rows[:, :, None] & columns[:, None, :] & is_covered[:, None, None]
    colour = LARGEST * torch.rand(batch, 1, 1, 1, 3, device=device)
    return torch.where(under[:, None, :, :, None], colour, clips)


def _span(batch: int, length: int, longest: float, device: torch.device) -> Tensor:
    """Which of ``length`` places lie in a random stretch, bool [B, length]."""
    size = longest * torch.rand(batch, 1, device=device)
    begin = torch.rand(batch, 1, device=device) * (1 - size)
    at = (torch.arange(length, device=device)[None] + 0.5) / length
    return (at >= begin) & (at < begin + size)


def _uniform(shape: tuple[int, ...], largest: float, device: torch.device) -> Tensor:
    """From -largest to largest."""
    return largest * (2 * torch.rand(shape, device=device) - 1)
