"""The monotone map from the model's median to what raters say, fitted across infants.

Isotonic regression (scikit-learn), each infant with the same weight, smoothed to a few knots. Its steps are those of
the infants it saw; the means of a few cells are not, and stay monotone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from neopain.domain.calibration import Floats
from neopain.domain.score import SCALE_MAX

CELLS = 18
"""Of equal weight; with both ends of the scale 20 knots at most."""
DECIMALS = 4

Knots = tuple[tuple[float, float], ...]


def weights_of(infants: npt.NDArray[np.int64]) -> Floats:
    """A weight for each window [n], such that every infant weighs 1."""
    _, codes, counts = np.unique(infants, return_inverse=True, return_counts=True)
    weights: Floats = 1 / counts[codes]
    return weights


def fit_map(raw: Floats, label: Floats, weights: Floats) -> Knots:
    """Knots from raw score [n], clipped to 0..10, and label [n]. Beyond the data the map goes on at a slope of 1."""
    raw = raw.clip(0.0, SCALE_MAX)
    fitted = IsotonicRegression(y_min=0.0, y_max=SCALE_MAX).fit(raw, label, sample_weight=weights).predict(raw)
    cells = _cells(raw, weights)
    sums = np.bincount(cells, weights)
    used = sums > 0
    x = (np.bincount(cells, weights * raw)[used] / sums[used]).round(DECIMALS)
    y = (np.bincount(cells, weights * fitted)[used] / sums[used]).round(DECIMALS)
    return _anchored(list(zip(x.tolist(), y.tolist(), strict=True)))


def _cells(raw: Floats, weights: Floats) -> npt.NDArray[np.int64]:
    """The cell of each window [n]; windows with the same raw score are in the same."""
    _, codes = np.unique(raw, return_inverse=True)
    own = np.bincount(codes, weights)
    middle = (np.cumsum(own) - own / 2) / own.sum()
    cells: npt.NDArray[np.int64] = (middle * CELLS).astype(np.int64)[codes]
    return cells


def _anchored(knots: list[tuple[float, float]]) -> Knots:
    """The knots with one at each end of the scale. Knots that rounding brought together are one."""
    (first, low), (last, high) = knots[0], knots[-1]
    before = [(0.0, round(max(low - first, 0.0), DECIMALS))] if first > 0 else []
    after = [(SCALE_MAX, round(min(high + SCALE_MAX - last, SCALE_MAX), DECIMALS))] if last < SCALE_MAX else []
    return tuple(dict([*before, *knots, *after]).items())
