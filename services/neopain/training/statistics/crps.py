"""Continuous ranked probability score of predicted quantiles, and of a model whose doubt is always the same.

CRPS = 2 x the integral over all levels of the pinball loss (Laio & Tamea 2007, Hydrol Earth Syst Sci 11:1267-1277;
Gneiting & Raftery 2007, J Am Stat Assoc 102:359-378). In the label's unit; lower is better; for a prediction without
doubt it is the absolute error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neopain.errors import ContractBroken
from neopain.training.statistics.sample import NAN, Floats, is_usable, paired

LEAST_RISE = 1e-9
"""Quantiles that lie nearer to each other are one."""


def crps(quantiles: Floats, levels: Sequence[float], labels: Floats) -> Floats:
    """The score [n] of each row of ``quantiles`` [n, q] at ``levels`` (ascending, in 0..1).

    Exact for the quantile function that is linear between the levels and constant beyond the outermost ones (the share
    outside them sits at the outermost quantile). Quantiles of a row that cross are put in order. A row with a value
    that is not finite gets NaN.
    """
    edges, knots, observed = _checked(quantiles, levels, labels)
    left, right = edges[:-1], edges[1:]
    low, high = knots[:, :-1], knots[:, 1:]
    rises = high - low > LEAST_RISE
    rise = np.where(rises, high - low, 1.0)
    below = np.where(rises, np.clip((observed - low) / rise, 0.0, 1.0), observed >= low)
    level, value = left + below * (right - left), low + below * (high - low)  # where the piece passes the label
    pieces = _product_integral(level - left, (left, level), (observed - low, observed - value))
    pieces += _product_integral(right - level, (1.0 - level, 1.0 - right), (value - observed, high - observed))
    scores: Floats = 2.0 * pieces.sum(axis=1)
    return scores


def constant_width(points: Floats, labels: Floats, levels: Sequence[float], *, bounds: tuple[float, float]) -> Floats:
    """Quantiles [n, q] of a model that is equally unsure everywhere: ``points`` plus the quantiles of all residuals.

    The residuals are those of these very labels, so this reference is as good as such a model can be. Clipped to
    ``bounds``, the scale's ends.
    """
    points, labels = paired(points, labels)
    if not is_usable(points, labels):
        return np.full((points.size, len(levels)), NAN)
    offsets = np.quantile(labels - points, np.asarray(levels, dtype=np.float64))
    clipped: Floats = np.clip(points[:, None] + offsets, *bounds)
    return clipped


def _checked(quantiles: Floats, levels: Sequence[float], labels: Floats) -> tuple[Floats, Floats, Floats]:
    """The levels with 0 and 1 added, the quantiles there, and the labels as a column."""
    steps = np.asarray(levels, dtype=np.float64)
    if quantiles.shape != (len(labels), steps.size) or steps.size == 0:
        raise ContractBroken(
            f"quantiles have the shape {quantiles.shape}, expected {len(labels)} labels by {steps.size} levels"
        )
    if not ((steps >= 0.0) & (steps <= 1.0)).all() or not (np.diff(steps) > 0.0).all():
        raise ContractBroken(f"the levels are {list(levels)}, expected ascending shares in 0..1")
    finite = np.isfinite(quantiles).all(axis=1) & np.isfinite(labels)
    ordered = np.where(finite[:, None], np.sort(quantiles, axis=1), NAN)
    knots = np.concatenate([ordered[:, :1], ordered, ordered[:, -1:]], axis=1)
    return np.concatenate([[0.0], steps, [1.0]]), knots, np.where(finite, labels, NAN)[:, None]


def _product_integral(width: Floats, first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    """Integral of the product of two functions that are linear over ``width``, given at both ends."""
    (a, b), (c, d) = first, second
    product: Floats = width * (2.0 * a * c + a * d + b * c + 2.0 * b * d) / 6.0
    return product
