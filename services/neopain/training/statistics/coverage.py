"""Prediction intervals: how often they hold the label, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from neopain.errors import ContractBroken
from neopain.training.statistics.discrimination import proportion
from neopain.training.statistics.sample import LEVEL, NAN, UNKNOWN, Estimated, Floats, is_usable, paired

REPORTED_LEVELS: Final = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class IntervalFigures:
    """Central prediction intervals of one level: the share of labels within, ends included, and the mean width."""

    level: float
    coverage: Estimated
    mean_width: float


def interval_figures(
    quantiles: Floats,
    levels: Sequence[float],
    labels: Floats,
    *,
    at: Sequence[float] = REPORTED_LEVELS,
    subjects: Sequence[str] | None = None,
) -> tuple[IntervalFigures, ...]:
    """Coverage and width of the intervals ``at`` these levels, from ``quantiles`` [n, q] at ``levels``."""
    figures = []
    for level in at:
        low, high = central_interval(quantiles, levels, level)
        figures.append(IntervalFigures(level, coverage(low, high, labels, subjects=subjects), mean_width(low, high)))
    return tuple(figures)


def central_interval(quantiles: Floats, levels: Sequence[float], level: float) -> tuple[Floats, Floats]:
    """Both ends [n] of the interval that leaves the same share on either side.

    ``ContractBroken`` when one of the two quantiles is not among ``levels``.
    """
    if quantiles.ndim != 2 or quantiles.shape[1] != len(levels):
        raise ContractBroken(
            f"quantiles have the shape {quantiles.shape}, expected one column for {len(levels)} levels"
        )
    ends = []
    for wanted in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        column = int(np.argmin(np.abs(np.asarray(levels) - wanted)))
        if abs(levels[column] - wanted) > 1e-9:
            raise ContractBroken(f"an interval of {level:.0%} needs the quantile {wanted:g}, there are {list(levels)}")
        ends.append(quantiles[:, column])
    return ends[0], ends[1]


def coverage(
    low: Floats, high: Floats, labels: Floats, *, subjects: Sequence[str] | None = None, level: float = LEVEL
) -> Estimated:
    """The share of labels from ``low`` to ``high``; its interval heeds infants where ``subjects`` are given."""
    low, high, labels = paired(low, high, labels)
    if not is_usable(low, high, labels):
        return UNKNOWN
    return proportion((low <= labels) & (labels <= high), subjects=subjects, level=level)


def mean_width(low: Floats, high: Floats) -> float:
    """Mean of high minus low."""
    low, high = paired(low, high)
    return float((high - low).mean()) if is_usable(low, high) else NAN
