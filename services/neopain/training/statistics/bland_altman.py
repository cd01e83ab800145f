"""Limits of agreement where each infant is measured several times while the true value changes.

Bland & Altman 2007, J Biopharm Stat 17:571-582 (true value varies): a one-way analysis of variance of the differences
by subject gives the variance between and within subjects; their sum is the variance of a single difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from neopain.errors import ContractBroken
from neopain.training.statistics.bootstrap import RESAMPLES, draw_clusters, percentile_interval
from neopain.training.statistics.sample import LEVEL, NAN, Estimated, Floats, Indices, is_usable

NORMAL_95: Final = 1.96
"""Standard deviations on either side that hold 95 % of differences, rounded as Bland & Altman do."""


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias (mean difference) and the limits within which 95 % of single differences lie.

    ``sd_within`` is NaN where no subject has two differences: ``sd`` is then that of one difference each.
    """

    bias: float
    lower: float
    upper: float
    sd: float
    sd_between: float
    sd_within: float
    n_subjects: int
    n: int


@dataclass(frozen=True, slots=True)
class BlandAltmanIntervals:
    """Bias and limits, each with its confidence interval over infants."""

    bias: Estimated
    lower: Estimated
    upper: Estimated


def bland_altman(differences: Floats, subjects: Sequence[str]) -> BlandAltman:
    """Bias and limits of ``differences`` [n] (one method minus the other) of the ``subjects`` they belong to.

    With one subject there is a bias and no limits.
    """
    names, numbers = np.unique(np.asarray(subjects, dtype=np.str_), return_inverse=True)
    return _of(np.asarray(differences, dtype=np.float64), numbers, len(names))


def bland_altman_intervals(
    differences: Floats, subjects: Sequence[str], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> BlandAltmanIntervals:
    """Bias and limits with percentile intervals from a bootstrap of whole infants."""
    whole = bland_altman(differences, subjects)
    draws = np.full((resamples, 3), NAN)
    for number, draw in enumerate(draw_clusters(subjects, seed=seed, resamples=resamples)):
        found = _of(differences[draw.rows], draw.clusters, whole.n_subjects)
        draws[number] = found.bias, found.lower, found.upper
    values = (whole.bias, whole.lower, whole.upper)
    return BlandAltmanIntervals(
        *(percentile_interval(value, draws[:, column], level=level) for column, value in enumerate(values))
    )


def _of(differences: Floats, numbers: Indices, n_subjects: int) -> BlandAltman:
    if differences.shape != numbers.shape:
        raise ContractBroken(f"differences have the shape {differences.shape}, their subjects {numbers.shape}")
    if not is_usable(differences):
        return BlandAltman(NAN, NAN, NAN, NAN, NAN, NAN, n_subjects, differences.size)
    mean = float(differences.mean())
    between, within = _variances(differences, numbers, n_subjects)
    sd = float(np.sqrt(between + (0.0 if np.isnan(within) else within)))
    return BlandAltman(
        bias=mean,
        lower=mean - NORMAL_95 * sd,
        upper=mean + NORMAL_95 * sd,
        sd=sd,
        sd_between=float(np.sqrt(between)),
        sd_within=float(np.sqrt(within)),
        n_subjects=n_subjects,
        n=differences.size,
    )


def _variances(differences: Floats, numbers: Indices, n_subjects: int) -> tuple[float, float]:
    """Between and within subjects; the estimate between is 0 where chance makes it negative."""
    n = differences.size
    if n_subjects < 2:
        return NAN, NAN
    counts = np.bincount(numbers, minlength=n_subjects)
    means = np.bincount(numbers, weights=differences, minlength=n_subjects) / counts
    mean_square_between = float(counts @ (means - differences.mean()) ** 2) / (n_subjects - 1)
    if n == n_subjects:
        return mean_square_between, NAN
    within = float(((differences - means[numbers]) ** 2).sum()) / (n - n_subjects)
    mean_size = (n - float(counts @ counts) / n) / (n_subjects - 1)
    return max(0.0, (mean_square_between - within) / mean_size), within
