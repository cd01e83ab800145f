"""Which windows a stage learns from, in which order, what is known about them, and how it is examined on the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from neopain.domain.annotation import NIPS_ITEMS
from neopain.errors import ConfigurationError
from neopain.features.signature import PRESENT_FLAGS
from neopain.training.config import Steps
from neopain.training.machine import Batch
from neopain.training.pool import Floats, Indices, Pool

ITEMS = tuple(NIPS_ITEMS)
ITEM_MAX = np.array(list(NIPS_ITEMS.values()), np.float32)

LABEL, PARTS = "label", "parts"

Scores = Callable[[Indices], Tensor]
"""Windows by their numbers, undisturbed, to a score of each, [B]."""


@dataclass(frozen=True, slots=True)
class Infants:
    """Numbers of the windows of the infants of each part; no infant is in two of them."""

    encoders: Indices
    """What the encoders learn from; the fusion head too."""
    fusion_only: Indices
    tune: Indices

    @property
    def fusion(self) -> Indices:
        """What the fusion head and the baselines learn from."""
        return np.sort(np.concatenate([self.encoders, self.fusion_only]))


class Order:
    """Batches of windows in random order; each round has every window once, and batch ``unit`` is always the same."""

    def __init__(self, indices: Indices, batch: int, seed: int) -> None:
        self._indices, self._batch, self._seed = indices, batch, seed
        self._round = lru_cache(maxsize=4)(self._shuffled)

    def draw(self, unit: int) -> Indices:
        """The numbers of the windows of a batch."""
        places = np.arange(unit * self._batch, (unit + 1) * self._batch)
        rounds, within = places // len(self._indices), places % len(self._indices)
        return np.array([self._round(one)[place] for one, place in zip(rounds.tolist(), within, strict=True)], np.intp)

    def rng(self, unit: int) -> np.random.Generator:
        """Chance for that batch."""
        return np.random.default_rng([self._seed, 1, unit])

    def _shuffled(self, number: int) -> Indices:
        return np.random.default_rng([self._seed, 0, number]).permutation(self._indices)


class Lesson:
    """The windows of one encoder: those in which its modality is present and about which anything is known.

    ``targets`` float32 [n, k] are parts of the score beside the label, 0..1, NaN where unknown.
    ``ConfigurationError``: there is none to learn from.
    """

    def __init__(self, pool: Pool, infants: Infants, plan: Steps, *, modality: int, targets: Floats, seed: int) -> None:
        is_known = ~np.isnan(np.concatenate([pool.labels[:, None], targets], axis=1)).all(axis=1)
        usable = np.flatnonzero(pool.present[:, modality] & is_known)
        self.train = np.intersect1d(infants.encoders, usable)
        self.tune = spread_out(np.intersect1d(infants.tune, usable), plan.check_windows)
        if len(self.train) == 0:
            what = f"{len(infants.encoders)} windows that encoders learn from"
            raise ConfigurationError(
                f"none of {what} has {PRESENT_FLAGS[modality]} and a rating: add rated infants who have it, or leave"
                " its files out of the manifest"
            )
        self.order = Order(self.train, plan.batch, seed)
        self._pool, self._targets = pool, targets

    def targets(self, indices: Indices) -> Batch:
        """LABEL [B] and PARTS [B, k] of these windows."""
        return {
            LABEL: torch.from_numpy(self._pool.labels[indices]),
            PARTS: torch.from_numpy(self._targets[indices]),
        }

    def error(self, scores: Scores, *, at_once: int) -> float:
        """MAE on the tune windows; NaN when none has a label."""
        return mean_error(scores, self.tune, self._pool.labels, at_once=at_once)

    def settle(self, nets: nn.Module, scores: Scores, *, most: int, at_once: int) -> None:
        """Gives batch norms the statistics of at most so many training windows, undisturbed as they are served."""
        batches = in_batches(spread_out(self.train, most), at_once)
        settle_norms(nets, lambda: [scores(some) for some in batches])


class Learner(nn.Module):
    """An encoder with a head for parts of the score that serves its training alone."""

    def __init__(self, encoder: nn.Module, width: int, parts: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.parts = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, parts))
        self.held: tuple[nn.Module, ...] = ()
        """Parts that stay in evaluation mode: their batch norms keep their statistics."""

    def train(self, mode: bool = True) -> Learner:
        """As usual, but for the parts that are held."""
        super().train(mode)
        for part in self.held:
            part.eval()
        return self

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder takes -> scores [B] on 0..10, and logits of the parts [B, k]."""
        return self.judged(*self.encoder(inputs))

    def judged(self, tokens: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder gives, [B, n, W] and [B, 1] -> scores [B] on 0..10, and logits of the parts [B, k]."""
        return scores[:, 0], self.parts(tokens.mean(dim=1))

    def scores(self, inputs: Tensor) -> Tensor:
        """What the encoder takes -> scores [B] on 0..10."""
        scores: Tensor = self.encoder(inputs)[1]
        return scores[:, 0]


def item_targets(pool: Pool, items: Sequence[str]) -> Floats:
    """Float32 [n, k]: the raters' mean of each named NIPS item as a share of its highest score, NaN where unknown."""
    places = [ITEMS.index(item) for item in items]
    return np.asarray(pool.items[:, places] / ITEM_MAX[places], np.float32)


def spread_out(indices: Indices, most: int) -> Indices:
    """At most so many of them, evenly spaced: the same ones each time."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.intp)]


def mean_error(scores: Scores, numbers: Indices, labels: Floats, *, at_once: int) -> float:
    """MAE on the windows of these numbers that have a label; NaN when none has."""
    found = [scores(some).cpu() for some in in_batches(numbers, at_once)]
    if not found:
        return float("nan")
    errors = np.abs(torch.cat(found).numpy() - labels[numbers])
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


def in_batches(indices: Indices, size: int) -> list[Indices]:
    """The numbers in their order, so many at once."""
    return [indices[at : at + size] for at in range(0, len(indices), size)]


def settle_norms(nets: nn.Module, run: Callable[[], object]) -> None:
    """Batch norms take the mean statistics of everything that ``run`` passes through them (Wu and Johnson 2021).

    The nets are left in evaluation mode.
    """
    norms = [each for each in nets.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)]
    momenta = [norm.momentum for norm in norms]
    nets.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        run()
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
