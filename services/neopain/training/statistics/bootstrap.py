"""Confidence intervals for windows of the same infants: whole infants are drawn, not windows.

Windows of one infant resemble each other, so drawing windows would give intervals that are too narrow. Resampling of
whole clusters with percentile intervals: Efron & Tibshirani 1993, chapters 8 and 13; Field & Welsh 2007,
J R Stat Soc B 69:369-390. With few infants (below about 20) these intervals are still somewhat narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from neopain.errors import ContractBroken
from neopain.training.statistics.sample import LEVEL, Estimated, Floats, Indices

RESAMPLES: Final = 2000
LEAST_DEFINED: Final = 0.95
"""Share of resamples whose figure must be defined; below it there is no interval."""


@dataclass(frozen=True, slots=True)
class Resample:
    """Rows of a draw with replacement, and which draw each came with: an infant drawn twice counts as two infants."""

    rows: Indices
    clusters: Indices


def cluster_bootstrap(
    statistic: Callable[[Indices], float],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimated:
    """The figure of all rows, with a percentile interval over draws of whole clusters.

    ``statistic`` takes row numbers (with repeats) and gives the figure of those rows; ``clusters`` names each row's
    infant. With fewer than two clusters, or a figure undefined in more than 5 % of the draws, the ends are NaN.
    """
    value = statistic(np.arange(len(clusters)))
    draws = [statistic(draw.rows) for draw in draw_clusters(clusters, seed=seed, resamples=resamples)]
    return percentile_interval(value, np.array(draws, dtype=np.float64), level=level)


def draw_clusters(clusters: Sequence[str], *, seed: int, resamples: int = RESAMPLES) -> Iterator[Resample]:
    """Gives ``resamples`` draws of as many clusters as there are, with replacement; none for fewer than two."""
    if resamples < 1:
        raise ContractBroken(f"{resamples} resamples asked for, expected at least 1")
    rows = cluster_rows(clusters)
    if len(rows) < 2:
        return
    sizes = np.array([len(of_cluster) for of_cluster in rows])
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = random.integers(len(rows), size=len(rows))
        yield Resample(np.concatenate([rows[cluster] for cluster in drawn]), np.arange(len(rows)).repeat(sizes[drawn]))


def cluster_rows(clusters: Sequence[str]) -> list[Indices]:
    """The row numbers of each cluster, clusters in alphabetical order."""
    names, numbers = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
    return np.split(order, ends[:-1]) if len(names) else []


def percentile_interval(value: float, draws: Floats, *, level: float = LEVEL) -> Estimated:
    """The value between the percentiles of its draws; without ends where too many draws are undefined."""
    defined = draws[np.isfinite(draws)]
    if not np.isfinite(value) or defined.size == 0 or defined.size < LEAST_DEFINED * draws.size:
        return Estimated(value)
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Estimated(value, float(low), float(high))
