"""Intraclass correlation of ratings, one row per target and one column per rater.

Definitions and F intervals: Shrout & Fleiss 1979, Psychol Bull 86:420-428; McGraw & Wong 1996, Psychol Methods
1:30-46 with its correction 1:390. Which form to use: Koo & Li 2016, J Chiropr Med 15:155-163. The F intervals take
targets as independent: for several windows of one infant give ``icc_value`` to ``cluster_bootstrap`` as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

import numpy as np
from scipy.stats import f as f_distribution

from neopain.errors import ContractBroken
from neopain.training.statistics.sample import LEVEL, NAN, UNKNOWN, Estimated, Floats, is_usable


class IccForm(Enum):
    """The single-rater forms, by the names of Shrout & Fleiss."""

    ONE_WAY = "ICC(1,1)"
    """Each target has raters of its own."""
    AGREEMENT = "ICC(2,1)"
    """The same raters throughout, a sample of all raters; a rater who is always higher counts against it."""
    CONSISTENCY = "ICC(3,1)"
    """The same raters throughout, and only they matter; a constant difference between them does not count."""


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    """Two-way layout of n targets and k raters: between targets, within targets, between raters, residual."""

    n: int
    k: int
    targets: float
    within: float
    raters: float
    residual: float


def icc(ratings: Floats, form: IccForm, *, level: float = LEVEL) -> Estimated:
    """The coefficient of ``ratings`` [n targets, k raters] with its F interval.

    NaN for fewer than two targets or raters, and where all ratings are the same.
    """
    squares = _mean_squares(ratings)
    if squares is None:
        return UNKNOWN
    value = _value(squares, form)
    if not np.isfinite(value):
        return UNKNOWN
    low, high = _agreement_ends(squares, value, level) if form is IccForm.AGREEMENT else _ends(squares, form, level)
    # The approximation for agreement can leave out its own value where targets hardly differ (a negative coefficient).
    return Estimated(value, min(low, value), max(high, value))


def icc_value(ratings: Floats, form: IccForm) -> float:
    """The coefficient alone, for resampling."""
    squares = _mean_squares(ratings)
    return NAN if squares is None else _value(squares, form)


def icc_one_way_unbalanced(ratings: Floats) -> float:
    """ICC(1,1) of targets with different numbers of ratings; here NaN in ``ratings`` [n, k] means not rated.

    Targets with one rating or none are left out. One-way analysis of variance with the mean group size k0
    (Donner & Koval 1980, Biometrics 36:19-25). NaN for fewer than two targets, and where all ratings are the same.
    """
    rated = ratings[np.isfinite(ratings).sum(axis=1) >= 2]
    if len(rated) < 2:
        return NAN
    counts = np.isfinite(rated).sum(axis=1)
    total = int(counts.sum())
    centred = rated - rated[np.isfinite(rated)][0]  # keeps a constant sample exactly constant
    means = np.nansum(centred, axis=1) / counts
    grand = np.nansum(centred) / total
    between = float(counts @ (means - grand) ** 2) / (len(rated) - 1)
    within = float(np.nansum((centred - means[:, None]) ** 2)) / (total - len(rated))
    mean_size = (total - float(counts @ counts) / total) / (len(rated) - 1)
    return _ratio(between - within, between + (mean_size - 1.0) * within)


def _mean_squares(ratings: Floats) -> _MeanSquares | None:
    if ratings.ndim != 2:
        raise ContractBroken(f"ratings have the shape {ratings.shape}, expected targets by raters")
    n, k = ratings.shape
    if n < 2 or k < 2 or not is_usable(ratings):
        return None
    centred = ratings - ratings[0, 0]  # keeps a constant sample exactly constant
    of_targets, of_raters, grand = centred.mean(axis=1), centred.mean(axis=0), centred.mean()
    within = float(((centred - of_targets[:, None]) ** 2).sum())
    raters = n * float(((of_raters - grand) ** 2).sum())
    residual = float(((centred - of_targets[:, None] - of_raters + grand) ** 2).sum())
    return _MeanSquares(
        n=n,
        k=k,
        targets=k * float(((of_targets - grand) ** 2).sum()) / (n - 1),
        within=within / (n * (k - 1)),
        raters=raters / (k - 1),
        residual=residual / ((n - 1) * (k - 1)),
    )


def _value(squares: _MeanSquares, form: IccForm) -> float:
    n, k, targets, residual = squares.n, squares.k, squares.targets, squares.residual
    match form:
        case IccForm.ONE_WAY:
            return _ratio(targets - squares.within, targets + (k - 1) * squares.within)
        case IccForm.AGREEMENT:
            rater_variance = k * (squares.raters - residual) / n
            return _ratio(targets - residual, targets + (k - 1) * residual + rater_variance)
        case IccForm.CONSISTENCY:
            return _ratio(targets - residual, targets + (k - 1) * residual)
        case _:
            assert_never(form)


def _ends(squares: _MeanSquares, form: IccForm, level: float) -> tuple[float, float]:
    n, k = squares.n, squares.k
    one_way = form is IccForm.ONE_WAY
    error = squares.within if one_way else squares.residual
    freedom = n * (k - 1) if one_way else (n - 1) * (k - 1)
    below = _f_quantile(level, n - 1, freedom)
    above = _f_quantile(level, freedom, n - 1)
    low = _ratio(squares.targets - below * error, squares.targets + (k - 1) * below * error)
    high = _ratio(above * squares.targets - error, above * squares.targets + (k - 1) * error)
    return low, high


def _agreement_ends(squares: _MeanSquares, value: float, level: float) -> tuple[float, float]:
    n, k, targets, raters, residual = squares.n, squares.k, squares.targets, squares.raters, squares.residual
    if raters == residual == 0.0:
        return 1.0, 1.0
    of_raters = k * value * raters
    of_residual = (n * (1 + (k - 1) * value) - k * value) * residual
    freedom = _ratio((k - 1) * (n - 1) * (of_raters + of_residual) ** 2, (n - 1) * of_raters**2 + of_residual**2)
    if not freedom > 0.0:
        return NAN, NAN
    error = k * raters + (k * n - k - n) * residual
    below, above = _f_quantile(level, n - 1, freedom), _f_quantile(level, freedom, n - 1)
    low = _ratio(n * (targets - below * residual), below * error + n * targets)
    high = _ratio(n * (above * targets - residual), error + n * above * targets)
    return low, high


def _f_quantile(level: float, numerator: float, denominator: float) -> float:
    return float(f_distribution.ppf((1.0 + level) / 2.0, numerator, denominator))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0.0 else NAN
