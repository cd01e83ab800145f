"""How the windows of each modality go through its encoder: what is read, how it is disturbed, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neopain.models.audio_encoder import AUDIO_TOKENS
from neopain.models.layers import split_axis
from neopain.models.video_encoder import VIDEO_TOKENS
from neopain.models.vitals_encoder import VITALS_TOKENS
from neopain.training.augment.pictures import PictureDisturbance, disturb_clips
from neopain.training.augment.signals import SignalDisturbance, disturb_vitals
from neopain.training.augment.sounds import SoundDisturbance, disturb_sounds, patches_of
from neopain.training.machine import Machine
from neopain.training.patterns import VARIANTS, C, F, M, P, letters_of, vitals_variants
from neopain.training.pool import Flags, Indices, Pool
from neopain.training.rows import Array, Rows, Shapes

TOKENS, SCORES = "tokens", "scores"


@dataclass(frozen=True, slots=True)
class Modality:
    """One modality of n windows, in the order of the rows that are asked for."""

    name: str
    axes: tuple[int, ...]
    """Of one window's tokens, before the last one."""
    at_once: int
    has: Flags
    """Bool [n]: the others get zeros."""
    read: Callable[[Indices], Array]
    """Rows to their inputs, [B, ...]."""
    encode: Callable[[Tensor], tuple[Tensor, Tensor]]
    """Inputs on the machine to tokens [B, *axes, W] and scores [B, *axes[:-1]]."""
    disturb: Callable[[Tensor], Tensor]

    def shapes(self, views: int, width: int) -> Shapes:
        """Of the rows that ``rows`` computes."""
        return {TOKENS: ((views, *self.axes, width), np.float16), SCORES: ((views, *self.axes[:-1]), np.float32)}

    @torch.no_grad()
    def rows(self, rows: range, *, views: int, width: int, disturbed: Flags, machine: Machine) -> Rows:
        """TOKENS and SCORES of these rows; in views after the first only of the ``disturbed`` ones (bool [n])."""
        shapes = self.shapes(views, width)
        out = {name: np.zeros((len(rows), *shape), dtype) for name, (shape, dtype) in shapes.items()}
        numbers = np.arange(rows.start, rows.stop)
        first = np.flatnonzero(self.has[numbers])
        inputs = machine.put({"": torch.from_numpy(self.read(numbers[first]))})[""] if len(first) else torch.empty(0)
        for view in range(views):
            is_chosen = np.ones(len(first), np.bool_) if view == 0 else disturbed[numbers[first]]
            if not is_chosen.any():
                continue
            given = inputs[torch.from_numpy(is_chosen).to(inputs.device)]
            tokens, scores = self.encode(self.disturb(given) if view else given)
            out[TOKENS][first[is_chosen], view] = tokens.cpu().numpy()
            out[SCORES][first[is_chosen], view] = scores.cpu().numpy()
        return out


Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""What an encoder takes, [B, ...], to tokens [B, n, W] and scores [B, 1]."""


def face(pool: Pool, numbers: Indices, encoder: Encode, *, at_once: int) -> Modality:
    """The clips of these windows."""
    how = PictureDisturbance()

    def read(rows: Indices) -> Array:
        return np.stack([pool.clip(number) for number in numbers[rows].tolist()])

    def encode(clips: Tensor) -> tuple[Tensor, Tensor]:
        tokens, scores = encoder(clips)
        return tokens, scores[:, 0]

    has = letters_of([pool.patterns[number] for number in numbers])[:, F]
    return Modality("face", (VIDEO_TOKENS,), at_once, has, read, encode, lambda clips: disturb_clips(clips, how))


def cry(pool: Pool, numbers: Indices, encoder: Encode, *, log_mels: Array | None = None) -> Modality:
    """The sounds of these windows; from log-mel frames of the whole pool where those are given, and the encoder then
    has no front end."""
    how = SoundDisturbance()

    def read(rows: Indices) -> Array:
        if log_mels is not None:
            return np.asarray(log_mels[numbers[rows]], np.float32)
        return np.stack([pool.sound(number) for number in numbers[rows].tolist()])

    def encode(inputs: Tensor) -> tuple[Tensor, Tensor]:
        tokens, scores = encoder(inputs if log_mels is None else patches_of(inputs))
        return tokens, scores[:, 0]

    has = letters_of([pool.patterns[number] for number in numbers])[:, C]
    return Modality("cry", (AUDIO_TOKENS,), 16, has, read, encode, lambda frames: disturb_sounds(frames, how))


def vitals(pool: Pool, numbers: Indices, encoder: Encode) -> Modality:
    """The three variants of the vitals of these windows."""
    how = SignalDisturbance()

    def read(rows: Indices) -> Array:
        return vitals_variants(pool.vitals[numbers[rows]])

    def encode(grids: Tensor) -> tuple[Tensor, Tensor]:
        tokens, scores = encoder(grids.flatten(0, 1))
        return split_axis(tokens, 0, (-1, VARIANTS)), scores.reshape(-1, VARIANTS)

    def disturb(grids: Tensor) -> Tensor:
        return split_axis(disturb_vitals(grids.flatten(0, 1), how), 0, (-1, VARIANTS))

    letters = letters_of([pool.patterns[number] for number in numbers])
    has = letters[:, P] | letters[:, M]
    return Modality("vitals", (VARIANTS, VITALS_TOKENS), 128, has, read, encode, disturb)
