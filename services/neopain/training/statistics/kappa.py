"""Weighted kappa: agreement of two raters beyond chance, where a near miss counts less than a far one.

Cohen 1968, Psychol Bull 70:213-220. Distances are those of the scores themselves, so an unused step of the scale keeps
its place. Meant for scores with a few dozen different values: the cost grows with the square of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import combinations

import numpy as np

from neopain.training.statistics.bootstrap import RESAMPLES, cluster_bootstrap
from neopain.training.statistics.sample import LEVEL, NAN, Estimated, Floats, is_usable, paired


class KappaWeights(Enum):
    """What a disagreement costs; the value is the power of its distance."""

    LINEAR = 1
    QUADRATIC = 2


def weighted_kappa(first: Floats, second: Floats, weights: KappaWeights) -> float:
    """1 for the same scores throughout, 0 for no better than chance; NaN where both give one and the same score."""
    first, second = paired(first, second)
    if not is_usable(first, second):
        return NAN
    expected = _expected(first, second, weights)
    observed = float((np.abs(first - second) ** weights.value).mean())
    return 1.0 - observed / expected if expected > 0.0 else NAN


def kappa_by_subject(
    first: Floats,
    second: Floats,
    subjects: Sequence[str],
    *,
    weights: KappaWeights,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimated:
    """Weighted kappa with a percentile interval from a bootstrap of whole infants (no asymptotic formula)."""
    return cluster_bootstrap(
        lambda rows: weighted_kappa(first[rows], second[rows], weights),
        subjects,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def mean_pair_kappa(ratings: Floats, weights: KappaWeights) -> float:
    """Weighted kappa of several raters: the plain mean over their pairs (Light 1971, Psychol Bull 76:365-377).

    Here NaN in ``ratings`` [n, k raters] means not rated: each pair counts the rows that both rated, and a pair without
    a kappa of its own does not count.
    """
    kappas = []
    for first, second in combinations(ratings.T, 2):
        both = np.isfinite(first) & np.isfinite(second)
        kappas.append(weighted_kappa(first[both], second[both], weights))
    defined = [kappa for kappa in kappas if np.isfinite(kappa)]
    return float(np.mean(defined)) if defined else NAN


def _expected(first: Floats, second: Floats, weights: KappaWeights) -> float:
    ours, our_counts = np.unique(first, return_counts=True)
    theirs, their_counts = np.unique(second, return_counts=True)
    distances = np.abs(ours[:, None] - theirs) ** weights.value
    return float(our_counts @ distances @ their_counts) / (first.size * second.size)
