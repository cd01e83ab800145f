"""Disturbed vitals: lost channels, slow monitors, windows that have only begun, other rhythms of the noise.

A net that has only seen full grids fails on a ward, where beats, numerics or movement come alone; here every channel is
sometimes missing, but never the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neopain.features.signature import VITALS_CHANNELS, VITALS_RATE_HZ, VITALS_STEPS

NOISE = {"rr_interval": 6.0, "heart_rate": 2.0, "spo2": 0.7, "respiration": 2.0, "movement": 0.03}
"""Standard deviation that is added, in the unit of each channel."""
MOVEMENT = VITALS_CHANNELS.index("movement")
BEATS = VITALS_CHANNELS.index("rr_interval")
SHORTEST_STEPS = 3 * VITALS_RATE_HZ
"""A window holds three seconds at least."""


@dataclass(frozen=True, slots=True)
class SignalDisturbance:
    """Probabilities for a window, unless it says otherwise."""

    lose_channel: float = 0.15
    """For each channel."""
    only_movement: float = 0.08
    only_physiology: float = 0.2
    no_beats: float = 0.3
    slow: float = 0.25
    slowest_steps: int = 40
    begun: float = 0.15
    noise: float = 0.5


def disturb_vitals(vitals: Tensor, how: SignalDisturbance) -> Tensor:
    """Float32 [B, 10, 120] (values, then masks) -> the same, each window disturbed in its own way."""
    values, masks = vitals.chunk(2, dim=1)
    valid = masks > 0.5
    values, valid = _slowed(values, valid, how)
    values = values + _noise(values, how)
    kept = _not_empty(valid & _kept_channels(valid, how), valid)
    begun = kept & _since_begin(kept, how)
    kept = _not_empty(begun, kept)
    return torch.cat([torch.where(kept, values, 0.0), kept.to(vitals.dtype)], dim=1)


def _kept_channels(valid: Tensor, how: SignalDisturbance) -> Tensor:
    batch, device = len(valid), valid.device
    kept = torch.rand(batch, len(VITALS_CHANNELS), device=device) >= how.lose_channel
    is_movement = torch.arange(len(VITALS_CHANNELS), device=device) == MOVEMENT
    is_beats = torch.arange(len(VITALS_CHANNELS), device=device) == BEATS
    chance = torch.rand(batch, 1, device=device)
    only_movement = chance < how.only_movement
    only_physiology = ~only_movement & (chance < how.only_movement + how.only_physiology)
    kept &= ~(only_movement & ~is_movement) & ~(only_physiology & is_movement)
    kept &= ~((torch.rand(batch, 1, device=device) < how.no_beats) & is_beats)
    return kept[:, :, None]


def _not_empty(wanted: Tensor, otherwise: Tensor) -> Tensor:
    """The masks that were wanted, or the others for windows of which nothing would be left."""
    return torch.where(wanted.any(dim=(1, 2), keepdim=True), wanted, otherwise)


def _slowed(values: Tensor, valid: Tensor, how: SignalDisturbance) -> tuple[Tensor, Tensor]:
    """Some windows as a slow monitor gives them: each value is held for some steps."""
    batch, device = len(values), values.device
    every = torch.randint(2, how.slowest_steps + 1, (batch, 1), device=device)
    offset = torch.randint(0, how.slowest_steps, (batch, 1), device=device)
    at = torch.arange(VITALS_STEPS, device=device)[None]
    held = (at - (at + offset) % every).clamp_min(0)
    source = torch.where(torch.rand(batch, 1, device=device) < how.slow, held, at)
    source = source[:, None].expand_as(values)
    return values.gather(2, source), valid.gather(2, source)


def _since_begin(valid: Tensor, how: SignalDisturbance) -> Tensor:
    """The last part of some windows: the sensors were just put on."""
    batch, device = len(valid), valid.device
    length = torch.randint(SHORTEST_STEPS, VITALS_STEPS, (batch, 1, 1), device=device)
    is_begun = torch.rand(batch, 1, 1, device=device) < how.begun
    at = torch.arange(VITALS_STEPS, device=device)
    return ~is_begun | (at >= VITALS_STEPS - length)


def _noise(values: Tensor, how: SignalDisturbance) -> Tensor:
    spread = torch.tensor([NOISE[name] for name in VITALS_CHANNELS], device=values.device)[None, :, None]
    is_noisy = torch.rand(len(values), 1, 1, device=values.device) < how.noise
    level = torch.where(is_noisy, torch.rand(len(values), 1, 1, device=values.device), 0.0)
    return level * spread * torch.randn_like(values)
